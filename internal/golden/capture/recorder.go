package main

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// exchange is a request and its response, if there was one.
type exchange struct {
	key, version    int16
	client, broker  string
	request, answer []byte
}

// stored is an exchange in a file.
type stored struct {
	Key, Version    int16
	Client, Broker  string
	Request, Answer []byte
}

// store writes all exchanges to a file, for restore to select from once more.
func (r *recorder) store(path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]stored, len(r.exchanges))
	for i, x := range r.exchanges {
		all[i] = stored{x.key, x.version, x.client, x.broker, x.request, x.answer}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func (r *recorder) restore(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var all []stored
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range all {
		r.exchanges = append(r.exchanges, &exchange{x.Key, x.Version, x.Client, x.Broker, x.Request, x.Answer})
	}
	return nil
}

// recorder keeps all exchanges until the end.
type recorder struct {
	// mu guards
	mu             sync.Mutex
	client, broker string // who is talking now
	exchanges      []*exchange
}

func (r *recorder) setClient(name string) {
	r.mu.Lock()
	r.client = name
	r.mu.Unlock()
}

func (r *recorder) setBroker(name string) {
	r.mu.Lock()
	r.broker = name
	r.mu.Unlock()
}

func (r *recorder) add(x *exchange) {
	r.mu.Lock()
	x.client, x.broker = r.client, r.broker
	r.exchanges = append(r.exchanges, x)
	r.mu.Unlock()
}

func (r *recorder) answer(x *exchange, frame []byte) {
	r.mu.Lock()
	x.answer = frame
	r.mu.Unlock()
}

// frame is one side of an exchange, ready to be written.
type frame struct {
	kind
	api     string
	origin  string
	body    []byte
	records []string // the sorts of batches in it
}

// kind is what is kept a few frames of: requests of one client to whichever
// broker, responses of one broker to whichever client, and responses with these
// errors whoever is at either end.
type kind struct {
	key, version int16
	request      bool
	sender, note string
}

// selectFrames leaves out what another program cannot read, what is too large,
// and what is like other frames. Of one kind it keeps at most each, of sizes that
// lie far apart, and one if the kind has errors or another client or broker has
// sent the like. Of those with records it keeps as many as it takes to have every
// sort of batch.
func (r *recorder) selectFrames(maxBytes, each int) []frame {
	r.mu.Lock()
	defer r.mu.Unlock()
	kinds := map[kind][]frame{}
	var order []kind
	for _, x := range r.exchanges {
		for _, f := range x.frames() {
			if kinds[f.kind] == nil {
				order = append(order, f.kind)
			}
			kinds[f.kind] = append(kinds[f.kind], f)
		}
	}
	var frames []frame
	others := map[kind]bool{}
	for _, k := range order {
		n := each
		anySender := k
		anySender.sender = ""
		if k.note != "" || others[anySender] {
			n = 1
		}
		others[anySender] = true
		with, without := split(kinds[k])
		frames = append(frames, covering(with)...)
		if len(with) == 0 || len(without) > 0 {
			frames = append(frames, apart(small(without, maxBytes), n)...)
		}
	}
	slices.SortStableFunc(frames, func(a, b frame) int {
		return cmp.Or(cmp.Compare(a.api, b.api), cmp.Compare(a.version, b.version), cmp.Compare(direction(a), direction(b)))
	})
	return frames
}

// direction orders requests before responses.
func direction(f frame) int {
	if f.request {
		return 0
	}
	return 1
}

// split separates the frames that have records from the others.
func split(frames []frame) (with, without []frame) {
	for _, f := range frames {
		if len(f.records) > 0 {
			with = append(with, f)
		} else {
			without = append(without, f)
		}
	}
	return with, without
}

// covering picks, from the smallest on, frames with a sort of batch that none
// before has.
func covering(frames []frame) []frame {
	slices.SortStableFunc(frames, func(a, b frame) int { return cmp.Compare(len(a.body), len(b.body)) })
	var picked []frame
	seen := map[string]bool{}
	for _, f := range frames {
		before := len(seen)
		for _, sort := range f.records {
			seen[sort] = true
		}
		if len(seen) > before {
			picked = append(picked, f)
		}
	}
	return picked
}

// small leaves out frames of more than maxBytes, but for the smallest one of all.
func small(frames []frame, maxBytes int) []frame {
	smallest := slices.MinFunc(frames, func(a, b frame) int { return cmp.Compare(len(a.body), len(b.body)) })
	frames = slices.DeleteFunc(frames, func(f frame) bool { return len(f.body) > maxBytes })
	if len(frames) > 0 {
		return frames
	}
	if len(smallest.body) > 2*maxBytes {
		log.Printf("large: %s v%d, %d bytes, %s", smallest.api, smallest.version, len(smallest.body), smallest.origin)
	}
	return []frame{smallest}
}

// apart picks at most n frames whose sizes are spread from smallest to largest.
// Frames of one kind and size differ in ids and times only, so one of them is
// enough.
func apart(frames []frame, n int) []frame {
	slices.SortStableFunc(frames, func(a, b frame) int { return cmp.Compare(len(a.body), len(b.body)) })
	frames = slices.CompactFunc(frames, func(a, b frame) bool { return len(a.body) == len(b.body) })
	if len(frames) <= n {
		return frames
	}
	if n == 1 {
		return frames[:1]
	}
	picked := make([]frame, n)
	for i := range n {
		picked[i] = frames[i*(len(frames)-1)/(n-1)]
	}
	return picked
}

// frames are the sides of the exchange that are worth keeping. A request that
// the broker hung up on is not, nor is a response that kmsg cannot read.
func (x *exchange) frames() []frame {
	if x.isInternal() {
		return nil
	}
	api := apiName(x.key)
	request := frame{kind: kind{x.key, x.version, true, x.client, ""}, api: api,
		origin: x.client + " to " + x.broker, body: x.request, records: recordsOf(x.parseRequest())}
	if x.answer == nil {
		// Produce with acks=0 is the one that has no response.
		if r, ok := x.parseRequest().(*kmsg.ProduceRequest); ok && r.Acks == 0 {
			return []frame{request}
		}
		return nil
	}
	response := frame{kind: kind{x.key, x.version, false, x.broker, ""}, api: api,
		origin: x.broker + " to " + x.client, body: x.answer}
	resp := kmsg.ResponseForKey(x.key)
	if resp == nil {
		return nil
	}
	// To a version of ApiVersions that it does not know a broker answers in
	// version 0 (KIP-511).
	refused := x.key == int16(kmsg.ApiVersions) && x.version > resp.MaxVersion()
	if refused {
		response.version = 0
	}
	resp.SetVersion(response.version)
	if err := parseAnswer(resp, x.answer); err != nil {
		log.Printf("left out: %s v%d of %s: %v", api, x.version, response.origin, err)
		return nil
	}
	response.records = recordsOf(resp)
	if response.note = errorNames(resp); response.note != "" {
		response.origin += ": " + response.note
		response.sender = ""
	}
	if refused {
		return []frame{response}
	}
	return []frame{request, response}
}

// logClients lists the client ids that were seen, to check isInternal by.
func (r *recorder) logClients() {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]int{}
	for _, x := range r.exchanges {
		seen[fmt.Sprintf("%s as %q, internal: %t", x.client, clientID(x.request), x.isInternal())]++
	}
	for _, s := range slices.Sorted(maps.Keys(seen)) {
		log.Printf("%d requests of %s", seen[s], s)
	}
}

