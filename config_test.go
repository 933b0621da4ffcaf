package sarama

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"reflect"
	"strings"
	"testing"
	"time"
)

// captureLogger puts what is logged during a test into a buffer.
func captureLogger(t *testing.T) *bytes.Buffer {
	t.Helper()
	old, buffer := Logger, &bytes.Buffer{}
	Logger = log.New(buffer, "", 0)
	t.Cleanup(func() { Logger = old })
	return buffer
}

type configChange struct {
	name string
	set  func(c *Config)
	want string // in the error, for a fault
}

func idempotent(c *Config) {
	c.Version = V0_11_0_0
	c.Producer.Idempotent = true
	c.Producer.RequiredAcks = WaitForAll
}

func saslWith(mechanism SASLMechanism) func(c *Config) {
	return func(c *Config) {
		c.Net.SASL.Enable = true
		c.Net.SASL.Mechanism = mechanism
		c.Net.SASL.User = "alice"
		c.Net.SASL.Password = "secret"
	}
}

func kerberos(authType int) func(c *Config) {
	return func(c *Config) {
		c.Net.SASL.Enable = true
		c.Net.SASL.Mechanism = SASLTypeGSSAPI
		c.Net.SASL.GSSAPI = GSSAPIConfig{
			AuthType: authType, ServiceName: "kafka", KerberosConfigPath: "/etc/krb5.conf", Username: "alice", Realm: "R",
			Password: "secret", KeyTabPath: "/keytab", CCachePath: "/ccache",
		}
	}
}

// both applies two changes, one after the other.
func both(a, b func(c *Config)) func(c *Config) {
	return func(c *Config) { a(c); b(c) }
}

// protocolStrategy is range with a say in the rebalance protocol.
type protocolStrategy struct {
	BalanceStrategy
	protocols []RebalanceProtocol
}

func (s protocolStrategy) SupportedProtocols() []RebalanceProtocol { return s.protocols }

func strategies(list ...BalanceStrategy) func(c *Config) {
	return func(c *Config) { c.Consumer.Group.Rebalance.GroupStrategies = list }
}

var (
	cooperativeOnly = protocolStrategy{NewBalanceStrategyRange(), []RebalanceProtocol{RebalanceProtocolCooperative}}
	eitherProtocol  = protocolStrategy{NewBalanceStrategyRange(), []RebalanceProtocol{RebalanceProtocolEager, RebalanceProtocolCooperative}}
)

type noTokens struct{}

func (noTokens) Token() (*AccessToken, error) { return nil, errors.New("none") }

