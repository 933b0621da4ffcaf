// Command msk-iam lists the topics of an Amazon MSK cluster, to which it logs in
// with AWS credentials (IAM access control):
//
//	go run . -brokers b-1.example.kafka.eu-west-1.amazonaws.com:9098 -region eu-west-1
//
// Credentials are those of the AWS SDK's default chain: the environment, a
// profile, or the role of the machine.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"

	"github.com/IBM/sarama"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Fatal(err)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("msk-iam", flag.ContinueOnError)
	brokers := flags.String("brokers", "", "bootstrap brokers, host:port separated by commas")
	region := flags.String("region", os.Getenv("AWS_REGION"), "AWS region of the cluster")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *brokers == "" || *region == "" {
		return errors.New("both -brokers and -region are needed")
	}
	client, err := sarama.NewClient(strings.Split(*brokers, ","), configFor(*region))
	if err != nil {
		return err
	}
	topics, err := client.Topics()
	slices.Sort(topics)
	for _, topic := range topics {
		fmt.Fprintln(out, topic)
	}
	return errors.Join(err, client.Close())
}

// configFor is a configuration for clusters with IAM access control: TLS, and
// signed tokens in place of a password.
func configFor(region string) *sarama.Config {
	config := sarama.NewConfig()
	config.ClientID = "msk-iam"
	config.Net.TLS.Enable = true
	config.Net.SASL.Enable = true
	config.Net.SASL.Mechanism = sarama.SASLTypeOAuth
	config.Net.SASL.TokenProvider = &tokenProvider{region: region}
	return config
}
