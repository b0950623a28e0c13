package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"sync"
	"time"

	msgpackrpc "github.com/hashicorp/net-rpc-msgpackrpc/v2"
	"github.com/hashicorp/yamux"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/wire"
)

// greeting is for how long a connection may keep silent at its beginning.
const greeting = 30 * time.Second

// Listener takes in the connections of clients.
type Listener struct {
	server *server.Server
	tls    *tls.Config
	pages  http.Handler
	listen net.Listener

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Listen listens on the server's RPC address until ctx ends. pages is the HTTP API, for agents that pass on what they
// are asked.
func Listen(ctx context.Context, s *server.Server, pages http.Handler) (*Listener, error) {
	listen, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Config().RPCBind)
	if err != nil {
		return nil, err
	}
	l := &Listener{server: s, tls: s.Config().RPCTLS, pages: pages, listen: listen, conns: map[net.Conn]bool{}}
	context.AfterFunc(ctx, func() { l.close() })
	go l.accept(ctx)
	return l, nil
}

func (l *Listener) close() {
	_ = l.listen.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		_ = conn.Close()
	}
}

func (l *Listener) accept(ctx context.Context) {
	for {
		conn, err := l.listen.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		l.conns[conn] = true
		l.mu.Unlock()
		go func() {
			defer func() {
				_ = conn.Close()
				l.mu.Lock()
				delete(l.conns, conn)
				l.mu.Unlock()
			}()
			if to := l.server.ForwardRPC(); to != "" {
				forward(ctx, conn, to)
				return
			}
			l.serve(ctx, conn, l.tls != nil)
		}()
	}
}

// forward passes a connection on to the server that has the state.
func forward(ctx context.Context, conn net.Conn, to string) {
	var dialer net.Dialer
	other, err := dialer.DialContext(ctx, "tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = other.Close() }()
	go func() {
		_, _ = io.Copy(other, conn)
		_ = other.Close()
	}()
	_, _ = io.Copy(conn, other)
}

// serve does what the first byte says. With TLS nothing else is taken before it.
func (l *Listener) serve(ctx context.Context, conn net.Conn, needTLS bool) {
	kind, err := first(conn)
	switch {
	case err != nil:
	case kind == wire.ByteTLS && l.tls != nil:
		secure := tls.Server(conn, l.tls)
		handshake, cancel := context.WithTimeout(ctx, greeting)
		err := secure.HandshakeContext(handshake)
		cancel()
		if err == nil {
			l.serve(ctx, secure, false)
		}
	case needTLS:
	case kind == wire.BytePlain:
		e := l.endpoints(ctx, nil)
		e.ServeCodec(msgpackrpc.NewCodecFromHandle(true, true, conn, wire.Handle))
	case kind == wire.ByteMultiplex:
		session, err := yamux.Server(conn, wire.Settings())
		if err != nil {
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		known := &nodes{server: l.server, session: session, ids: map[string]bool{}}
		defer known.gone()
		wire.Serve(session, l.endpoints(ctx, known), l.pages)
	}
}

func first(conn net.Conn) (byte, error) {
	if err := conn.SetReadDeadline(time.Now().Add(greeting)); err != nil {
		return 0, err
	}
	kind := []byte{0}
	_, err := io.ReadFull(conn, kind)
	return kind[0], errors.Join(err, conn.SetReadDeadline(time.Time{}))
}

// nodes are those that were heard of on one connection.
type nodes struct {
	server  *server.Server
	session *yamux.Session

	mu  sync.Mutex
	ids map[string]bool
}

func (n *nodes) heard(id string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	known := n.ids[id]
	n.ids[id] = true
	n.mu.Unlock()
	if !known {
		n.server.Connected(id, n.session)
	}
}

func (n *nodes) gone() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id := range n.ids {
		n.server.Disconnected(id, n.session)
	}
}

func (l *Listener) endpoints(ctx context.Context, known *nodes) *rpc.Server {
	s := rpc.NewServer()
	for name, receiver := range map[string]any{
		"Node":   &Node{ctx, l.server, known},
		"Alloc":  &Alloc{l.server},
		"ACL":    &ACL{l.server},
		"Status": &Status{l.server},
	} {
		if err := s.RegisterName(name, receiver); err != nil { // a type without methods, which none is
			panic(err)
		}
	}
	return s
}
