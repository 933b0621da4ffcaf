package sarama

import (
	"io"
	"log"
)

// StdLogger is what this package logs through. *log.Logger of the standard
// library is one.
type StdLogger interface {
	Print(v ...any)                 // as fmt.Print
	Printf(format string, v ...any) // as fmt.Printf
	Println(v ...any)               // as fmt.Println
}

// Global switches. They are read without synchronisation: set them before the
// first client is made.
var (
	// Logger gets what may interest who runs the program: connections, state
	// changes, retries, warnings. By default it is thrown away. Nothing is
	// logged for single messages that go well.
	Logger StdLogger = log.New(io.Discard, "[Sarama] ", log.LstdFlags)

	// DebugLogger gets details beyond that. By default they go to Logger.
	DebugLogger StdLogger = loggerOfLogger{}

	// PanicHandler is called with the value of a panic on a goroutine of this
	// package, which then ends. Nil, the default, lets the panic crash the
	// program. Recovering leaves the component of that goroutine in an unknown
	// state; the handler is for reporting.
	PanicHandler func(any)
)

// loggerOfLogger forwards to whatever Logger is at the time.
type loggerOfLogger struct{}

func (loggerOfLogger) Print(v ...any)                 { Logger.Print(v...) }
func (loggerOfLogger) Printf(format string, v ...any) { Logger.Printf(format, v...) }
func (loggerOfLogger) Println(v ...any)               { Logger.Println(v...) }

// withRecover runs fn, the body of a goroutine. Without a PanicHandler nothing
// is recovered, so that a crash shows the stack of the panic itself.
func withRecover(fn func()) {
	if handler := PanicHandler; handler != nil {
		defer func() {
			if r := recover(); r != nil {
				handler(r)
			}
		}()
	}
	fn()
}
