package nomad

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on an answer. The author of a pool names the server that answers, and its answers mustn't use up the memory
// that all pools share. Two things take memory. One is the text: the decoder keeps all that one Decode reads, twice
// while its buffer grows. The other is the decoded value: {} has two bytes and may become a whole task. So each Decode
// is bounded by bytes and by tokens, and a list is decoded an item at a time (items).
const (
	// maxAnswer is how many bytes an answer that isn't a list may have, unzipped: some hundred times the largest node.
	// Only jobs have no limit of their own.
	maxAnswer = 4 << 20
	// maxTokens is how many braces, brackets, colons and commas may be decoded at once, wherever they stand. A node has
	// a thousand, a group of a job a hundred.
	maxTokens = 64 << 10
	// maxItem is how many bytes an item of a list may have, and maxItemTokens how many tokens. A node of Nomad 1.11 with
	// 16 cores has 4.7 kB and 600 tokens with its resources, one with 256 cores 32 kB and 5,000 tokens.
	maxItem       = 256 << 10
	maxItemTokens = 16 << 10
	// maxList is how many bytes a list may have. 5,000 nodes with 16 cores have 24 MB with their resources, and take
	// some 30 MB to read, most of it garbage. Nothing but time depends on it: no more than an item is in memory at once.
	maxList = 64 << 20
	// maxItems is how many items a list may have, and maxKept how many bytes of text may be kept of them. Of a node 200 B
	// are kept, of an allocation 250 B.
	maxItems = 50_000
	maxKept  = 8 << 20
	// maxUncounted is how many bytes may be decoded at once without a turn (largeTurns). Only answers with large jobs in
	// them are larger.
	maxUncounted       = maxItem
	maxUncountedTokens = maxItemTokens
	// maxRefusal is how many bytes of a refusal are read.
	maxRefusal = 64 << 10
	// maxHeader is how many bytes the header of an answer may have.
	maxHeader = 64 << 10
	// maxQuote is how many bytes of a text that comes from a server are quoted.
	maxQuote = 300
)

// errTooLarge: the answer was not read to its end.
var errTooLarge = errors.New("the answer is larger than any of Nomad's would be")

// bounded is a RoundTripper that limits the size of answers and replaces the body of a refusal by text that may be
// shown. It works below the API's client, which would unzip without a limit.
type bounded struct {
	next  http.RoundTripper
	large *largeTurns
}

func boundedBy(next http.RoundTripper, large *largeTurns) *bounded {
	return &bounded{next: next, large: large}
}

// RoundTrip is http.RoundTripper's.
func (b *bounded) RoundTrip(req *http.Request) (_ *http.Response, err error) {
	ctx, abort := context.WithCancelCause(req.Context())
	ended := abort
	defer func() { ended(nil) }()
	req = req.Clone(ctx)
	req.Header.Del("Accept-Encoding") // net/http then asks for gzip by itself, and unzips as the body is read
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Header.Del("Content-Encoding") // so that the API's client doesn't unzip it again
	if resp.StatusCode == http.StatusOK {
		ended = func(error) {} // the body does it
		resp.Body = newLimited(ctx, resp, b.large, abort)
		return resp, nil
	}
	// A redirect isn't followed, and its target mustn't be shown.
	resp.Header.Del("Location")
	text, err := quote(resp)
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

// wantsTLS is what servers say to a request without TLS where they speak HTTPS, with a 400: Go's, and so Nomad's own,
// without a Content-Type, and nginx and Apache, in a page.
var wantsTLS = []string{"Client sent an HTTP request to an HTTPS server.",
	"The plain HTTP request was sent to HTTPS port", "speaking plain HTTP to an SSL-enabled server port"}

// quote returns the body of a refusal if it is one line of plain text, as Nomad writes it. Otherwise it returns the
// status and the media type: the body may be a page of any server that can be reached from here, and the text goes into
// a condition that others read.
func quote(resp *http.Response) (_ string, err error) {
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err != nil {
		return "", err
	}
	text := string(bytes.TrimSpace(body))
	kind := mediaType(resp.Header)
	plain := resp.Request != nil && resp.Request.URL.Scheme == "http" // else what answers speaks so with a proxy
	if plain && resp.StatusCode == http.StatusBadRequest && slices.ContainsFunc(wantsTLS, func(phrase string) bool {
		return strings.Contains(text, phrase)
	}) {
		return "", errSpeaksHTTPS
	}
	if text == "" || kind == "text/plain" && len(text) <= maxQuote && oneLine(text) {
		return text, nil
	}
	return strings.TrimSpace(
		fmt.Sprintf("%s (the body, of type %s, isn't shown)", http.StatusText(resp.StatusCode), kind)), nil
}

func mediaType(h http.Header) string {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || len(kind) > 64 {
		return "unknown"
	}
	return kind
}

func oneLine(text string) bool {
	return utf8.ValidString(text) &&
		!strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
}

// limited is the body of an answer. It fails when more of it is read than may be decoded at once.
type limited struct {
	io.ReadCloser
	header http.Header
	// ctx is that of the request, and abort ends it.
	ctx   context.Context
	abort context.CancelCauseFunc
	large *largeTurns
	// release gives back the turn; nil: there is none.
	release func()
	// left is how many bytes of the whole answer may still be read. bytes and tokens bound what is decoded at once, and
	// spent counts how much of them has been read.
	left          int64
	bytes, tokens int64
	spent         struct{ bytes, tokens int64 }
}

func newLimited(ctx context.Context, resp *http.Response, large *largeTurns, abort context.CancelCauseFunc) *limited {
	return &limited{
		ReadCloser: resp.Body, header: resp.Header, ctx: ctx, abort: abort, large: large,
		left: maxAnswer, bytes: maxAnswer, tokens: maxTokens,
	}
}

// asList allows a longer answer, whose items are decoded one at a time.
func (l *limited) asList(bytes, tokens int64) {
	l.left, l.bytes, l.tokens = maxList, bytes, tokens
}

// nextItem resets the counters for the next item.
func (l *limited) nextItem() {
	l.spent.bytes, l.spent.tokens = 0, 0
	l.giveBack()
}

// Read is io.Reader's.
func (l *limited) Read(p []byte) (int, error) {
	allowed := min(l.left, l.bytes-l.spent.bytes)
	if allowed < 0 || l.spent.tokens > l.tokens {
		return 0, errTooLarge
	}
	if l.release == nil && (l.spent.bytes > maxUncounted || l.spent.tokens > maxUncountedTokens) {
		release, err := l.large.acquire(l.ctx, l.abort)
		if err != nil {
			return 0, err
		}
		l.release = release
	}
	if int64(len(p)) > allowed+1 {
		p = p[:allowed+1]
	}
	n, err := l.ReadCloser.Read(p)
	l.left -= int64(n)
	l.spent.bytes += int64(n)
	l.spent.tokens += tokensIn(p[:n])
	if l.left < 0 || l.spent.bytes > l.bytes || l.spent.tokens > l.tokens {
		return 0, errTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) && context.Cause(l.ctx) != nil {
		err = context.Cause(l.ctx)
	}
	return n, err
}

// Close is io.Closer's.
func (l *limited) Close() error {
	l.giveBack()
	err := l.ReadCloser.Close()
	l.abort(nil)
	return err
}

func (l *limited) giveBack() {
	if l.release != nil {
		l.release()
		l.release = nil
	}
}

// tokensIn counts what separates values, those within texts as well.
func tokensIn(p []byte) (n int64) {
	for _, b := range p {
		switch b {
		case '{', '[', ':', ',':
			n++
		}
	}
	return n
}
