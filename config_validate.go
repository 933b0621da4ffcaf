package sarama

import (
	"crypto/tls"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"
)

// clientIDPattern is what brokers before 1.0 take for a client id.
var clientIDPattern = regexp.MustCompile(`\A[A-Za-z0-9._-]+\z`)

// clientSoftwarePattern is what brokers take for name and version of a client's
// software (KIP-511).
var clientSoftwarePattern = regexp.MustCompile(`\A[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?\z`)

// maxIdempotentRequests is for how many requests a broker remembers the
// sequence numbers of a partition, and so how many an idempotent producer may
// have in flight without losing track of what is a duplicate.
const maxIdempotentRequests = 5

// Validate checks all fields and returns the first fault as a
// ConfigurationError. What is allowed but likely a mistake is logged. Where SASL
// is on and names no mechanism, PLAIN is set; nothing else is changed.
//
// There is no need to call it: whatever takes a Config does.
func (c *Config) Validate() error {
	c.warn()
	for _, check := range []func() error{
		c.validateAdmin,
		c.validateNet,
		c.validateMetadata,
		c.validateProducer,
		c.validateProducerVersion,
		c.validateIdempotence,
		c.validateConsumer,
		c.validateGroup,
		c.validateInstanceID,
		c.validateClient,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func configErrorf(format string, args ...any) error {
	return ConfigurationError(fmt.Sprintf(format, args...))
}

// number is what the limits of a Config are made of.
type number interface {
	~int | ~int16 | ~int32 | ~int64
}

func mustBeAbove[N number](least N, field string, value N) error {
	if value > least {
		return nil
	}
	return configErrorf("%s is %v, but must be > %v", field, value, least)
}

func mustBeAtLeast[N number](least N, field string, value N) error {
	if value >= least {
		return nil
	}
	return configErrorf("%s is %v, but must be >= %v", field, value, least)
}

// firstError returns the first of errs that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// warn logs the settings that are valid and yet hardly meant.
func (c *Config) warn() {
	c.warnTLS()
	if !c.Net.SASL.Enable {
		if c.Net.SASL.User != "" {
			Logger.Println("Net.SASL.User is set, but Net.SASL.Enable is false: there is no authentication.")
		}
		if c.Net.SASL.Password != "" {
			Logger.Println("Net.SASL.Password is set, but Net.SASL.Enable is false: there is no authentication.")
		}
	}
	c.warnProducer()
	c.warnConsumer()
	if c.ClientID == defaultClientID {
		Logger.Println("ClientID is the default, 'sarama': a name of its own tells the program apart on the brokers.")
	}
}

func (c *Config) warnTLS() {
	t := &c.Net.TLS
	if !t.Enable && t.Config != nil {
		Logger.Println("Net.TLS.Config is set, but Net.TLS.Enable is false: connections are not encrypted.")
	}
	if !t.Enable && t.ConfigFunc != nil {
		Logger.Println("Net.TLS.ConfigFunc is set, but Net.TLS.Enable is false: connections are not encrypted.")
	}
	if t.Enable && t.Config != nil && t.Config.MinVersion != 0 && t.Config.MinVersion < tls.VersionTLS12 {
		Logger.Printf("Net.TLS.Config.MinVersion is %s: versions below TLS 1.2 are not safe (RFC 8996).\n", tls.VersionName(t.Config.MinVersion))
	}
}

func (c *Config) warnProducer() {
	p := &c.Producer
	if p.RequiredAcks > 1 {
		Logger.Println("Producer.RequiredAcks > 1 is refused by brokers from 0.9 on.")
	}
	if p.MaxMessageBytes >= int(MaxRequestSize) {
		Logger.Println("Producer.MaxMessageBytes is not below MaxRequestSize: messages of that size cannot be sent.")
	}
	if p.Flush.Bytes >= int(MaxRequestSize) {
		Logger.Println("Producer.Flush.Bytes is not below MaxRequestSize: a request is full before.")
	}
	if (p.Flush.Bytes > 0 || p.Flush.Messages > 0) && p.Flush.Frequency == 0 {
		Logger.Println("Producer.Flush.Bytes or Messages is set without Frequency: messages may wait for ever for others to come.")
	}
	warnSubMillisecond("Producer.Timeout", p.Timeout)
}

func (c *Config) warnConsumer() {
	if c.Consumer.MaxWaitTime < 100*time.Millisecond {
		Logger.Println("Consumer.MaxWaitTime is below 100ms: brokers get many requests while there is nothing to fetch.")
	}
	warnSubMillisecond("Consumer.MaxWaitTime", c.Consumer.MaxWaitTime)
	warnSubMillisecond("Consumer.Offsets.Retention", c.Consumer.Offsets.Retention)
	warnSubMillisecond("Consumer.Group.Session.Timeout", c.Consumer.Group.Session.Timeout)
	warnSubMillisecond("Consumer.Group.Heartbeat.Interval", c.Consumer.Group.Heartbeat.Interval)
	warnSubMillisecond("Consumer.Group.Rebalance.Timeout", c.Consumer.Group.Rebalance.Timeout)
	if c.Consumer.Group.Rebalance.Strategy != nil {
		Logger.Println("Consumer.Group.Rebalance.Strategy is deprecated: use GroupStrategies, which it takes the place of.")
	}
	if c.Consumer.Offsets.CommitInterval != 0 {
		Logger.Println("Consumer.Offsets.CommitInterval is deprecated and has no effect: use AutoCommit.Interval.")
	}
}

func warnSubMillisecond(field string, d time.Duration) {
	if d%time.Millisecond != 0 {
		Logger.Printf("%s is %v: only whole milliseconds are sent.", field, d)
	}
}

func (c *Config) validateAdmin() error {
	return mustBeAbove(0, "Admin.Timeout", c.Admin.Timeout)
}

func (c *Config) validateNet() error {
	if err := firstError(
		mustBeAbove(0, "Net.MaxOpenRequests", c.Net.MaxOpenRequests),
		mustBeAbove(0, "Net.DialTimeout", c.Net.DialTimeout),
		mustBeAbove(0, "Net.ReadTimeout", c.Net.ReadTimeout),
		mustBeAbove(0, "Net.WriteTimeout", c.Net.WriteTimeout),
	); err != nil {
		return err
	}
	if c.Net.TLS.Config != nil && c.Net.TLS.ConfigFunc != nil {
		return ConfigurationError("Net.TLS.Config and Net.TLS.ConfigFunc are both set, but only one can be used")
	}
	return c.validateSASL()
}

func (c *Config) validateSASL() error {
	sasl := &c.Net.SASL
	if !sasl.Enable {
		return nil
	}
	if sasl.Mechanism == "" {
		sasl.Mechanism = SASLTypePlaintext
	}
	if sasl.Version == SASLHandshakeV0 && c.ApiVersionsRequest {
		return ConfigurationError("Net.SASL.Version is 0, for which ApiVersionsRequest must be false")
	}
	missing := func(field string) error {
		return configErrorf("Net.SASL.%s is not set, but the mechanism %s needs it", field, sasl.Mechanism)
	}
	switch sasl.Mechanism {
	case SASLTypePlaintext, SASLTypeSCRAMSHA256, SASLTypeSCRAMSHA512:
		if sasl.User == "" {
			return missing("User")
		}
		if sasl.Password == "" {
			return missing("Password")
		}
	case SASLTypeOAuth:
		if sasl.TokenProvider == nil {
			return missing("TokenProvider")
		}
	case SASLTypeGSSAPI:
		if field := sasl.GSSAPI.missingField(); field != "" {
			return missing("GSSAPI." + field)
		}
		if t := sasl.GSSAPI.AuthType; t < KRB5_USER_AUTH || t > KRB5_CCACHE_AUTH {
			return configErrorf("Net.SASL.GSSAPI.AuthType is %d, but must be KRB5_USER_AUTH (%d), KRB5_KEYTAB_AUTH (%d) or KRB5_CCACHE_AUTH (%d)",
				t, KRB5_USER_AUTH, KRB5_KEYTAB_AUTH, KRB5_CCACHE_AUTH)
		}
	default:
		return configErrorf("Net.SASL.Mechanism is %q, but must be one of %s, %s, %s, %s, %s", string(sasl.Mechanism),
			SASLTypePlaintext, SASLTypeSCRAMSHA256, SASLTypeSCRAMSHA512, SASLTypeOAuth, SASLTypeGSSAPI)
	}
	return nil
}

// missingField names the first field that the AuthType needs and that is not
// set, or returns "".
func (g *GSSAPIConfig) missingField() string {
	switch {
	case g.ServiceName == "":
		return "ServiceName"
	case g.AuthType == KRB5_USER_AUTH && g.Password == "":
		return "Password"
	case g.AuthType == KRB5_KEYTAB_AUTH && g.KeyTabPath == "":
		return "KeyTabPath"
	case g.AuthType == KRB5_CCACHE_AUTH && g.CCachePath == "":
		return "CCachePath"
	case g.KerberosConfigPath == "":
		return "KerberosConfigPath"
	case g.Username == "":
		return "Username"
	case g.Realm == "":
		return "Realm"
	}
	return ""
}

func (c *Config) validateMetadata() error {
	if s := c.Metadata.RecoveryStrategy; s != MetadataRecoveryRebootstrap && s != MetadataRecoveryNone {
		return configErrorf("Metadata.RecoveryStrategy is %d, but must be MetadataRecoveryRebootstrap (%d) or MetadataRecoveryNone (%d)",
			s, MetadataRecoveryRebootstrap, MetadataRecoveryNone)
	}
	return firstError(
		mustBeAtLeast(0, "Metadata.Retry.Max", c.Metadata.Retry.Max),
		mustBeAtLeast(0, "Metadata.Retry.Backoff", c.Metadata.Retry.Backoff),
		mustBeAtLeast(0, "Metadata.RefreshFrequency", c.Metadata.RefreshFrequency),
		mustBeAtLeast(0, "Metadata.RebootstrapTrigger", c.Metadata.RebootstrapTrigger),
	)
}

func (c *Config) validateProducer() error {
	p := &c.Producer
	if err := firstError(
		mustBeAbove(0, "Producer.MaxMessageBytes", p.MaxMessageBytes),
		mustBeAtLeast(-1, "Producer.RequiredAcks", p.RequiredAcks),
		mustBeAbove(0, "Producer.Timeout", p.Timeout),
		mustBeAtLeast(0, "Producer.Flush.Bytes", p.Flush.Bytes),
		mustBeAtLeast(0, "Producer.Flush.Messages", p.Flush.Messages),
		mustBeAtLeast(0, "Producer.Flush.Frequency", p.Flush.Frequency),
		mustBeAtLeast(0, "Producer.Flush.MaxMessages", p.Flush.MaxMessages),
		mustBeAtLeast(0, "Producer.Retry.Max", p.Retry.Max),
		mustBeAtLeast(0, "Producer.Retry.Backoff", p.Retry.Backoff),
		mustBeAtLeast(0, "Producer.DeliveryTimeout", p.DeliveryTimeout),
		mustBeAtLeast(0, "Producer.MaxBufferedBytes", p.MaxBufferedBytes),
	); err != nil {
		return err
	}
	if p.Partitioner == nil {
		return ConfigurationError("Producer.Partitioner is nil")
	}
	if p.Flush.MaxMessages > 0 && p.Flush.MaxMessages < p.Flush.Messages {
		return configErrorf("Producer.Flush.MaxMessages is %d, but must be >= Producer.Flush.Messages, which is %d",
			p.Flush.MaxMessages, p.Flush.Messages)
	}
	return nil
}

// validateProducerVersion checks the codec against the brokers' version, and
// the level against the codec.
func (c *Config) validateProducerVersion() error {
	p := &c.Producer
	switch p.Compression {
	case CompressionLZ4:
		return c.needsVersion(V0_10_0_0, "Producer.Compression", p.Compression)
	case CompressionZSTD:
		return c.needsVersion(V2_1_0_0, "Producer.Compression", p.Compression)
	case CompressionGZIP:
		if l := p.CompressionLevel; l != CompressionLevelDefault && (l < gzip.StatelessCompression || l > gzip.BestCompression) {
			return configErrorf("Producer.CompressionLevel is %d, but gzip has levels %d to %d", l, gzip.StatelessCompression, gzip.BestCompression)
		}
	}
	return nil
}

func (c *Config) needsVersion(least KafkaVersion, field string, value any) error {
	if c.Version.IsAtLeast(least) {
		return nil
	}
	return configErrorf("%s is %v, which needs a Version of at least %v, but Version is %v", field, value, least, c.Version)
}

func (c *Config) validateIdempotence() error {
	p := &c.Producer
	if !p.Idempotent {
		if p.Transaction.ID != "" {
			return configErrorf("Producer.Transaction.ID is %q, for which Producer.Idempotent must be true", p.Transaction.ID)
		}
		return nil
	}
	if err := c.needsVersion(V0_11_0_0, "Producer.Idempotent", true); err != nil {
		return err
	}
	if p.Retry.Max < 1 {
		return configErrorf("Producer.Retry.Max is %d, but must be >= 1 if Producer.Idempotent is true", p.Retry.Max)
	}
	if p.RequiredAcks != WaitForAll {
		return configErrorf("Producer.RequiredAcks is %d, but must be WaitForAll (%d) if Producer.Idempotent is true", p.RequiredAcks, WaitForAll)
	}
	if n := c.Net.MaxOpenRequests; n > maxIdempotentRequests {
		return configErrorf("Net.MaxOpenRequests is %d, but must be <= %d if Producer.Idempotent is true", n, maxIdempotentRequests)
	}
	return nil
}

func (c *Config) validateConsumer() error {
	s := &c.Consumer
	if err := firstError(
		mustBeAbove(0, "Consumer.Fetch.Min", s.Fetch.Min),
		mustBeAbove(0, "Consumer.Fetch.Default", s.Fetch.Default),
		mustBeAtLeast(0, "Consumer.Fetch.Max", s.Fetch.Max),
		mustBeAbove(0, "Consumer.Fetch.MaxBytes", s.Fetch.MaxBytes),
		mustBeAtLeast(time.Millisecond, "Consumer.MaxWaitTime", s.MaxWaitTime),
		mustBeAbove(0, "Consumer.MaxProcessingTime", s.MaxProcessingTime),
		mustBeAtLeast(0, "Consumer.Retry.Backoff", s.Retry.Backoff),
		mustBeAtLeast(0, "Consumer.Retry.Max", s.Retry.Max),
		mustBeAbove(0, "Consumer.Offsets.AutoCommit.Interval", s.Offsets.AutoCommit.Interval),
		mustBeAtLeast(0, "Consumer.Offsets.Retry.Max", s.Offsets.Retry.Max),
	); err != nil {
		return err
	}
	if s.Offsets.Initial != OffsetOldest && s.Offsets.Initial != OffsetNewest {
		return configErrorf("Consumer.Offsets.Initial is %d, but must be OffsetNewest (%d) or OffsetOldest (%d)",
			s.Offsets.Initial, OffsetNewest, OffsetOldest)
	}
	if s.Offsets.Reset < OffsetResetNone || s.Offsets.Reset > OffsetResetByAge {
		return configErrorf("Consumer.Offsets.Reset is %d, but must be one of the OffsetReset constants, %d to %d",
			s.Offsets.Reset, OffsetResetNone, OffsetResetByAge)
	}
	if s.Offsets.Reset == OffsetResetByAge && s.Offsets.ResetAge <= 0 {
		return configErrorf("Consumer.Offsets.ResetAge is %v, but must be > 0 if Consumer.Offsets.Reset is OffsetResetByAge", s.Offsets.ResetAge)
	}
	switch s.IsolationLevel {
	case ReadUncommitted:
		return nil
	case ReadCommitted:
		return c.needsVersion(V0_11_0_0, "Consumer.IsolationLevel", "ReadCommitted")
	}
	return configErrorf("Consumer.IsolationLevel is %d, but must be ReadUncommitted (%d) or ReadCommitted (%d)",
		s.IsolationLevel, ReadUncommitted, ReadCommitted)
}

func (c *Config) validateGroup() error {
	g := &c.Consumer.Group
	if err := firstError(
		mustBeAbove(2*time.Millisecond, "Consumer.Group.Session.Timeout", g.Session.Timeout),
		mustBeAtLeast(time.Millisecond, "Consumer.Group.Heartbeat.Interval", g.Heartbeat.Interval),
		mustBeAbove(time.Millisecond, "Consumer.Group.Rebalance.Timeout", g.Rebalance.Timeout),
		mustBeAtLeast(0, "Consumer.Group.Rebalance.Retry.Max", g.Rebalance.Retry.Max),
		mustBeAtLeast(0, "Consumer.Group.Rebalance.Retry.Backoff", g.Rebalance.Retry.Backoff),
		mustBeAtLeast(0, "Consumer.Group.HandlerTimeout", g.HandlerTimeout),
	); err != nil {
		return err
	}
	switch g.Protocol {
	case "", ConsumerGroupProtocolClassic:
	case ConsumerGroupProtocolConsumer:
		if err := c.needsVersion(V4_0_0_0, "Consumer.Group.Protocol", g.Protocol); err != nil {
			return err
		}
	default:
		return configErrorf("Consumer.Group.Protocol is %q, but must be %q or %q", g.Protocol, ConsumerGroupProtocolClassic, ConsumerGroupProtocolConsumer)
	}
	if g.Heartbeat.Interval >= g.Session.Timeout {
		return configErrorf("Consumer.Group.Heartbeat.Interval is %v, but must be < Consumer.Group.Session.Timeout, which is %v",
			g.Heartbeat.Interval, g.Session.Timeout)
	}
	for i, strategy := range g.Rebalance.GroupStrategies {
		if strategy == nil {
			return configErrorf("Consumer.Group.Rebalance.GroupStrategies[%d] is nil", i)
		}
	}
	strategies := c.groupStrategies()
	if len(strategies) == 0 {
		return ConfigurationError("Consumer.Group.Rebalance.GroupStrategies is empty")
	}
	protocol, err := commonRebalanceProtocol(strategies)
	if err != nil {
		return configErrorf("Consumer.Group.Rebalance.GroupStrategies: %v", err)
	}
	if protocol == RebalanceProtocolCooperative {
		return c.needsVersion(V2_4_0_0, "the rebalance protocol of Consumer.Group.Rebalance.GroupStrategies", protocol)
	}
	return nil
}

// groupStrategies are the strategies in force: the deprecated single one where
// it is set.
func (c *Config) groupStrategies() []BalanceStrategy {
	if strategy := c.Consumer.Group.Rebalance.Strategy; strategy != nil {
		return []BalanceStrategy{strategy}
	}
	return c.Consumer.Group.Rebalance.GroupStrategies
}

func (c *Config) validateInstanceID() error {
	id := c.Consumer.Group.InstanceId
	if id == "" {
		return nil
	}
	const field = "Consumer.Group.InstanceId"
	switch {
	case !c.Version.IsAtLeast(V2_3_0_0):
		return c.needsVersion(V2_3_0_0, field, strconv.Quote(id))
	case id == "." || id == "..":
		return configErrorf(`%s is %q, but must not be "." or ".."`, field, id)
	case len(id) > MAX_GROUP_INSTANCE_ID_LENGTH:
		return configErrorf("%s has %d bytes, but must have at most %d: %q", field, len(id), MAX_GROUP_INSTANCE_ID_LENGTH, id)
	case !GROUP_INSTANCE_ID_REGEXP.MatchString(id):
		return configErrorf("%s is %q, but may have only letters, digits, dots, underscores and hyphens", field, id)
	}
	return nil
}

func (c *Config) validateClient() error {
	if err := firstError(
		mustBeAtLeast(0, "ChannelBufferSize", c.ChannelBufferSize),
		mustBeAtLeast(0, "ExponentialBackoff.Max", c.ExponentialBackoff.Max),
		mustBeSoftware("ClientSoftwareName", c.ClientSoftwareName),
		mustBeSoftware("ClientSoftwareVersion", c.ClientSoftwareVersion),
	); err != nil {
		return err
	}
	// Newer brokers take any client id (KIP-190).
	if !c.Version.IsAtLeast(V1_0_0_0) && !clientIDPattern.MatchString(c.ClientID) {
		return configErrorf("ClientID is %q, but before 1.0 may have only letters, digits, dots, underscores and hyphens, and at least one", c.ClientID)
	}
	return nil
}

// mustBeSoftware checks what brokers are told of a client's software.
func mustBeSoftware(field, value string) error {
	if value == "" || clientSoftwarePattern.MatchString(value) {
		return nil
	}
	return configErrorf("%s is %q, but may have only letters, digits, dots and hyphens, and neither begin nor end with the latter two", field, value)
}

// verifyProducerConfig checks what a SyncProducer needs of config beyond
// Validate: both results of an AsyncProducer, as it answers its callers with
// them.
func verifyProducerConfig(config *Config) error {
	if !config.Producer.Return.Errors {
		return ConfigurationError("Producer.Return.Errors is false, but must be true for a SyncProducer")
	}
	if !config.Producer.Return.Successes {
		return ConfigurationError("Producer.Return.Successes is false, but must be true for a SyncProducer")
	}
	return nil
}
