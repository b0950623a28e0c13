package controllers

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/messages"
)

// ordinary are the reasons that say that all goes as it should, and need no row in the table.
var ordinary = []string{
	"AsExpected", "Unknown", "Reachable", "NodeReady", "Joined", "VMRunning", "VMStarting", "NoDrainRequested", "Empty",
	"NeverJoined",
	"Provisioning", "Removing", "MembersDraining", "Draining", "MembersMissing", "MembersNotReady",
}

// unrecorded are messages that docs/messages.txt lacks, because the end-to-end tests record what is said of pools and
// members alone, and don't bring about all of it.
var unrecorded = []string{" Event GuardBroken", " Event DeleteRefused", "pool TemplateValid/ImageFailed ",
	"pool TemplateValid/CertificateNotYetValid ",
	"pool NomadReachable/TooManyConnections ", "member Joined/NodeIDDiffers ", "pool ScalingOut/NodeIDDiffers ",
	" Event NodeIDDiffers", "pool UpToDate/CertificateExpires ", " Event CertificateExpires",
	" Event DryRun"}

// docs/troubleshooting.md quotes only messages that were written during the end-to-end tests, which record them in
// docs/messages.txt.
func TestTroubleshootingQuotesTheRecordedMessages(t *testing.T) {
	recorded := strings.Split(read(t, "../docs/messages.txt"), "\n")
	conditions, events := quoted(read(t, "../docs/troubleshooting.md"))
	if len(conditions) < 50 || len(events) < 20 {
		t.Errorf("only %d conditions and %d events found", len(conditions), len(events))
	}
	for _, q := range slices.Concat(conditions, events) {
		if !slices.ContainsFunc(recorded, q.in) && !slices.Contains(unrecorded, q.what) {
			t.Errorf("docs/messages.txt has no %q that says %q (after a `make test` that hears it, `make messages` adds it)",
				q.what, q.parts)
		}
	}
	for _, what := range unrecorded {
		if slices.ContainsFunc(recorded, quote{what: what}.in) {
			t.Errorf("docs/messages.txt has %q: take it out of what is unrecorded", what)
		}
	}
}

// Whatever may be wrong has a row in the table.
func TestTroubleshootingHasARowForEachReason(t *testing.T) {
	text := read(t, "../docs/troubleshooting.md")
	reasons := reasonsIn(t, "../api/v1alpha1/conditions.go")
	for _, reason := range reasons {
		if !strings.Contains(text, "/"+reason+"`") && !slices.Contains(ordinary, reason) {
			t.Errorf("docs/troubleshooting.md has no row for the reason %s", reason)
		}
	}
	var warnings []string
	files, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") && filepath.Dir(file) != "kube" { // where the methods are
			warnings = append(warnings, warningsIn(t, file)...)
		}
	}
	for _, reason := range warnings {
		if !strings.Contains(text, "**E** `"+reason+"`") {
			t.Errorf("docs/troubleshooting.md has no row for the event %s", reason)
		}
	}
	if len(reasons) < 60 || len(warnings) < 25 {
		t.Errorf("only %d reasons and %d warnings found", len(reasons), len(warnings))
	}
}

// reasonsIn are the values of the constants that are called Reason….
func reasonsIn(t *testing.T, file string) (all []string) {
	t.Helper()
	ast.Inspect(parse(t, file), func(n ast.Node) bool {
		if c, ok := n.(*ast.ValueSpec); ok && len(c.Values) == 1 && strings.HasPrefix(c.Names[0].Name, "Reason") {
			all = append(all, messages.Constant(c.Values[0]))
		}
		return true
	})
	return all
}

// warns are the methods that emit Warning Events. The last one hands its reason on to another of them.
var warns = []string{"Warn", "WarnOf", "warnOfVM"}

// warningsIn are the reasons of the Warning Events that a file emits: the first text that is given to what warns.
func warningsIn(t *testing.T, file string) (all []string) {
	t.Helper()
	ast.Inspect(parse(t, file), func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !slices.Contains(warns, f.Sel.Name) || slices.ContainsFunc(call.Args, isReason) {
			return true
		}
		reason := slices.IndexFunc(call.Args, func(e ast.Expr) bool { return messages.Constant(e) != messages.Value })
		if reason < 0 {
			t.Errorf("%s emits a warning whose reason is no text, so that nobody can look for its row", file)
			return true
		}
		all = append(all, messages.Constant(call.Args[reason]))
		return true
	})
	return all
}

// isReason is true of the parameter that a method hands on.
func isReason(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "reason"
}

// What our own client of Nomad doesn't read, or doesn't keep, is described in its words.
func TestTroubleshootingHasTheLimitsOfAnswers(t *testing.T) {
	text, found := read(t, "../docs/troubleshooting.md"), 0
	for _, file := range []string{"bounded.go", "holding.go", "largeturns.go"} {
		for _, err := range regexp.MustCompile(`err[A-Z]\w+ = (?:errors\.New|fmt\.Errorf)\(\s*"([^,"]+)`).FindAllStringSubmatch(read(t,
			"../internal/nomad/"+file), -1) {
			if found++; !strings.Contains(text, err[1]) {
				t.Errorf("docs/troubleshooting.md has no row that says %q", err[1])
			}
		}
	}
	if found != 4 {
		t.Errorf("%d limits found", found)
	}
}

// quote is the message that the table quotes.
type quote struct {
	what  string // as docs/messages.txt calls it, or how that begins or ends
	parts []string
}

func quoted(text string) (conditions, events []quote) {
	for _, m := range regexp.MustCompile("(pool|member) `([A-Z][A-Za-z]+/[A-Z][A-Za-z]+)`(?:: \"([^\"]+)\")?").FindAllStringSubmatch(text, -1) {
		conditions = append(conditions, quote{fmt.Sprintf("%s %s ", m[1], m[2]), strings.Split(m[3], "…")})
	}
	for _, m := range regexp.MustCompile("\\*\\*E\\*\\* `([A-Za-z]+)`(?:: \"([^\"]+)\")?").FindAllStringSubmatch(text, -1) {
		events = append(events, quote{" Event " + m[1], strings.Split(m[2], "…")})
	}
	return conditions, events
}

// in is true if a recorded line has all parts of the quote, in their order.
func (q quote) in(line string) bool {
	what, message, found := strings.Cut(line, ": ")
	if !found || !strings.Contains(what+" ", q.what) {
		return false
	}
	for _, part := range q.parts {
		_, after, ok := strings.Cut(message, part)
		if !ok {
			return false
		}
		message = after
	}
	return true
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// stringsIn are the string literals of a Go file.
func stringsIn(t *testing.T, file string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	ast.Inspect(parse(t, file), func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if s, err := strconv.Unquote(l.Value); err == nil {
				out[s] = true
			}
		}
		return true
	})
	return out
}
