package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// wire sends every request in every version that upstream has through Broker,
// to a server that prints the bytes and answers with what a real broker once
// has; what Broker makes of that is printed.
func wire() {
	server, err := newRecorded(os.Getenv("GOLDEN"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for _, e := range exchanges() {
		for version := range e.max + 1 {
			server.exchange(e, version)
		}
	}
	server.listener.Close()
}

// exchange is one API as Broker has it.
type exchange struct {
	name string
	max  int16
	send func(b *sarama.Broker, version int16) (any, error)
}

// recorded is a broker that answers with responses that were captured.
type recorded struct {
	listener  net.Listener
	responses map[[2]int16][]byte
	requests  chan []byte
}

func newRecorded(folder string) (*recorded, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("GOLDEN=%q has no frames: %v", folder, err)
	}
	r := &recorded{responses: make(map[[2]int16][]byte), requests: make(chan []byte, 100)}
	for _, name := range files {
		if err := r.load(name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if r.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := r.listener.Accept()
			if err != nil {
				return
			}
			go r.serve(conn)
		}
	}()
	return r, nil
}

// load reads the captured responses of one API; the first without a remark is
// taken, or the first.
func (r *recorded) load(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var key int16
	var at [2]int16
	var body []byte
	reading, plain := false, false
	quality := make(map[[2]int16]bool)
	done := func() {
		if _, ok := r.responses[at]; reading && (!ok || plain && !quality[at]) {
			r.responses[at], quality[at] = body, plain
		}
		reading, body = false, nil
	}
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		line := scanner.Text()
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "#"):
		case len(words) == 0:
			done()
		case words[0] == "api":
			n, err := strconv.ParseInt(words[2], 10, 16)
			if err != nil {
				return err
			}
			key = int16(n)
		case words[0] == "frame":
			done()
			n, err := strconv.ParseInt(words[1], 10, 16)
			if err != nil {
				return err
			}
			at = [2]int16{key, int16(n)}
			reading, plain = words[2] == "response", !strings.Contains(line, ":")
		default:
			part, err := hex.DecodeString(line)
			if err != nil {
				return err
			}
			body = append(body, part...)
		}
	}
	done()
	return scanner.Err()
}

func (r *recorded) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		key, version := int16(binary.BigEndian.Uint16(frame)), int16(binary.BigEndian.Uint16(frame[2:]))
		response := append([]byte(nil), r.responses[[2]int16{key, version}]...)
		if len(response) >= 4 {
			copy(response, frame[4:8])
		}
		clear(frame[4:8])
		r.requests <- frame
		if len(response) == 0 {
			return // nothing was captured: hang up
		}
		binary.BigEndian.PutUint32(size[:], uint32(len(response)))
		if _, err := conn.Write(append(size[:], response...)); err != nil {
			return
		}
	}
}

// exchange sends one request, on a connection of its own.
func (r *recorded) exchange(e exchange, version int16) {
	conf := sarama.NewConfig()
	conf.Version = sarama.MaxVersion
	conf.ApiVersionsRequest = false
	conf.Net.ReadTimeout = 5 * time.Second
	b := sarama.NewBroker(r.listener.Addr().String())
	if err := b.Open(conf); err != nil {
		say("%s v%d: %v", e.name, version, err)
		return
	}
	defer b.Close()
	what := fmt.Sprintf("%s v%d", e.name, version)
	response, err := e.send(b, version)
	for range len(r.requests) {
		say("%s sends %x", what, <-r.requests)
	}
	if err != nil {
		say("%s fails: %s", what, kind(err))
		return
	}
	show(what+" returns", response)
}

// kind tells what sort of error it is; the texts are compared elsewhere.
func kind(err error) string {
	var code sarama.KError
	var encoding sarama.PacketEncodingError
	var decoding sarama.PacketDecodingError
	switch {
	case errors.As(err, &code):
		return fmt.Sprintf("code %d", int16(code))
	case errors.As(err, &encoding):
		return "encoding"
	case errors.As(err, &decoding), errors.Is(err, sarama.ErrInsufficientData):
		return "decoding"
	case errors.Is(err, io.EOF), errors.Is(err, sarama.ErrNotConnected):
		return "the connection is lost"
	}
	return err.Error()
}