var configFaults = []configChange{
	{"admin timeout", func(c *Config) { c.Admin.Timeout = 0 }, "Admin.Timeout is 0s"},
	{"no open requests", func(c *Config) { c.Net.MaxOpenRequests = 0 }, "Net.MaxOpenRequests is 0"},
	{"dial timeout", func(c *Config) { c.Net.DialTimeout = 0 }, "Net.DialTimeout is 0s"},
	{"read timeout", func(c *Config) { c.Net.ReadTimeout = -time.Second }, "Net.ReadTimeout is -1s"},
	{"write timeout", func(c *Config) { c.Net.WriteTimeout = 0 }, "Net.WriteTimeout is 0s"},
	{"two TLS configurations", func(c *Config) {
		c.Net.TLS.Config, c.Net.TLS.ConfigFunc = &tls.Config{}, func() (*tls.Config, error) { return nil, nil }
	}, "Net.TLS.Config and Net.TLS.ConfigFunc are both set"},
	{"metadata retries", func(c *Config) { c.Metadata.Retry.Max = -1 }, "Metadata.Retry.Max is -1"},
	{"metadata backoff", func(c *Config) { c.Metadata.Retry.Backoff = -1 }, "Metadata.Retry.Backoff is -1ns"},
	{"refresh frequency", func(c *Config) { c.Metadata.RefreshFrequency = -1 }, "Metadata.RefreshFrequency is -1ns"},

	{"mechanism", saslWith("MAGIC"), `Net.SASL.Mechanism is "MAGIC"`},
	{"SASL v0 with ApiVersions", both(saslWith("PLAIN"), func(c *Config) { c.Net.SASL.Version = 0 }), "ApiVersionsRequest must be false"},
	{"no user", both(saslWith(""), func(c *Config) { c.Net.SASL.User = "" }), "Net.SASL.User is not set, but the mechanism PLAIN"},
	{"no password", both(saslWith("SCRAM-SHA-512"), func(c *Config) { c.Net.SASL.Password = "" }), "Net.SASL.Password is not set"},
	{"no token provider", saslWith(SASLTypeOAuth), "Net.SASL.TokenProvider is not set"},
	{"Kerberos auth type", kerberos(4), "Net.SASL.GSSAPI.AuthType is 4"},
	{"no Kerberos auth type", kerberos(0), "Net.SASL.GSSAPI.AuthType is 0"},
	{"no Kerberos password", both(kerberos(KRB5_USER_AUTH), func(c *Config) { c.Net.SASL.GSSAPI.Password = "" }), "GSSAPI.Password is not set"},
	{"no keytab", both(kerberos(KRB5_KEYTAB_AUTH), func(c *Config) { c.Net.SASL.GSSAPI.KeyTabPath = "" }), "GSSAPI.KeyTabPath is not set"},
	{"no credential cache", both(kerberos(KRB5_CCACHE_AUTH), func(c *Config) { c.Net.SASL.GSSAPI.CCachePath = "" }), "GSSAPI.CCachePath is not set"},
	{"no service name", both(kerberos(1), func(c *Config) { c.Net.SASL.GSSAPI.ServiceName = "" }), "GSSAPI.ServiceName is not set"},
	{"no Kerberos config", both(kerberos(1), func(c *Config) { c.Net.SASL.GSSAPI.KerberosConfigPath = "" }), "GSSAPI.KerberosConfigPath is not set"},
	{"no Kerberos user", both(kerberos(3), func(c *Config) { c.Net.SASL.GSSAPI.Username = "" }), "GSSAPI.Username is not set"},
	{"no realm", both(kerberos(2), func(c *Config) { c.Net.SASL.GSSAPI.Realm = "" }), "GSSAPI.Realm is not set"},

	{"message size", func(c *Config) { c.Producer.MaxMessageBytes = 0 }, "Producer.MaxMessageBytes is 0"},
	{"acks", func(c *Config) { c.Producer.RequiredAcks = -2 }, "Producer.RequiredAcks is -2"},
	{"producer timeout", func(c *Config) { c.Producer.Timeout = 0 }, "Producer.Timeout is 0s"},
	{"no partitioner", func(c *Config) { c.Producer.Partitioner = nil }, "Producer.Partitioner is nil"},
	{"flush bytes", func(c *Config) { c.Producer.Flush.Bytes = -1 }, "Producer.Flush.Bytes is -1"},
	{"flush messages", func(c *Config) { c.Producer.Flush.Messages = -1 }, "Producer.Flush.Messages is -1"},
	{"flush frequency", func(c *Config) { c.Producer.Flush.Frequency = -1 }, "Producer.Flush.Frequency is -1ns"},
	{"flush max messages", func(c *Config) { c.Producer.Flush.MaxMessages = -1 }, "Producer.Flush.MaxMessages is -1"},
	{"flush never full", func(c *Config) { c.Producer.Flush.MaxMessages = 5; c.Producer.Flush.Messages = 6 }, "Producer.Flush.MaxMessages is 5"},
	{"producer retries", func(c *Config) { c.Producer.Retry.Max = -1 }, "Producer.Retry.Max is -1"},
	{"producer backoff", func(c *Config) { c.Producer.Retry.Backoff = -1 }, "Producer.Retry.Backoff is -1ns"},
	{"producer budget", func(c *Config) { c.Producer.MaxBufferedBytes = -1 }, "Producer.MaxBufferedBytes is -1"},
	{"lz4 too early", func(c *Config) { c.Producer.Compression = CompressionLZ4; c.Version = V0_9_0_1 }, "Producer.Compression is lz4"},
	{"zstd too early", func(c *Config) { c.Producer.Compression = CompressionZSTD; c.Version = V2_0_1_0 }, "Version is 2.0.1"},
	{"gzip level", func(c *Config) { c.Producer.Compression = CompressionGZIP; c.Producer.CompressionLevel = 10 }, "Producer.CompressionLevel is 10"},
	{"gzip level too low", func(c *Config) { c.Producer.Compression = CompressionGZIP; c.Producer.CompressionLevel = -4 }, "Producer.CompressionLevel is -4"},

	{"idempotent too early", both(idempotent, func(c *Config) { c.Version = V0_10_2_2 }), "Version is 0.10.2.2"},
	{"idempotent without retries", both(idempotent, func(c *Config) { c.Producer.Retry.Max = 0 }), "Producer.Retry.Max is 0"},
	{"idempotent with few acks", both(idempotent, func(c *Config) { c.Producer.RequiredAcks = WaitForLocal }), "Producer.RequiredAcks is 1"},
	{"idempotent with many requests", both(idempotent, func(c *Config) { c.Net.MaxOpenRequests = 6 }), "Net.MaxOpenRequests is 6"},
	{"transaction without idempotence", func(c *Config) { c.Producer.Transaction.ID = "t" }, `Producer.Transaction.ID is "t"`},

	{"fetch min", func(c *Config) { c.Consumer.Fetch.Min = 0 }, "Consumer.Fetch.Min is 0"},
	{"fetch default", func(c *Config) { c.Consumer.Fetch.Default = 0 }, "Consumer.Fetch.Default is 0"},
	{"fetch max", func(c *Config) { c.Consumer.Fetch.Max = -1 }, "Consumer.Fetch.Max is -1"},
	{"fetch max bytes", func(c *Config) { c.Consumer.Fetch.MaxBytes = 0 }, "Consumer.Fetch.MaxBytes is 0"},
	{"max wait", func(c *Config) { c.Consumer.MaxWaitTime = time.Millisecond - 1 }, "Consumer.MaxWaitTime is 999.999µs"},
	{"max processing", func(c *Config) { c.Consumer.MaxProcessingTime = 0 }, "Consumer.MaxProcessingTime is 0s"},
	{"consumer backoff", func(c *Config) { c.Consumer.Retry.Backoff = -1 }, "Consumer.Retry.Backoff is -1ns"},
	{"consumer retries", func(c *Config) { c.Consumer.Retry.Max = -1 }, "Consumer.Retry.Max is -1"},
	{"commit interval", func(c *Config) {
		c.Consumer.Offsets.AutoCommit.Interval = 0
		c.Consumer.Offsets.AutoCommit.Enable = false
	}, "Consumer.Offsets.AutoCommit.Interval is 0s"},
	{"initial offset", func(c *Config) { c.Consumer.Offsets.Initial = 0 }, "Consumer.Offsets.Initial is 0"},
	{"reset", func(c *Config) { c.Consumer.Offsets.Reset = 4 }, "Consumer.Offsets.Reset is 4"},
	{"reset below all", func(c *Config) { c.Consumer.Offsets.Reset = -1 }, "Consumer.Offsets.Reset is -1"},
	{"reset without age", func(c *Config) { c.Consumer.Offsets.Reset = OffsetResetByAge }, "Consumer.Offsets.ResetAge is 0s"},
	{"commit retries", func(c *Config) { c.Consumer.Offsets.Retry.Max = -1 }, "Consumer.Offsets.Retry.Max is -1"},
	{"isolation level", func(c *Config) { c.Consumer.IsolationLevel = 2 }, "Consumer.IsolationLevel is 2"},
	{"read committed too early", func(c *Config) { c.Consumer.IsolationLevel = ReadCommitted; c.Version = V0_10_2_0 }, "Version is 0.10.2.0"},

	{"session timeout", func(c *Config) { c.Consumer.Group.Session.Timeout = 2 * time.Millisecond }, "Consumer.Group.Session.Timeout is 2ms"},
	{"heartbeat", func(c *Config) { c.Consumer.Group.Heartbeat.Interval = time.Microsecond }, "Consumer.Group.Heartbeat.Interval is 1µs"},
	{"heartbeat too slow", func(c *Config) { c.Consumer.Group.Heartbeat.Interval = 10 * time.Second }, "Consumer.Group.Heartbeat.Interval is 10s"},
	{"rebalance timeout", func(c *Config) { c.Consumer.Group.Rebalance.Timeout = time.Millisecond }, "Consumer.Group.Rebalance.Timeout is 1ms"},
	{"rebalance retries", func(c *Config) { c.Consumer.Group.Rebalance.Retry.Max = -1 }, "Consumer.Group.Rebalance.Retry.Max is -1"},
	{"rebalance backoff", func(c *Config) { c.Consumer.Group.Rebalance.Retry.Backoff = -1 }, "Consumer.Group.Rebalance.Retry.Backoff is -1ns"},
	{"no strategies", strategies(), "Consumer.Group.Rebalance.GroupStrategies is empty"},
	{"nil strategy", strategies(NewBalanceStrategyRange(), nil), "Consumer.Group.Rebalance.GroupStrategies[1] is nil"},
	{"no protocol in common", strategies(NewBalanceStrategyRange(), cooperativeOnly), "range [eager] range [cooperative]"},
	{"cooperative too early", both(strategies(cooperativeOnly), func(c *Config) { c.Version = V2_3_1_0 }), "Version is 2.3.1"},
	{"instance id too early", func(c *Config) { c.Version = V2_2_2_0; c.Consumer.Group.InstanceId = "i" }, `Consumer.Group.InstanceId is "i"`},
	{"instance id a dot", func(c *Config) { c.Consumer.Group.InstanceId = "." }, `Consumer.Group.InstanceId is "."`},
	{"instance id two dots", func(c *Config) { c.Consumer.Group.InstanceId = ".." }, `Consumer.Group.InstanceId is ".."`},
	{"instance id letters", func(c *Config) { c.Consumer.Group.InstanceId = "a b" }, `Consumer.Group.InstanceId is "a b"`},
	{"instance id length", func(c *Config) { c.Consumer.Group.InstanceId = strings.Repeat("a", 250) }, "has 250 bytes"},

	{"rebootstrap trigger", func(c *Config) { c.Metadata.RebootstrapTrigger = -1 }, "Metadata.RebootstrapTrigger is -1ns"},
	{"recovery strategy", func(c *Config) { c.Metadata.RecoveryStrategy = 2 }, "Metadata.RecoveryStrategy is 2"},
	{"exponential backoff", func(c *Config) { c.ExponentialBackoff.Max = -1 }, "ExponentialBackoff.Max is -1ns"},
	{"software name", func(c *Config) { c.ClientSoftwareName = "my library" }, `ClientSoftwareName is "my library"`},
	{"software version", func(c *Config) { c.ClientSoftwareVersion = "v1.0+dirty" }, `ClientSoftwareVersion is "v1.0+dirty"`},
	{"software version ends with a dot", func(c *Config) { c.ClientSoftwareVersion = "1." }, `ClientSoftwareVersion is "1."`},
	{"channel size", func(c *Config) { c.ChannelBufferSize = -1 }, "ChannelBufferSize is -1"},
	{"client id", func(c *Config) { c.ClientID = "my client"; c.Version = V0_11_0_2 }, `ClientID is "my client"`},
	{"no client id", func(c *Config) { c.ClientID = ""; c.Version = V0_11_0_2 }, `ClientID is ""`},
}

