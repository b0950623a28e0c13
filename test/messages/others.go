package messages

import "regexp"

// others are the words of other programs in a message, and what comes before or after them and is ours. Another version
// of these programs, or another moment, has other words.
var others = []*regexp.Regexp{
	// Admission, of Harvester, of KubeVirt and of whoever has installed some.
	regexp.MustCompile(`()admission webhook "[^"]+" denied the request: .*()`),
	// The API server: what is forbidden, there already, and what went wrong in it.
	regexp.MustCompile(`()[a-z.]+ "[^"]+" is forbidden: .*?(\. Raise the quota|$)`),
	regexp.MustCompile(`()[a-z.]+ "[^"]+" already exists()`),
	regexp.MustCompile(`()[A-Z]\w+ in version "[^"]+" cannot be handled as an? .*()`),
	regexp.MustCompile(`()an error on the server \(.*\) has prevented the request from succeeding \(.*\)()`),
	// The scheduler and KubeVirt.
	regexp.MustCompile(`()\d+/\d+ nodes are available: .*?(\. Make room|$)`),
	regexp.MustCompile(`()(?:failed to create virtual machine pod|Failure while starting VMI): .*?(\. Raise the quota|$)`),
	// A request that had no answer: Go's and the operating system's words.
	regexp.MustCompile(`()\b(?:Delete|Get|Head|Patch|Post|Put) "[^"]+": .*()`),
	regexp.MustCompile(`((?:can't be read|can't be opened): )[^;]+()`),
	// Go's libraries, of what they can't read.
	regexp.MustCompile(`((?:not valid YAML|no usable pair|not a KubeVirt VirtualMachineSpec): )[^;|]*()`),
	// Nomad, by the status of its answer.
	regexp.MustCompile(`(: |\()[45]\d\d [A-Za-z][^;)]*()`),
	// The test environment, in the place of one of these.
	regexp.MustCompile(`()fault injected by the test[^.;]*()`),
}

// WithoutOthers is a message without the words of other programs.
func WithoutOthers(message string) string {
	for _, words := range others {
		message = words.ReplaceAllString(message, "${1}WORDS${2}")
	}
	return message
}
