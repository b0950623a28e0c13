package simclient

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/rpc"
	"reflect"

	"github.com/hashicorp/go-msgpack/v2/codec"
	msgpackrpc "github.com/hashicorp/net-rpc-msgpackrpc/v2"
	"github.com/hashicorp/yamux"
)

// The first byte of a connection, or of a stream in it, says what follows. Nomad: helper/pool/conn.go.
const (
	bytePlain     = 0x01
	byteTLS       = 0x04
	byteMultiplex = 0x06
)

// message is a request or a reply: the fields of a Go struct of Nomad's by their names.
type message map[string]any

// handle encodes as Nomad's own does: structs.MsgpackHandle.
var handle = func() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{}
	h.RawToString = true
	h.TimeNotBuiltin = true
	h.MapType = reflect.TypeFor[map[string]any]()
	return h
}()

// connection carries any number of streams; a stream has one request under way at a time.
type connection struct{ *yamux.Session }

func dial(ctx context.Context, address string, config *tls.Config) (*connection, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	session, err := multiplex(ctx, conn, config)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &connection{session}, nil
}

func multiplex(ctx context.Context, conn net.Conn, config *tls.Config) (*yamux.Session, error) {
	if config != nil {
		if _, err := conn.Write([]byte{byteTLS}); err != nil {
			return nil, err
		}
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secure
	}
	if _, err := conn.Write([]byte{byteMultiplex}); err != nil {
		return nil, err
	}
	settings := yamux.DefaultConfig()
	settings.LogOutput = io.Discard
	return yamux.Client(conn, settings)
}

// open makes a stream to call methods on.
func (c *connection) open() (*rpc.Client, error) {
	stream, err := c.Open()
	if err != nil {
		return nil, err
	}
	if _, err := stream.Write([]byte{bytePlain}); err != nil {
		return nil, err
	}
	return rpc.NewClientWithCodec(msgpackrpc.NewCodecFromHandle(true, true, stream, handle)), nil
}

// unsigned reads a number of a reply, 0 if it has none there.
func (m message) unsigned(key string) uint64 {
	switch n := m[key].(type) {
	case int64:
		return uint64(n)
	case uint64:
		return n
	}
	return 0
}

// text reads a string of a reply, empty if it has none there.
func (m message) text(key string) string {
	s, _ := m[key].(string)
	return s
}