func TestValidateNamesTheFaultyFieldAndItsValue(t *testing.T) {
	for _, c := range configFaults {
		t.Run(c.name, func(t *testing.T) {
			config := NewConfig()
			c.set(config)
			err := config.Validate()
			var configErr ConfigurationError
			if !errors.As(err, &configErr) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a ConfigurationError with %q", err, c.want)
			}
			if strings.Contains(fmt.Sprint(err), "secret") {
				t.Errorf("%v tells the password", err)
			}
		})
	}
}

var validConfigs = []configChange{
	{name: "default", set: func(c *Config) {}},
	{name: "zeros that mean off", set: func(c *Config) {
		c.Admin.Retry.Max, c.Metadata.Retry.Max, c.Metadata.Retry.Backoff, c.Metadata.RefreshFrequency = 0, 0, 0, 0
		c.Producer.Retry.Max, c.Producer.Retry.Backoff, c.Producer.MaxBufferedBytes = 0, 0, 0
		c.Consumer.Retry.Backoff, c.Consumer.Offsets.Retry.Max, c.ChannelBufferSize = 0, 0, 0
		c.Consumer.Group.Rebalance.Retry.Max, c.Consumer.Group.Rebalance.Retry.Backoff = 0, 0
		c.MetricRegistry = nil
	}},
	{name: "Admin.Retry is not checked", set: func(c *Config) { c.Admin.Retry.Max, c.Admin.Retry.Backoff = -1, -1 }},
	{name: "least durations", set: func(c *Config) {
		c.Consumer.MaxWaitTime = time.Millisecond
		c.Consumer.Group.Session.Timeout = 2*time.Millisecond + 1
		c.Consumer.Group.Heartbeat.Interval = time.Millisecond
		c.Consumer.Group.Rebalance.Timeout = time.Millisecond + 1
	}},
	{name: "idempotent with 5 requests", set: idempotent},
	{name: "idempotent with 1 request", set: both(idempotent, func(c *Config) { c.Net.MaxOpenRequests = 1 })},
	{name: "transactional", set: both(idempotent, func(c *Config) { c.Producer.Transaction.ID = "t" })},
	{name: "SCRAM without generator", set: saslWith(SASLTypeSCRAMSHA256)},
	{name: "OAUTHBEARER", set: both(saslWith(SASLTypeOAuth), func(c *Config) { c.Net.SASL.TokenProvider = noTokens{} })},
	{name: "SASL v0", set: both(saslWith(SASLTypePlaintext), func(c *Config) { c.Net.SASL.Version, c.ApiVersionsRequest = 0, false })},
	{name: "Kerberos by password", set: both(kerberos(1), func(c *Config) { c.Net.SASL.GSSAPI.KeyTabPath = "" })},
	{name: "Kerberos by keytab", set: both(kerberos(2), func(c *Config) { c.Net.SASL.GSSAPI.Password = "" })},
	{name: "Kerberos by cache", set: both(kerberos(3), func(c *Config) { c.Net.SASL.GSSAPI.Password = "" })},
	{name: "SASL off is not checked", set: func(c *Config) { c.Net.SASL.Mechanism, c.Net.SASL.Version = "MAGIC", 9 }},
	{name: "zstd", set: func(c *Config) { c.Producer.Compression, c.Version = CompressionZSTD, V2_1_0_0 }},
	{name: "lz4", set: func(c *Config) { c.Producer.Compression, c.Version = CompressionLZ4, V0_10_0_0 }},
	{name: "gzip levels", set: func(c *Config) { c.Producer.Compression, c.Producer.CompressionLevel = CompressionGZIP, 9 }},
	{name: "level of another codec", set: func(c *Config) { c.Producer.Compression, c.Producer.CompressionLevel = CompressionLZ4, 99 }},
	{name: "static member", set: func(c *Config) {
		c.Version, c.Consumer.Group.InstanceId = V2_3_0_0, strings.Repeat("a", 246)+"._-"
	}},
	{name: "cooperative", set: both(strategies(cooperativeOnly, eitherProtocol), func(c *Config) { c.Version = V2_4_0_0 })},
	{name: "either protocol with an eager one", set: both(strategies(eitherProtocol, NewBalanceStrategyRange()), func(c *Config) { c.Version = V0_10_2_0 })},
	{name: "deprecated strategy alone", set: both(strategies(), func(c *Config) {
		c.Consumer.Group.Rebalance.Strategy = NewBalanceStrategyRoundRobin()
	})},
	{name: "software", set: func(c *Config) { c.ClientSoftwareName, c.ClientSoftwareVersion = "my-library.v2", "2" }},
	{name: "any client id from 1.0 on", set: func(c *Config) { c.Version, c.ClientID = V1_0_0_0, "my client, at home" }},
}

