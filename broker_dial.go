package sarama

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// versionRanges are the versions that a broker takes of each API; immutable.
type versionRanges [keyMax + 1]struct {
	known    bool
	min, max int16
}

// features are levels that a whole cluster works at (KIP-584).
type features struct {
	epoch       int64 // of these levels, higher for later ones; -1: not known
	transaction int16 // transaction.version, 0 for none
}

// transactionFeature is the feature that says how transactions work (KIP-890).
const transactionFeature = "transaction.version"

func featuresOf(resp *ApiVersionsResponse) features {
	f := features{epoch: resp.FinalizedFeaturesEpoch}
	for _, level := range resp.FinalizedFeatures {
		if level.Name == transactionFeature {
			f.transaction = level.MaxVersionLevel
		}
	}
	return f
}

// clamp lowers the version of a request to the highest that the broker takes.
func (l *link) clamp(req body) error {
	a, version := req.meta()
	if l.versions == nil || a == apiApiVersions {
		return nil
	}
	r := l.versions[a.key]
	switch {
	case !r.known:
		return fmt.Errorf("broker %s does not have %s: %w", l.broker.name(), a.name, ErrUnsupportedVersion)
	case *version < r.min:
		return fmt.Errorf("broker %s takes %s versions %d to %d, not %d, the highest that Config.Version allows: %w",
			l.broker.name(), a.name, r.min, r.max, *version, ErrUnsupportedVersion)
	case *version > r.max:
		setVersion(req, r.max)
	}
	return nil
}

// says reports whether the broker has said which versions of an API it takes.
func (l *link) says(a *api) bool { return l.versions != nil && l.versions[a.key].known }

// newest is the highest version that Config.Version allows and the broker has
// said that it takes; where it has said nothing, that of clients that ask
// nothing.
func (l *link) newest(a *api) int16 {
	if !l.says(a) {
		return a.versionFor(l.conf.Version)
	}
	return min(a.versionUpTo(a.max(), l.conf.Version), l.versions[a.key].max)
}

// connect dials and shakes hands, all of it under Net.DialTimeout but for the
// time that the broker takes to answer, which Net.ReadTimeout bounds.
func (l *link) connect(ctx context.Context) error {
	conn := l.dialled
	if conn == nil {
		var err error
		if conn, err = l.broker.connection(ctx, l.conf); err != nil {
			return err
		}
	}
	raw := conn
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() }) // fail closes the connection only once it is ready
	defer stop()
	err := l.shakeHands(ctx, &conn)
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		if ctx.Err() == nil {
			l.broker.connectFailed()
		}
		_ = conn.Close()
		return err
	}
	l.conn, l.raw = conn, raw
	return nil
}

func (l *link) shakeHands(ctx context.Context, conn *net.Conn) error {
	if l.conf.Net.TLS.Enable {
		t, err := l.startTLS(ctx, *conn)
		if err != nil {
			return err
		}
		*conn = t
	}
	if l.conf.ApiVersionsRequest {
		if err := l.askVersions(*conn); err != nil {
			return err
		}
	}
	if l.conf.Net.SASL.Enable {
		return l.authenticate(ctx, *conn)
	}
	return nil
}

// exchange sends one request and reads its response, before the link is ready.
func (l *link) exchange(conn net.Conn, req, resp body) error {
	frame, err := l.exchangeFrame(conn, req)
	if err != nil {
		return err
	}
	_, version := req.meta()
	return readBody(frame, resp, *version)
}

func (l *link) exchangeFrame(conn net.Conn, req body) ([]byte, error) {
	if err := l.encode(req); err != nil {
		return nil, err
	}
	l.unheard = false
	size, err := l.write(conn)
	if err != nil {
		err = refusal(conn, err)
		return nil, fmt.Errorf("%w%s", err, l.firstHint(err))
	}
	l.unheard = true
	a, version := req.meta()
	p := &promise{api: a, version: *version, correlation: l.correlation, sentAt: time.Now(), keep: true}
	l.sent(p, req, size)
	l.correlation++
	frame, err := l.readExchange(conn, p)
	l.metrics.requestsInFlight.add(-1)
	return frame, err
}

func (l *link) readExchange(conn net.Conn, p *promise) ([]byte, error) {
	_ = conn.SetReadDeadline(time.Now().Add(l.conf.Net.ReadTimeout))
	defer func() { _ = conn.SetReadDeadline(time.Time{}) }()
	r := &listener{conn, &l.unheard}
	n, correlation, err := readFrameStart(r)
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, l.firstHint(err))
	}
	l.proven = true
	return l.readFrame(r, p, n, correlation, nil)
}

