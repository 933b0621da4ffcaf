package sarama

import (
	"encoding"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// textEnum is what the enumerations of access rules have in common.
type textEnum interface {
	fmt.Stringer
	encoding.TextMarshaler
	encoding.TextUnmarshaler
}

func TestAclValuesHaveTextForms(t *testing.T) {
	for _, c := range []struct {
		what  string
		of    func(n int) textEnum
		names string
	}{
		{"operation", func(n int) textEnum { v := AclOperation(n); return &v },
			"Unknown Any All Read Write Create Delete Alter Describe ClusterAction DescribeConfigs AlterConfigs IdempotentWrite " +
				"CreateTokens DescribeTokens TwoPhaseCommit"},
		{"permission", func(n int) textEnum { v := AclPermissionType(n); return &v }, "Unknown Any Deny Allow"},
		{"resource", func(n int) textEnum { v := AclResourceType(n); return &v },
			"Unknown Any Topic Group Cluster TransactionalID DelegationToken User"},
		{"resource pattern", func(n int) textEnum { v := AclResourcePatternType(n); return &v },
			"Unknown Any Match Literal Prefixed"},
	} {
		names := strings.Fields(c.names)
		for n, name := range names {
			v := c.of(n)
			text, err := v.MarshalText()
			if v.String() != name || string(text) != name || err != nil {
				t.Errorf("%s %d is %s and %s, %v, want %s", c.what, n, v, text, err, name)
			}
			for _, text := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
				back := c.of(1)
				if err := back.UnmarshalText([]byte(text)); err != nil || back.String() != name {
					t.Errorf("%s %q reads as %s, %v", c.what, text, back, err)
				}
			}
		}
		for _, n := range []int{-1, len(names), 1 << 20} {
			if text, err := c.of(n).MarshalText(); c.of(n).String() != "Unknown" || string(text) != "Unknown" || err != nil {
				t.Errorf("%s %d is %s and %s, %v", c.what, n, c.of(n), text, err)
			}
		}
		for _, text := range []string{"", " Any", "Transactional_ID", "NONSENSE"} {
			v := c.of(1)
			err := v.UnmarshalText([]byte(text))
			want := "no acl " + c.what + " with name " + strings.ToLower(text)
			if err == nil || err.Error() != want || v.String() != "Unknown" {
				t.Errorf("%s %q: %s, %v, want the error %q", c.what, text, v, err, want)
			}
		}
	}
	rule := AclCreation{Resource{AclResourceTopic, "t", AclPatternPrefixed}, Acl{"User:alice", "*", AclOperationRead, AclPermissionDeny}}
	text, err := json.Marshal(&rule)
	var back AclCreation
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil || back != rule || !strings.Contains(string(text), `"Prefixed"`) {
		t.Errorf("as JSON: %s, %v, read as %+v", text, err, back)
	}
}

func TestConfigSourceString(t *testing.T) {
	for n, want := range map[ConfigSource]string{
		SourceUnknown: "Unknown", SourceTopic: "Topic", SourceDynamicBroker: "DynamicBroker", SourceDynamicDefaultBroker: "DynamicDefaultBroker",
		SourceStaticBroker: "StaticBroker", SourceDefault: "Default", SourceDynamicBrokerLogger: "DynamicBrokerLogger",
		SourceClientMetrics: "ClientMetrics", SourceGroup: "Group", 9: "Source Invalid: 9", -1: "Source Invalid: -1", 127: "Source Invalid: 127",
	} {
		if n.String() != want {
			t.Errorf("%d is %s, want %s", int8(n), n, want)
		}
	}
}

func TestScramMechanismTypeString(t *testing.T) {
	for n, want := range map[ScramMechanismType]string{
		SCRAM_MECHANISM_SHA_256: "SCRAM-SHA-256", SCRAM_MECHANISM_SHA_512: "SCRAM-SHA-512", SCRAM_MECHANISM_UNKNOWN: "Unknown", 3: "Unknown", -1: "Unknown",
	} {
		if n.String() != want {
			t.Errorf("%d is %s, want %s", int8(n), n, want)
		}
	}
}
