package sarama

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// readTSV returns the fields of the lines of a file in testdata that are
// neither empty nor comments.
func readTSV(t *testing.T, name string, fields int) [][]string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		row := strings.Split(line, "\t")
		if len(row) != fields {
			t.Fatalf("%s: %q has %d fields, want %d", name, line, len(row), fields)
		}
		rows = append(rows, row)
	}
	return rows
}

// declaredKErrors reads identifier, code and the name in the comment out of
// kerror.go, so that a test can hold the identifiers against a list.
func declaredKErrors(t *testing.T) (codes map[string]int, kafkaNames map[int]string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "kerror.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	codes, kafkaNames = map[string]int{}, map[int]string{}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.CONST {
			continue
		}
		for _, spec := range gen.Specs {
			value := spec.(*ast.ValueSpec)
			code := 0
			switch x := value.Values[0].(type) {
			case *ast.BasicLit:
				code, err = strconv.Atoi(x.Value)
			case *ast.UnaryExpr:
				code, err = strconv.Atoi(x.X.(*ast.BasicLit).Value)
				code = -code
			}
			if err != nil {
				t.Fatal(err)
			}
			codes[value.Names[0].Name] = code
			kafkaNames[code] = strings.TrimSpace(value.Comment.Text())
		}
	}
	return codes, kafkaNames
}

var sentinels = map[string]error{
	"ErrAddPartitionsToTxn":           ErrAddPartitionsToTxn,
	"ErrAlreadyConnected":             ErrAlreadyConnected,
	"ErrBrokerNotFound":               ErrBrokerNotFound,
	"ErrCannotTransitionNilError":     ErrCannotTransitionNilError,
	"ErrClosedClient":                 ErrClosedClient,
	"ErrClosedConsumerGroup":          ErrClosedConsumerGroup,
	"ErrConsumerOffsetNotAdvanced":    ErrConsumerOffsetNotAdvanced,
	"ErrConsumerRetriesExhausted":     ErrConsumerRetriesExhausted,
	"ErrControllerNotAvailable":       ErrControllerNotAvailable,
	"ErrCreateACLs":                   ErrCreateACLs,
	"ErrDecompressedBatchTooLarge":    ErrDecompressedBatchTooLarge,
	"ErrDeleteRecords":                ErrDeleteRecords,
	"ErrIncompleteResponse":           ErrIncompleteResponse,
	"ErrInsufficientData":             ErrInsufficientData,
	"ErrInvalidPartition":             ErrInvalidPartition,
	"ErrMessageTooLarge":              ErrMessageTooLarge,
	"ErrNoTopicsToUpdateMetadata":     ErrNoTopicsToUpdateMetadata,
	"ErrNonTransactedProducer":        ErrNonTransactedProducer,
	"ErrNotConnected":                 ErrNotConnected,
	"ErrOutOfBrokers":                 ErrOutOfBrokers,
	"ErrProducerRetryBufferOverflow":  ErrProducerRetryBufferOverflow,
	"ErrReassignPartitions":           ErrReassignPartitions,
	"ErrRebalanceTimedOut":            ErrRebalanceTimedOut,
	"ErrSessionConsumeClaimExited":    ErrSessionConsumeClaimExited,
	"ErrSessionHeartbeatFailed":       ErrSessionHeartbeatFailed,
	"ErrSessionPartitionCountChanged": ErrSessionPartitionCountChanged,
	"ErrShuttingDown":                 ErrShuttingDown,
	"ErrTransactionNotReady":          ErrTransactionNotReady,
	"ErrTransitionNotAllowed":         ErrTransitionNotAllowed,
	"ErrTxnOffsetCommit":              ErrTxnOffsetCommit,
	"ErrTxnUnableToParseResponse":     ErrTxnUnableToParseResponse,
	"ErrUnknownMessage":               ErrUnknownMessage,
	"ErrUnknownScramMechanism":        ErrUnknownScramMechanism,
}

func TestErrorTextsAreThoseOfSarama(t *testing.T) {
	codes, _ := declaredKErrors(t)
	kerrors, vars := 0, 0
	for _, row := range readTSV(t, "error_texts.tsv", 3) {
		name, code, text := row[0], row[1], row[2]
		if code == "-" {
			vars++
			err, ok := sentinels[name]
			if !ok || err.Error() != text {
				t.Errorf("%s: got %q, want %q", name, err, text)
			}
			continue
		}
		kerrors++
		n, err := strconv.Atoi(code)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := codes[name]; !ok || got != n {
			t.Errorf("%s is declared as %d (%v), want %d", name, got, ok, n)
		}
		if got := KError(n).Error(); got != text {
			t.Errorf("%s: got %q, want %q", name, got, text)
		}
	}
	if kerrors != 93 || vars != 33 || len(sentinels) != 33 {
		t.Errorf("compared %d codes and %d of %d sentinels", kerrors, vars, len(sentinels))
	}
}

func TestEveryCodeOfKafkaHasANameAndAText(t *testing.T) {
	_, names := declaredKErrors(t)
	seen := map[string]int{}
	rows := readTSV(t, "kafka_error_names.tsv", 2)
	for _, row := range rows {
		code, err := strconv.Atoi(row[0])
		if err != nil {
			t.Fatal(err)
		}
		if names[code] != row[1] {
			t.Errorf("code %d is called %q, want %q", code, names[code], row[1])
		}
		text := KError(code).Error()
		if !strings.HasPrefix(text, "kafka server: ") || len(text) < 25 {
			t.Errorf("code %d has the text %q", code, text)
		}
		if other, ok := seen[text]; ok {
			t.Errorf("codes %d and %d share the text %q", other, code, text)
		}
		seen[text] = code
	}
	if len(rows) != 135 || len(names) != 135 {
		t.Errorf("compared %d rows with %d constants", len(rows), len(names))
	}
}