// isInternal tells whether the broker itself sent this: it knows no other address
// of its own than the proxy's.
func (x *exchange) isInternal() bool {
	id := clientID(x.request)
	return strings.HasPrefix(id, "broker-") || strings.HasPrefix(id, "AddPartitionsManager")
}

func clientID(request []byte) string {
	const fixed = 2 + 2 + 4
	if len(request) < fixed+2 {
		return ""
	}
	n := int(int16(binary.BigEndian.Uint16(request[fixed:])))
	if n < 0 || fixed+2+n > len(request) {
		return ""
	}
	return string(request[fixed+2:][:n])
}

// apiName is Kafka's own name of an API; kmsg spells some as Go does.
func apiName(key int16) string {
	switch kmsg.Key(key) {
	case kmsg.SASLHandshake:
		return "SaslHandshake"
	case kmsg.SASLAuthenticate:
		return "SaslAuthenticate"
	case kmsg.InitProducerID:
		return "InitProducerId"
	case kmsg.DescribeACLs:
		return "DescribeAcls"
	case kmsg.CreateACLs:
		return "CreateAcls"
	case kmsg.DeleteACLs:
		return "DeleteAcls"
	case kmsg.AlterPartitionAssignments:
		return "AlterPartitionReassignments"
	case kmsg.DescribeUserSCRAMCredentials:
		return "DescribeUserScramCredentials"
	case kmsg.AlterUserSCRAMCredentials:
		return "AlterUserScramCredentials"
	}
	return kmsg.NameForKey(key)
}

// parseRequest reads the request, nil if that cannot be done.
func (x *exchange) parseRequest() kmsg.Request {
	req := kmsg.RequestForKey(x.key)
	if req == nil {
		return nil
	}
	req.SetVersion(x.version)
	body, ok := cutRequestHeader(x.request, req.IsFlexible())
	if !ok || req.ReadFrom(body) != nil {
		return nil
	}
	return req
}

func cutRequestHeader(b []byte, flexible bool) ([]byte, bool) {
	const fixed = 2 + 2 + 4
	if len(b) < fixed+2 {
		return nil, false
	}
	id := int(int16(uint16(b[fixed])<<8 | uint16(b[fixed+1])))
	b = b[fixed+2:]
	if id > len(b) {
		return nil, false
	}
	b = b[max(id, 0):]
	if flexible {
		if len(b) == 0 || b[0] != 0 {
			return nil, false
		}
		b = b[1:]
	}
	return b, true
}

// parseAnswer reads a response frame.
func parseAnswer(resp kmsg.Response, b []byte) error {
	if len(b) < 4 {
		return fmt.Errorf("response of %d bytes", len(b))
	}
	b = b[4:]
	// The response header of ApiVersions never has tags, so that a client can
	// read it whatever the broker's version.
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) {
		if len(b) == 0 || b[0] != 0 {
			return fmt.Errorf("tags in the response header")
		}
		b = b[1:]
	}
	return resp.ReadFrom(b)
}

// errorNames are the names of the first few error codes in the response.
func errorNames(resp kmsg.Response) string {
	var names []string
	walkErrors(reflect.ValueOf(resp), func(code int16) {
		name := fmt.Sprint(code)
		if err := kerr.TypedErrorForCode(code); err != nil {
			name = err.Message
		}
		if !slices.Contains(names, name) && len(names) < 3 {
			names = append(names, name)
		}
	})
	return strings.Join(names, ", ")
}

func walkErrors(v reflect.Value, found func(int16)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walkErrors(v.Elem(), found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walkErrors(v.Index(i), found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, field := v.Type().Field(i).Name, v.Field(i)
			if strings.HasSuffix(name, "ErrorCode") && field.Kind() == reflect.Int16 {
				if field.Int() != 0 {
					found(int16(field.Int()))
				}
			} else if v.Type().Field(i).IsExported() {
				walkErrors(field, found)
			}
		}
	}
}
