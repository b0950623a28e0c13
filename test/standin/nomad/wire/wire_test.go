package wire

import (
	"io"
	"net"
	"net/http"
	"net/rpc"
	"testing"

	"github.com/hashicorp/yamux"
)

// Echo is a service for the test.
type Echo struct{}

// Message is what it is sent, and sends back.
type Message struct {
	Text string
	Meta map[string]string
}

// Say sends back what it is sent.
func (Echo) Say(in *Message, out *Message) error {
	*out = *in
	return nil
}

// One session carries calls and HTTP, in either direction.
func TestSessionCarriesCallsAndPages(t *testing.T) {
	a, b := net.Pipe()
	near, err := yamux.Client(a, Settings())
	if err != nil {
		t.Fatal(err)
	}
	far, err := yamux.Server(b, Settings())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	methods := rpc.NewServer()
	if err := methods.RegisterName("Echo", Echo{}); err != nil {
		t.Fatal(err)
	}
	pages := http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "page "+r.URL.Path) })
	go Serve(far, methods, pages)
	go Serve(near, nil, pages)

	var out Message
	if err := Call(t.Context(), near, "Echo.Say", Message{"x", map[string]string{"k": "v"}}, &out); err != nil ||
		out.Text != "x" ||
		out.Meta["k"] != "v" {
		t.Errorf("got %+v, %v", out, err)
	}
	if err := Call(t.Context(), near, "Echo.Nothing", Message{}, &out); err == nil {
		t.Error("a method that isn't there answers")
	}
	for _, session := range []*yamux.Session{near, far} {
		conn, err := OpenHTTP(session)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET /a HTTP/1.0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(conn)
		if err != nil || len(said) < 7 || string(said[len(said)-7:]) != "page /a" {
			t.Errorf("got %q, %v", said, err)
		}
	}
}