func TestUnknownCodesPrintTheirNumber(t *testing.T) {
	for code, want := range map[KError]string{
		134:    "Unknown error, how did this happen? Error code = 134",
		-2:     "Unknown error, how did this happen? Error code = -2",
		-32768: "Unknown error, how did this happen? Error code = -32768",
		32767:  "Unknown error, how did this happen? Error code = 32767",
	} {
		if got := code.Error(); got != want {
			t.Errorf("code %d: got %q", int16(code), got)
		}
	}
}

func TestComposedErrorTexts(t *testing.T) {
	message, empty := "too many", ""
	code := ErrInvalidPartitions
	for _, c := range []struct {
		err  error
		want string
	}{
		{ConfigurationError("x is 3"), "kafka: invalid configuration (x is 3)"},
		{PacketEncodingError{Info: "a"}, "kafka: error encoding packet: a"},
		{PacketDecodingError{Info: "b"}, "kafka: error decoding packet: b"},
		{&TopicError{Err: code}, code.Error()},
		{&TopicError{Err: code, ErrMsg: &message}, code.Error() + " - too many"},
		{&TopicError{Err: code, ErrMsg: &empty}, code.Error() + " - "},
		{&TopicPartitionError{Err: code}, code.Error()},
		{&TopicPartitionError{Err: code, ErrMsg: &message}, code.Error() + " - too many"},
		{&DescribeConfigError{Err: code}, code.Error()},
		{&DescribeConfigError{Err: code, ErrMsg: message}, code.Error() + " - too many"},
		{&AlterConfigError{Err: code}, code.Error()},
		{&AlterConfigError{Err: code, ErrMsg: message}, code.Error() + " - too many"},
		{&ProducerError{Msg: &ProducerMessage{Topic: "t"}, Err: ErrShuttingDown}, "kafka: Failed to produce message to topic t: " + ErrShuttingDown.Error()},
		{ProducerError{Err: ErrShuttingDown}, "kafka: Failed to produce message to topic : " + ErrShuttingDown.Error()},
		{ProducerErrors{nil, nil}, "kafka: Failed to deliver 2 messages."},
		{&ConsumerError{Topic: "t", Partition: 3, Err: code}, "kafka: error while consuming t/3: " + code.Error()},
		{ConsumerErrors{nil}, "kafka: 1 errors while consuming"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%T: got %q, want %q", c.err, got, c.want)
		}
	}
}

func TestErrorsUnwrapToTheirCause(t *testing.T) {
	for _, err := range []error{
		&TopicError{Err: ErrUnknown},
		&TopicPartitionError{Err: ErrUnknown},
		&DescribeConfigError{Err: ErrUnknown},
		&AlterConfigError{Err: ErrUnknown},
		ProducerError{Err: ErrUnknown},
		&ProducerError{Err: ErrUnknown},
		ConsumerError{Err: ErrUnknown},
		&ConsumerError{Err: ErrUnknown},
	} {
		var code KError
		if !errors.Is(err, ErrUnknown) || !errors.As(err, &code) || code != ErrUnknown {
			t.Errorf("%T hides its cause", err)
		}
	}
	for _, err := range []error{ProducerErrors{{Err: ErrUnknown}}, ConsumerErrors{{Err: ErrUnknown}}} {
		if errors.Is(err, ErrUnknown) {
			t.Errorf("%T unwraps", err)
		}
	}
}

func TestWrap(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	var code KError

	err := error(Wrap(ErrOutOfBrokers))
	if err.Error() != ErrOutOfBrokers.Error() || !errors.Is(err, ErrOutOfBrokers) || errors.Unwrap(err) != nil {
		t.Errorf("without causes: %q", err)
	}
	if err := Wrap(ErrOutOfBrokers, nil, nil); err.Error() != ErrOutOfBrokers.Error() {
		t.Errorf("with nil causes: %q", err)
	}
	err = Wrap(ErrOutOfBrokers, a, nil, b)
	if want := ErrOutOfBrokers.Error() + ": a\nb"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	for _, target := range []error{ErrOutOfBrokers, a, b} {
		if !errors.Is(err, target) {
			t.Errorf("is not %v", target)
		}
	}
	if errors.Is(err, ErrClosedClient) {
		t.Error("is an error that it was not made of")
	}
	if errors.As(error(Wrap(ErrSASLAuthenticationFailed, a)), &code) {
		t.Error("the sentinel is found by As")
	}
	if !errors.As(error(Wrap(ErrOutOfBrokers, Wrap(ErrNotConnected, ErrUnknown))), &code) || code != ErrUnknown {
		t.Error("a nested cause is not found by As")
	}
	if !errors.Is(Wrap(ErrOutOfBrokers, Wrap(ErrNotConnected, a)), ErrNotConnected) {
		t.Error("a nested sentinel is not found by Is")
	}
}

func TestMultiErrorFormat(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	for _, c := range []struct {
		errs []error
		want string
	}{
		{nil, "0 errors occurred:\n\t\n"},
		{[]error{a}, "a"},
		{[]error{a, b}, "2 errors occurred:\n\t* a\n\t* b\n"},
	} {
		if got := MultiErrorFormat(c.errs); got != c.want {
			t.Errorf("%v: got %q, want %q", c.errs, got, c.want)
		}
	}
}
