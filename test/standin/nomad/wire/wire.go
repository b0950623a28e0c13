package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"reflect"
	"sync"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	msgpackrpc "github.com/hashicorp/net-rpc-msgpackrpc/v2"
	"github.com/hashicorp/yamux"
)

// The first byte of a connection, or of a stream in it, says what follows. Nomad: helper/pool/conn.go.
const (
	BytePlain     = 0x01
	ByteTLS       = 0x04
	ByteMultiplex = 0x06
	// ByteHTTP is the stand-in's own: HTTP follows, in either direction. Nomad has an RPC for each of these requests.
	ByteHTTP = 0x48
)

// Handle encodes as Nomad's own does: structs.MsgpackHandle.
var Handle = func() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{}
	h.RawToString = true
	h.TimeNotBuiltin = true
	h.MapType = reflect.TypeFor[map[string]any]()
	return h
}()

// Settings are those of every session: quiet. The backlog is small because each session takes all of it from
// the beginning, and there are thousands of them.
func Settings() *yamux.Config {
	c := yamux.DefaultConfig()
	c.LogOutput = io.Discard
	c.AcceptBacklog = 64
	return c
}

// Dial makes a session with a server; with a TLS configuration inside of that.
func Dial(ctx context.Context, address string, config *tls.Config) (*yamux.Session, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	session, err := multiplex(ctx, conn, config)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return session, nil
}

func multiplex(ctx context.Context, conn net.Conn, config *tls.Config) (*yamux.Session, error) {
	if config != nil {
		if _, err := conn.Write([]byte{ByteTLS}); err != nil {
			return nil, err
		}
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secure
	}
	if _, err := conn.Write([]byte{ByteMultiplex}); err != nil {
		return nil, err
	}
	return yamux.Client(conn, Settings())
}

// Open makes a stream to call methods on; it has one request under way at a time.
func Open(session *yamux.Session) (*rpc.Client, error) {
	stream, err := session.Open()
	if err != nil {
		return nil, err
	}
	if _, err := stream.Write([]byte{BytePlain}); err != nil {
		return nil, errors.Join(err, stream.Close())
	}
	return rpc.NewClientWithCodec(clientCodec{msgpackrpc.NewCodecFromHandle(true, true, stream, Handle), stream}), nil
}

// clientCodec closes the stream alone: its own codec's Close sets a flag that a read under way looks at without a lock.
type clientCodec struct {
	*msgpackrpc.MsgpackCodec
	stream net.Conn
}

// Close closes the stream.
func (c clientCodec) Close() error { return c.stream.Close() }

// Call calls a method on a stream of its own, until ctx ends.
func Call(ctx context.Context, session *yamux.Session, method string, args, reply any) error {
	client, err := Open(session)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // the answer is there, or doesn't matter any more
	call := client.Go(method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case done := <-call.Done:
		return done.Error
	}
}

// OpenHTTP makes a stream that carries HTTP.
func OpenHTTP(session *yamux.Session) (net.Conn, error) {
	stream, err := session.Open()
	if err != nil {
		return nil, err
	}
	if _, err := stream.Write([]byte{ByteHTTP}); err != nil {
		return nil, errors.Join(err, stream.Close())
	}
	return stream, nil
}

// Serve serves the streams that the other side opens, until the session ends. Either may be nil.
func Serve(session *yamux.Session, methods *rpc.Server, pages http.Handler) {
	streams := newHandOver(session)
	defer func() { _ = streams.Close() }()
	if pages != nil {
		server := &http.Server{Handler: pages, ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(streams) }() // until the hand-over is closed
	}
	for {
		stream, err := session.Accept()
		if err != nil {
			return
		}
		go func() {
			kind := []byte{0}
			_, err := io.ReadFull(stream, kind)
			switch {
			case err == nil && kind[0] == BytePlain && methods != nil:
				methods.ServeCodec(msgpackrpc.NewCodecFromHandle(true, true, stream, Handle)) // closes the stream in the end
			case err == nil && kind[0] == ByteHTTP && pages != nil:
				streams.take(stream)
			default:
				_ = stream.Close()
			}
		}()
	}
}

// handOver is a listener whose connections are handed to it.
type handOver struct {
	session *yamux.Session
	conns   chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

func newHandOver(session *yamux.Session) *handOver {
	return &handOver{session: session, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (h *handOver) take(conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.closed:
		_ = conn.Close()
	}
}

// Accept waits for the next connection.
func (h *handOver) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (h *handOver) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr is that of the session.
func (h *handOver) Addr() net.Addr { return h.session.Addr() }
