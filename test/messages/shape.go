package messages

import "regexp"

// varying are the parts of messages that differ from one run to the next, in the order in which they are replaced.
var varying = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "ID"},
	{regexp.MustCompile(`\b[0-9a-f]{8}\b`), "ID"},
	{regexp.MustCompile(`\b\d+(\.\d+){3}(:\d+)?`), "ADDRESS"},
	// What Kubernetes has named: five of the letters and digits that it takes for that. Before it may stand the name of a
	// pool, which each test has its own.
	{regexp.MustCompile(`\b[a-z0-9]+(-[a-z0-9]+)*-[bcdfghjklmnpqrstvwxz2456789]{5}\b`), "NAME"},
	{regexp.MustCompile(`(^|[\s,;/])[\w-]+\.[\w-]+\[\d+\]`), "${1}ALLOCATION"}, // by job, group and index
	{regexp.MustCompile(`(ALLOCATION[^,;]*, (running|pending|TIME)[^;.]*)(; ALLOCATION[^;.]*)+`), "$1"},
	{regexp.MustCompile(`\bNAME(, NAME)+`), "NAMES"},
	{regexp.MustCompile(`\d+`), "N"},
}

// Shape is what messages have in common that say the same of others, at another time. What other programs say is
// another's each time.
func Shape(message string) string {
	message = WithoutOthers(message)
	for _, v := range varying {
		message = v.pattern.ReplaceAllString(message, v.by)
	}
	return message
}
