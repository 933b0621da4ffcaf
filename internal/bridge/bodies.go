package bridge

// What package sarama fills in, for tests that hold its codec against another
// one.
var (
	// Bodies makes empty bodies of a key's requests or responses, one for each
	// type that the codec has: first the exported one of the table, then those
	// that stand beside it. None where the key is unknown.
	Bodies func(key int16, response bool) []any
	// ReadBody fills a body from what a frame has behind its header.
	ReadBody func(raw []byte, body any, version int16) error
	// AppendBody writes a body behind dst, at the version that it was read or
	// set with.
	AppendBody func(dst []byte, body any) ([]byte, error)
	// AppendRequest writes a request behind dst: size, header, body. Key and
	// version are the body's.
	AppendRequest func(dst []byte, h Header, body any) ([]byte, error)
)
