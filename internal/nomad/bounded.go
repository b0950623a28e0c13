package nomad

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much an answer may hold. Whoever writes a pool names the server that answers, and what it sends mustn't take the memory that
// all pools share.
const (
	// maxAnswer is how many bytes an answer may have, unzipped: a list of some ten thousand members.
	maxAnswer = 64 << 20
	// maxObjects is how many objects an answer may hold. Few bytes of JSON become many of memory: {} a whole node. A member has
	// some 40 in the list of nodes.
	maxObjects = 500_000
	// maxRefusal is how many bytes of a refusal are read.
	maxRefusal = 64 << 10
	// maxHeader is how many bytes the header of an answer may have.
	maxHeader = 64 << 10
	// maxQuote is how many bytes of a text that comes from a server are quoted.
	maxQuote = 300
)

// errTooLarge: the answer was not read to its end.
var errTooLarge = errors.New("the answer is larger than any of Nomad's would be")

// bounded keeps answers within bounds, and turns the body of a refusal into words that may be shown. It stands below the API's client,
// which would unzip without a limit by itself.
type bounded struct {
	next             http.RoundTripper
	answer, objects  int64
	refusal, quoting int64
}

func boundedBy(next http.RoundTripper) *bounded {
	return &bounded{next: next, answer: maxAnswer, objects: maxObjects, refusal: maxRefusal, quoting: maxQuote}
}

// RoundTrip is http.RoundTripper's.
func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Del("Accept-Encoding") // net/http then asks for gzip by itself, and unzips as the body is read
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Header.Del("Content-Encoding") // nobody above unzips once more
	if resp.StatusCode == http.StatusOK {
		resp.Body = &limited{ReadCloser: resp.Body, bytes: b.answer, objects: b.objects}
		return resp, nil
	}
	// A redirect isn't followed, and where it leads to is nobody's business.
	resp.Header.Del("Location")
	text, err := b.quote(resp)
	if err != nil {
		return nil, err
	}
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return resp, nil
}

// CloseIdleConnections is what http.Client asks for.
func (b *bounded) CloseIdleConnections() {
	if c, ok := b.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// quote is the body of a refusal if it is what Nomad writes, one line of plain text, and otherwise what it is: it may be the page of
// anything that can be reached from here, and goes into a condition that others read.
func (b *bounded) quote(resp *http.Response) (_ string, err error) {
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, b.refusal))
	if err != nil {
		return "", err
	}
	text := string(bytes.TrimSpace(body))
	kind := mediaType(resp.Header)
	if text == "" || kind == "text/plain" && int64(len(text)) <= b.quoting && oneLine(text) {
		return text, nil
	}
	return strings.TrimSpace(fmt.Sprintf("%s (the body, of type %s, isn't shown)", http.StatusText(resp.StatusCode), kind)), nil
}

func mediaType(h http.Header) string {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || len(kind) > 64 {
		return "unknown"
	}
	return kind
}

func oneLine(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
}

// limited is a body that fails when more of it is read than it may hold.
type limited struct {
	io.ReadCloser
	bytes, objects int64 // that are left
}

// Read is io.Reader's.
func (l *limited) Read(p []byte) (int, error) {
	if l.bytes < 0 || l.objects < 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > l.bytes+1 {
		p = p[:l.bytes+1]
	}
	n, err := l.ReadCloser.Read(p)
	l.bytes -= int64(n)
	l.objects -= int64(bytes.Count(p[:n], []byte("{")))
	if l.bytes < 0 || l.objects < 0 {
		return 0, errTooLarge
	}
	return n, err
}
