package nomad

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/hashicorp/nomad/api"
)

// What an error of a Cluster means, for errors.Is. The text of the error is Nomad's own.
var (
	// ErrNodeNotFound: Nomad has no node of that ID.
	ErrNodeNotFound = errors.New("node not found in Nomad")
	// ErrForbidden: Nomad refuses the token, or the token may not do this.
	ErrForbidden = errors.New("refused by Nomad")
	// ErrUnreachable: no answer, or an answer that says that Nomad can't work at the moment. Nothing is known about
	// whether a write took effect.
	ErrUnreachable = errors.New("no answer from Nomad")
	// ErrNotDraining: a drain isn't sent again, because the node doesn't drain under it any more.
	ErrNotDraining = errors.New("the node doesn't drain any more")
	// ErrNodeEligible: a drain that is for an ineligible node isn't sent, because the node is eligible.
	ErrNodeEligible = errors.New("the node is eligible")
)

// errNoResponse is the answer to a request that was made with a nil error but makes no sense.
var errNoResponse = errors.New("the answer is not what Nomad's API gives")

// errSuspended: the request wasn't sent, because several before it had no answer.
var errSuspended = errors.New("not asked for a while, because it didn't answer several requests")

// Classify wraps an error of the API's client in one of the errors above, if one fits, and adds what was being done;
// nil stays nil. The simulator classifies its errors with it, too.
func Classify(doing string, err error) error {
	if err == nil {
		return nil
	}
	if kind := kindOf(err); kind != nil {
		return clip(fmt.Errorf("%s: %w: %w", doing, kind, err))
	}
	return clip(fmt.Errorf("%s: %w", doing, err))
}

// maxError is how many bytes the text of an error has at most: it may quote what the decoder couldn't read.
const maxError = 1024

// clipped is an error with a shortened text.
type clipped struct {
	error
	text string
}

func (c clipped) Error() string { return c.text }
func (c clipped) Unwrap() error { return c.error }

func clip(err error) error {
	if text := err.Error(); len(text) > maxError {
		return clipped{err, clipText(text)}
	}
	return err
}

// clipText is a text that may hold names from a server, short enough to be kept.
func clipText(text string) string {
	if len(text) > maxError {
		return strings.ToValidUTF8(text[:maxError], "") + "…"
	}
	return text
}

func kindOf(err error) error {
	var response api.UnexpectedResponseError
	if errors.As(err, &response) {
		return kindOfResponse(response)
	}
	if errors.Is(err, context.Canceled) {
		return nil // the caller gave up; Nomad isn't the cause
	}
	return ErrUnreachable
}

// kindOfResponse goes by the text where the code isn't specific enough: for drain, eligibility and purge a missing node
// is a 500, and so is an expired token (Nomad: command/agent/http.go, errCodeFromHandler).
func kindOfResponse(response api.UnexpectedResponseError) error {
	body := response.Body()
	switch code := response.StatusCode(); {
	case code == http.StatusForbidden, code == http.StatusUnauthorized,
		code == http.StatusInternalServerError && strings.Contains(body, "ACL token "):
		return ErrForbidden
	case strings.Contains(body, "node not found") && (code == http.StatusNotFound ||
		code == http.StatusInternalServerError):
		return ErrNodeNotFound
	case code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout,
		code == http.StatusTooManyRequests,
		strings.Contains(body, "No cluster leader"), strings.Contains(body, noPathToRegion),
		code == http.StatusInternalServerError && betweenServers.MatchString(body):
		return ErrUnreachable
	}
	return nil
}

// noPathToRegion is Nomad's answer to a request for a region of which it knows no server (Nomad: nomad/structs,
// ErrNoRegionPath).
const noPathToRegion = "No path to region"

// betweenServers matches the error of a server that couldn't reach another one. It comes with a 500 and has nothing to
// do with the request (Nomad: helper/pool/pool.go, nomad/rpc.go forward).
var betweenServers = regexp.MustCompile(
	`failed to get conn|(dial|read|write) tcp |connection re(fused|set)|i/o timeout|session shutdown|rpc error: EOF`,
)

// localPort matches the local end of a connection, which differs each time.
var localPort = regexp.MustCompile(`\S+:\d+->`)

// statusOf is the HTTP status and text of the answer that err stands for; 0: there was none.
func statusOf(err error) (int, string) {
	var response api.UnexpectedResponseError
	if !errors.As(err, &response) {
		return 0, ""
	}
	return response.StatusCode(), response.Body()
}

// Cause returns why a request failed, in a text that stays the same while the reason does: without the ports and times
// that network errors have. It goes into conditions, and a condition that changed each time would be written each time.
func Cause(err error) string {
	if code, body := statusOf(err); code != 0 {
		return fmt.Sprintf("%d %s", code, localPort.ReplaceAllString(cmp.Or(body, http.StatusText(code)), ""))
	}
	if text := showableText(err); text != "" {
		return text
	}
	if fault, is := faultOf(err); is {
		return fault.Cause
	}
	var (
		login   loginRefused
		dns     *net.DNSError
		errno   syscall.Errno
		network *net.OpError
		request *url.Error
		busy    *BusyError
	)
	switch {
	case errors.As(err, &login):
		return login.cause
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("no such host: %s", dns.Name)
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %s can't be resolved", dns.Name)
	case errors.As(err, &busy):
		return busyText
	case errors.As(err, &errno):
		return errno.Error()
	case timedOut(err):
		return "no answer in time"
	case strings.Contains(err.Error(), "malformed "): // the rest of the text is what the server sent
		return errNoResponse.Error()
	case errors.As(err, &network):
		return showable(network.Err.Error())
	case errors.As(err, &request):
		return showable(request.Err.Error())
	}
	return errNoResponse.Error()
}

// beyondLimits are that an answer wasn't read to its end, because it is more than is read or kept. Nomad has answered,
// but nothing is known of what it said.
var beyondLimits = []error{errTooManyNodes, errTooManyAllocations, errTooLarge, errLargeSlow}

func isBeyondLimits(err error) bool {
	return slices.ContainsFunc(beyondLimits, func(bound error) bool { return errors.Is(err, bound) })
}

// shownAsTheyAre are errors of our own whose text names the cause.
var shownAsTheyAre = append([]error{errSuspended, errNoRules}, beyondLimits...)

// showableText returns the text of an error that names its cause in words that may be shown; empty: there is none.
func showableText(err error) string {
	for _, is := range shownAsTheyAre {
		if errors.Is(err, is) {
			return is.Error()
		}
	}
	return ""
}

// showable replaces a text that may not go into a condition because it is long or not one line.
func showable(text string) string {
	if len(text) > maxQuote || !oneLine(text) {
		return errNoResponse.Error()
	}
	return text
}

// timedOut reports if err is that there was no answer in time.
func timedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}
