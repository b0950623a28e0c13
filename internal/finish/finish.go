package finish

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Within is how long a write that was sent may take after the process was asked to end. It is well below the time that
// the manager waits for its controllers, and that below the Pod's terminationGracePeriodSeconds.
const Within = 5 * time.Second

// Writes returns a transport that doesn't give a write up when its context is canceled, but Within later: otherwise
// nobody would know if the server has done it. A write whose context has ended already isn't sent, and one that takes
// longer than its own deadline is given up.
func Writes(next http.RoundTripper) http.RoundTripper { return writes{next} }

type writes struct{ next http.RoundTripper }

func (w writes) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet || request.Method == http.MethodHead || request.Context().Err() != nil {
		return w.next.RoundTrip(request)
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(request.Context()))
	stop := context.AfterFunc(request.Context(), func() {
		defer func() { cancel(request.Context().Err()) }() // what the caller makes of it depends on the cause
		if !errors.Is(request.Context().Err(), context.DeadlineExceeded) {
			grace, end := context.WithTimeout(ctx, Within)
			defer end()
			<-grace.Done()
		}
	})
	end := func() { stop(); cancel(nil) }
	response, err := w.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	response.Body = body{response.Body, end}
	return response, nil
}

// WrappedRoundTripper is the transport below, for those that look for one that can be closed or configured.
func (w writes) WrappedRoundTripper() http.RoundTripper { return w.next }

// CloseIdleConnections is what http.Client asks for.
func (w writes) CloseIdleConnections() { utilnet.CloseIdleConnectionsFor(w.next) }

// body ends the request's context when it was read.
type body struct {
	io.ReadCloser
	end func()
}

func (b body) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