func TestValidateAccepts(t *testing.T) {
	for _, c := range validConfigs {
		t.Run(c.name, func(t *testing.T) {
			config := NewConfig()
			c.set(config)
			if err := config.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestValidateChangesOnlyTheMechanism(t *testing.T) {
	for _, list := range [][]configChange{validConfigs, configFaults} {
		for _, c := range list {
			config, same := NewConfig(), NewConfig()
			c.set(config)
			c.set(same)
			_ = config.Validate()
			if config.Net.SASL.Enable && same.Net.SASL.Mechanism == "" {
				same.Net.SASL.Mechanism = SASLTypePlaintext
			}
			// Functions are equal only if nil, and registries are not the same.
			config.Producer.Partitioner, same.Producer.Partitioner = nil, nil
			config.MetricRegistry, same.MetricRegistry = nil, nil
			config.Net.TLS.ConfigFunc, same.Net.TLS.ConfigFunc = nil, nil
			if !reflect.DeepEqual(config, same) {
				t.Errorf("%s: %+v became %+v", c.name, same, config)
			}
		}
	}
}

func TestValidateWarns(t *testing.T) {
	half := 100*time.Millisecond + 500*time.Microsecond
	for _, c := range []configChange{
		{"default client id", func(c *Config) { c.ClientID = "sarama" }, "ClientID"},
		{"TLS off", func(c *Config) { c.Net.TLS.Config = &tls.Config{} }, "Net.TLS.Config"},
		{"TLS off with a function", func(c *Config) { c.Net.TLS.ConfigFunc = func() (*tls.Config, error) { return nil, nil } }, "Net.TLS.ConfigFunc"},
		{"old TLS", func(c *Config) {
			c.Net.TLS.Enable, c.Net.TLS.Config = true, &tls.Config{MinVersion: tls.VersionTLS11}
		}, "Net.TLS.Config.MinVersion is TLS 1.1"},
		{"SASL off with user", func(c *Config) { c.Net.SASL.User = "u" }, "Net.SASL.User"},
		{"SASL off with password", func(c *Config) { c.Net.SASL.Password = "p" }, "Net.SASL.Password"},
		{"many acks", func(c *Config) { c.Producer.RequiredAcks = 2 }, "Producer.RequiredAcks"},
		{"large messages", func(c *Config) { c.Producer.MaxMessageBytes = int(MaxRequestSize) }, "Producer.MaxMessageBytes"},
		{"large flush", func(c *Config) {
			c.Producer.Flush.Bytes, c.Producer.Flush.Frequency = int(MaxRequestSize), time.Second
		}, "Producer.Flush.Bytes"},
		{"flush bytes alone", func(c *Config) { c.Producer.Flush.Bytes = 5 }, "without Frequency"},
		{"flush messages alone", func(c *Config) { c.Producer.Flush.Messages = 5 }, "without Frequency"},
		{"producer timeout", func(c *Config) { c.Producer.Timeout = half }, "Producer.Timeout is 100.5ms"},
		{"short wait", func(c *Config) { c.Consumer.MaxWaitTime = 99 * time.Millisecond }, "Consumer.MaxWaitTime"},
		{"wait", func(c *Config) { c.Consumer.MaxWaitTime = half }, "Consumer.MaxWaitTime is 100.5ms"},
		{"retention", func(c *Config) { c.Consumer.Offsets.Retention = half }, "Consumer.Offsets.Retention is 100.5ms"},
		{"session", func(c *Config) { c.Consumer.Group.Session.Timeout = 5*time.Second + 1 }, "Consumer.Group.Session.Timeout"},
		{"heartbeat", func(c *Config) { c.Consumer.Group.Heartbeat.Interval = half }, "Consumer.Group.Heartbeat.Interval"},
		{"rebalance", func(c *Config) { c.Consumer.Group.Rebalance.Timeout = half }, "Consumer.Group.Rebalance.Timeout"},
		{"deprecated strategy", func(c *Config) { c.Consumer.Group.Rebalance.Strategy = BalanceStrategyRange }, "Consumer.Group.Rebalance.Strategy"},
		{"deprecated interval", func(c *Config) { c.Consumer.Offsets.CommitInterval = 1 }, "Consumer.Offsets.CommitInterval"},
	} {
		t.Run(c.name, func(t *testing.T) {
			logged := captureLogger(t)
			config := NewConfig()
			config.ClientID = "test"
			if err := config.Validate(); err != nil || logged.Len() > 0 {
				t.Fatalf("before the change: %v, %q", err, logged)
			}
			c.set(config)
			if err := config.Validate(); err != nil {
				t.Fatal(err)
			}
			if lines := strings.Count(logged.String(), "\n"); lines != 1 || !strings.Contains(logged.String(), c.want) {
				t.Errorf("logged %q, want one line with %q", logged, c.want)
			}
		})
	}
}

func TestConfigDefaults(t *testing.T) {
	c := NewConfig()
	for _, d := range []struct {
		field     string
		got, want any
	}{
		{"Admin.Retry.Max", c.Admin.Retry.Max, 5},
		{"Admin.Retry.Backoff", c.Admin.Retry.Backoff, 100 * time.Millisecond},
		{"Admin.Timeout", c.Admin.Timeout, 3 * time.Second},
		{"Net.MaxOpenRequests", c.Net.MaxOpenRequests, 5},
		{"Net.DialTimeout", c.Net.DialTimeout, 30 * time.Second},
		{"Net.ReadTimeout", c.Net.ReadTimeout, 30 * time.Second},
		{"Net.WriteTimeout", c.Net.WriteTimeout, 30 * time.Second},
		{"Net.SASL.Version", c.Net.SASL.Version, SASLHandshakeV1},
		{"Net.SASL.Handshake", c.Net.SASL.Handshake, true},
		{"Net.SASL.Mechanism", c.Net.SASL.Mechanism, SASLMechanism("")},
		{"Metadata.Retry.Max", c.Metadata.Retry.Max, 3},
		{"Metadata.Retry.Backoff", c.Metadata.Retry.Backoff, 250 * time.Millisecond},
		{"Metadata.RefreshFrequency", c.Metadata.RefreshFrequency, 10 * time.Minute},
		{"Metadata.Full", c.Metadata.Full, true},
		{"Metadata.Timeout", c.Metadata.Timeout, time.Duration(0)},
		{"Metadata.AllowAutoTopicCreation", c.Metadata.AllowAutoTopicCreation, true},
		{"Metadata.SingleFlight", c.Metadata.SingleFlight, true},
		{"Metadata.RecoveryStrategy", c.Metadata.RecoveryStrategy, MetadataRecoveryRebootstrap},
		{"Metadata.RebootstrapTrigger", c.Metadata.RebootstrapTrigger, 5 * time.Minute},
		{"ExponentialBackoff.Enable", c.ExponentialBackoff.Enable, false},
		{"ExponentialBackoff.Max", c.ExponentialBackoff.Max, time.Second},
		{"Producer.MaxMessageBytes", c.Producer.MaxMessageBytes, 1048576},
		{"Producer.RequiredAcks", c.Producer.RequiredAcks, WaitForLocal},
		{"Producer.Timeout", c.Producer.Timeout, 10 * time.Second},
		{"Producer.Compression", c.Producer.Compression, CompressionNone},
		{"Producer.CompressionLevel", c.Producer.CompressionLevel, -1000},
		{"Producer.Transaction.Timeout", c.Producer.Transaction.Timeout, time.Minute},
		{"Producer.Transaction.Retry.Max", c.Producer.Transaction.Retry.Max, 50},
		{"Producer.Transaction.Retry.Backoff", c.Producer.Transaction.Retry.Backoff, 100 * time.Millisecond},
		{"Producer.Return.Successes", c.Producer.Return.Successes, false},
		{"Producer.Return.Errors", c.Producer.Return.Errors, true},
		{"Producer.Retry.Max", c.Producer.Retry.Max, 3},
		{"Producer.Retry.Backoff", c.Producer.Retry.Backoff, 100 * time.Millisecond},
		{"Producer.MaxBufferedBytes", c.Producer.MaxBufferedBytes, int64(64 << 20)},
		{"Consumer.Group.Session.Timeout", c.Consumer.Group.Session.Timeout, 10 * time.Second},
		{"Consumer.Group.Heartbeat.Interval", c.Consumer.Group.Heartbeat.Interval, 3 * time.Second},
		{"Consumer.Group.Rebalance.Timeout", c.Consumer.Group.Rebalance.Timeout, time.Minute},
		{"Consumer.Group.Rebalance.Retry.Max", c.Consumer.Group.Rebalance.Retry.Max, 4},
		{"Consumer.Group.Rebalance.Retry.Backoff", c.Consumer.Group.Rebalance.Retry.Backoff, 2 * time.Second},
		{"Consumer.Group.ResetInvalidOffsets", c.Consumer.Group.ResetInvalidOffsets, true},
		{"Consumer.Retry.Backoff", c.Consumer.Retry.Backoff, 2 * time.Second},
		{"Consumer.Retry.Max", c.Consumer.Retry.Max, 0},
		{"Consumer.Fetch.Min", c.Consumer.Fetch.Min, int32(1)},
		{"Consumer.Fetch.Default", c.Consumer.Fetch.Default, int32(1 << 20)},
		{"Consumer.Fetch.Max", c.Consumer.Fetch.Max, int32(0)},
		{"Consumer.Fetch.MaxBytes", c.Consumer.Fetch.MaxBytes, int32(50 << 20)},
		{"Consumer.MaxWaitTime", c.Consumer.MaxWaitTime, 500 * time.Millisecond},
		{"Consumer.MaxProcessingTime", c.Consumer.MaxProcessingTime, 100 * time.Millisecond},
		{"Consumer.Return.Errors", c.Consumer.Return.Errors, false},
		{"Consumer.Offsets.AutoCommit.Enable", c.Consumer.Offsets.AutoCommit.Enable, true},
		{"Consumer.Offsets.AutoCommit.Interval", c.Consumer.Offsets.AutoCommit.Interval, time.Second},
		{"Consumer.Offsets.Initial", c.Consumer.Offsets.Initial, OffsetNewest},
		{"Consumer.Offsets.Reset", c.Consumer.Offsets.Reset, OffsetResetNone},
		{"Consumer.Offsets.Retry.Max", c.Consumer.Offsets.Retry.Max, 3},
		{"Consumer.IsolationLevel", c.Consumer.IsolationLevel, ReadUncommitted},
		{"ClientID", c.ClientID, "sarama"},
		{"RackID", c.RackID, ""},
		{"ChannelBufferSize", c.ChannelBufferSize, 256},
		{"ApiVersionsRequest", c.ApiVersionsRequest, true},
		{"Version", c.Version, V2_8_0_0},
	} {
		if d.got != d.want {
			t.Errorf("%s is %v, want %v", d.field, d.got, d.want)
		}
	}
	if s := c.Consumer.Group.Rebalance.GroupStrategies; len(s) != 1 || s[0].Name() != "range" {
		t.Errorf("GroupStrategies is %v", s)
	}
	if c.Producer.Partitioner == nil || c.MetricRegistry == nil || c.MetricRegistry == NewConfig().MetricRegistry {
		t.Error("there is no partitioner, or no registry of its own")
	}
}

func TestLowLimitsAreRaised(t *testing.T) {
	c := NewConfig()
	for _, x := range []struct{ set, want int64 }{{0, 64 << 20}, {1, 2 << 20}, {3 << 20, 3 << 20}} {
		c.Producer.MaxBufferedBytes = x.set
		if got := c.producerBudgetBytes(); got != x.want {
			t.Errorf("budget %d becomes %d, want %d", x.set, got, x.want)
		}
	}
	for _, x := range []struct {
		length, wantLength int
		bytes, wantBytes   int64
	}{
		{0, 0, 0, 0},
		{-1, 0, -1, 0},
		{1, 4096, 1, 32 << 20},
		{4097, 4097, 33 << 20, 33 << 20},
	} {
		c.Producer.Retry.MaxBufferLength, c.Producer.Retry.MaxBufferBytes = x.length, x.bytes
		if length, bytes := c.retryBufferLimits(); length != x.wantLength || bytes != x.wantBytes {
			t.Errorf("%d, %d become %d, %d", x.length, x.bytes, length, bytes)
		}
	}
}

func TestSyncProducerNeedsBothResults(t *testing.T) {
	for _, x := range []struct {
		successes, errors bool
		want              string
	}{{true, true, ""}, {true, false, "Producer.Return.Errors"}, {false, true, "Producer.Return.Successes"}} {
		c := NewConfig()
		c.Producer.Return.Successes, c.Producer.Return.Errors = x.successes, x.errors
		err := verifyProducerConfig(c)
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v: %v", x, err)
		}
	}
}