// listener notes that something was heard on a connection.
type listener struct {
	conn    net.Conn
	unheard *bool
}

func (r *listener) Read(b []byte) (int, error) {
	n, err := r.conn.Read(b)
	*r.unheard = *r.unheard && n == 0
	return n, err
}

// askVersions asks the broker which versions it takes. A broker that knows the
// API but not the version says so, with the versions that it knows (KIP-511);
// one that does not answer is used without limits.
func (l *link) askVersions(conn net.Conn) error {
	version := apiApiVersions.versionFor(l.conf.Version)
	if version < 3 {
		version = 3
	}
	for attempt := range 2 {
		req := &ApiVersionsRequest{Version: version, ClientSoftwareName: "sarama", ClientSoftwareVersion: moduleVersion()}
		if name := l.conf.ClientSoftwareName; name != "" {
			req.ClientSoftwareName, req.ClientSoftwareVersion = name, cmp.Or(l.conf.ClientSoftwareVersion, req.ClientSoftwareVersion)
		}
		resp, err := l.exchangeVersions(conn, req)
		if err == nil && resp.ErrorCode == int16(ErrNoError) {
			l.versions, l.features = rangesOf(resp.ApiKeys), featuresOf(resp)
			return nil
		}
		if err != nil {
			if netErr := net.Error(nil); l.unheard && errors.As(err, &netErr) && netErr.Timeout() {
				Logger.Printf("broker/%d ApiVersions: no answer from %s, going on without version limits: %v\n", l.broker.id, l.broker.addr, err)
				l.abandoned = true
				return nil
			}
			hint := ""
			if errors.Is(err, io.EOF) {
				hint = " (brokers before 0.10 hang up on it, unless Config.ApiVersionsRequest is off)"
			}
			return fmt.Errorf("kafka: asking broker %s for its API versions: %w%s", l.broker.name(), err, hint)
		}
		Logger.Printf("Error in ApiVersionsResponse V%d from %s: %v\n", version, l.broker.addr, KError(resp.ErrorCode))
		if attempt == 0 {
			version = versionOffered(resp.ApiKeys)
		}
	}
	return nil
}

// exchangeVersions is exchange for ApiVersions: whatever its version, a
// response with an error may have the form of version 0.
func (l *link) exchangeVersions(conn net.Conn, req *ApiVersionsRequest) (*ApiVersionsResponse, error) {
	frame, err := l.exchangeFrame(conn, req)
	if err != nil {
		return nil, err
	}
	version := req.Version
	if len(frame) >= 2 && binary.BigEndian.Uint16(frame) != 0 {
		version = 0
	}
	resp := new(ApiVersionsResponse)
	err = readBody(frame, resp, version)
	return resp, err
}

// versionOffered is the version of ApiVersions to try after a refusal.
func versionOffered(keys []ApiVersionsResponseKey) int16 {
	for _, k := range keys {
		if k.ApiKey == keyApiVersions {
			return max(0, min(k.MaxVersion, apiApiVersions.max()))
		}
	}
	return 0
}

func rangesOf(keys []ApiVersionsResponseKey) *versionRanges {
	if len(keys) == 0 {
		return nil
	}
	ranges := new(versionRanges)
	for _, k := range keys {
		if k.ApiKey >= 0 && k.ApiKey <= keyMax {
			r := &ranges[k.ApiKey]
			r.known, r.min, r.max = true, k.MinVersion, k.MaxVersion
		}
	}
	return ranges
}

// moduleVersion is the version of this module in the running program, as
// brokers are told it (KIP-511).
var moduleVersion = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return softwareVersion(info)
	}
	return unknownVersion
})

const unknownVersion = "dev"

// softwareVersion is the version of this module that a program was built with.
// Brokers refuse what does not match clientSoftwarePattern, so that build
// metadata ("+incompatible") and "(devel)" are put otherwise.
func softwareVersion(info *debug.BuildInfo) string {
	for _, dep := range info.Deps {
		if dep.Path != "github.com/IBM/sarama" || dep.Replace != nil {
			continue
		}
		version := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
				return r
			}
			return '-'
		}, dep.Version)
		if version = strings.Trim(version, "-."); version != "" && version != "devel" {
			return version
		}
	}
	return unknownVersion
}
