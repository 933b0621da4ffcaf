package sarama_test

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestSecretsAreFoundHoweverTheyArePrinted(t *testing.T) {
	for _, text := range []string{"simple-text-4711", "pässwörd-日本-𝄞-4711", "a&b%c=d e/f-4711"} {
		secret := watchSecret(text)
		inJSON, err := json.Marshal([]byte(secret))
		mustTxn(t, "JSON", err)
		type credentials struct {
			Name     string
			Password []byte
		}
		c := credentials{"me", []byte(secret)}
		for _, told := range []string{
			"password=" + secret, fmt.Sprintf("%+q", secret), fmt.Sprintf("%v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%x", secret), string(inJSON),
		} {
			if !hasSecret(told) {
				t.Errorf("%q is not seen in %s", secret, told)
			}
		}
		if hasSecret(secret[:len(secret)-1]) || hasSecret("") {
			t.Errorf("%q is seen where it is not", secret)
		}
	}
}
