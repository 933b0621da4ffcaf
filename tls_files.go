package sarama

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// TLSFiles names PEM files with what a client needs for TLS. Where the files are
// replaced while the program runs, as by a tool that renews certificates, the
// next connection uses the new ones:
//
//	files := sarama.TLSFiles{CertFile: "client.crt", KeyFile: "client.key", CAFile: "ca.crt"}
//	config.Net.TLS.Enable = true
//	config.Net.TLS.ConfigFunc, err = files.Load()
type TLSFiles struct {
	// CertFile has the client's certificate, followed by those between it and
	// the authority; KeyFile its private key, which may be in the same file.
	// Both empty: the client has no certificate of its own, unless Base has.
	CertFile, KeyFile string
	// CAFile has the authorities that brokers' certificates are verified with.
	// Empty: Base.RootCAs or, without those, the system's.
	CAFile string
	// Base has everything else; nil is the default. It is copied. Where
	// CertFile is set, Base.Certificates and Base.GetClientCertificate are not
	// used. Where Base.ClientSessionCache is set, sessions are not resumed over
	// a change of the files: they would outlive it.
	Base *tls.Config
}

// Load reads the files and returns a function for Config.Net.TLS.ConfigFunc,
// which looks at each call whether their content has changed. Files that cannot
// be used then (half written, or a key that is not the certificate's) are
// logged, once, and the last good set is used on. An error of Load itself
// names the file; it is a ConfigurationError where only one of CertFile and
// KeyFile is set.
//
// The function may be called from many goroutines. It reads without a lock:
// calls do not wait for each other.
func (f TLSFiles) Load() (func() (*tls.Config, error), error) {
	if (f.CertFile == "") != (f.KeyFile == "") {
		return nil, configErrorf("TLSFiles.CertFile is %q and KeyFile is %q, but both or none must be set", f.CertFile, f.KeyFile)
	}
	f.Base = f.Base.Clone()
	if f.Base == nil {
		f.Base = new(tls.Config)
	}
	r := &tlsReloader{files: f}
	now, err := f.read()
	if err == nil {
		now.config, err = now.use(f)
	}
	if err != nil {
		return nil, err
	}
	r.now.Store(now)
	return r.config, nil
}

// tlsReloader keeps the last good set of the files.
type tlsReloader struct {
	// constant after Load
	files TLSFiles

	// atomic snapshots, any goroutine
	now     atomic.Pointer[tlsSet]
	refused atomic.Pointer[string] // what was logged of a bad set last; nil: there is none
}

// tlsSet is what was in the files at one time; immutable once stored.
type tlsSet struct {
	cert, key, ca []byte            // nil once config is made
	sum           [sha256.Size]byte // over all of them
	config        *tls.Config       // nil: not made yet
}

// config is the configuration for one connection, which is the caller's.
func (r *tlsReloader) config() (*tls.Config, error) {
	last := r.now.Load()
	set, err := r.files.read()
	if err == nil && set.sum != last.sum {
		set.config, err = set.use(r.files)
		if err == nil && set.config.ClientSessionCache != nil {
			set.config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		}
	} else if err == nil {
		set = last
	}
	if err != nil {
		r.logOnce(err)
		return last.config.Clone(), nil
	}
	r.refused.Store(nil)
	if set != last && r.now.CompareAndSwap(last, set) {
		Logger.Println("client/tls the certificate files have changed: connections from now on use the new ones")
	}
	return set.config.Clone(), nil
}

// logOnce logs why a set is not used, unless that was the last thing said.
func (r *tlsReloader) logOnce(err error) {
	text := err.Error()
	if before := r.refused.Swap(&text); before == nil || *before != text {
		Logger.Printf("client/tls the certificate files have changed and cannot be used, the ones before are: %v\n", err)
	}
}

// tlsFileMaxBytes is the most that is read of a file; the bundles of systems
// have a few hundred KiB.
const tlsFileMaxBytes = 16 << 20

// read reads the files.
func (f TLSFiles) read() (*tlsSet, error) {
	set := new(tlsSet)
	sum := sha256.New()
	for _, file := range []struct {
		name string
		into *[]byte
	}{{f.CertFile, &set.cert}, {f.KeyFile, &set.key}, {f.CAFile, &set.ca}} {
		if file.name == "" {
			continue
		}
		raw, err := readTLSFile(file.name)
		if err != nil {
			return nil, err
		}
		*file.into = raw
		own := sha256.Sum256(raw)
		_, _ = sum.Write(own[:]) // as its documentation says, it never fails
	}
	set.sum = [sha256.Size]byte(sum.Sum(nil))
	return set, nil
}

func readTLSFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("kafka: TLS files: %w", err)
	}
	defer func() { _ = file.Close() }()
	raw, err := io.ReadAll(io.LimitReader(file, tlsFileMaxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("kafka: TLS files: %w", err)
	case len(raw) > tlsFileMaxBytes:
		return nil, fmt.Errorf("kafka: TLS file %s is larger than %d bytes", name, tlsFileMaxBytes)
	}
	return raw, nil
}

// use makes a configuration of the files, which have to be whole.
func (s *tlsSet) use(f TLSFiles) (*tls.Config, error) {
	conf := f.Base.Clone()
	if f.CertFile != "" {
		if _, err := certificatesOf(s.cert); err != nil {
			return nil, fmt.Errorf("kafka: TLS file %s: %w", f.CertFile, err)
		}
		pair, err := tls.X509KeyPair(s.cert, s.key)
		if err != nil {
			return nil, fmt.Errorf("kafka: TLS files %s and %s: %w", f.CertFile, f.KeyFile, err)
		}
		conf.Certificates, conf.GetClientCertificate = []tls.Certificate{pair}, nil
	}
	if f.CAFile != "" {
		list, err := certificatesOf(s.ca)
		if err != nil {
			return nil, fmt.Errorf("kafka: TLS file %s: %w", f.CAFile, err)
		}
		conf.RootCAs = x509.NewCertPool()
		for _, c := range list {
			conf.RootCAs.AddCert(c)
		}
	}
	s.cert, s.key, s.ca = nil, nil, nil // the configuration has them
	return conf, nil
}

var certificateBegin = []byte("-----BEGIN CERTIFICATE-----")

// certificatesOf are the certificates of a PEM file. Unlike the readers of the
// standard library, it takes no file of which a part is missing: one that is
// just being written.
func certificatesOf(raw []byte) (list []*x509.Certificate, err error) {
	want := bytes.Count(raw, certificateBegin)
	for rest := raw; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(list)+1, err)
		}
		list = append(list, c)
	}
	switch {
	case want == 0:
		return nil, fmt.Errorf("there is no certificate in it")
	case len(list) < want:
		return nil, fmt.Errorf("certificate %d of %d is not whole", len(list)+1, want)
	}
	return list, nil
}
