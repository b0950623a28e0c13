package cloudinit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A document also configures cloud-init itself. If that part is wrong, cloud-init ends before any module has run, those
// that start Nomad included.

// imageKeys are keys that choose which modules run. They are the image's to set.
var imageKeys = []string{"cloud_init_modules", "cloud_config_modules", "cloud_final_modules"}

// imageSystemKeys are the keys of system_info with which cloud-init finds its modules, its files and the network
// (cloud-init: cloudinit/stages.py). Other keys, such as the default user, may be set.
var imageSystemKeys = []string{"distro", "paths", "network"}

// checkCloudInitKeys refuses what would keep cloud-init from running the modules that the member needs.
func checkCloudInitKeys(user *yaml.Node) error {
	for _, key := range imageKeys {
		if valueOf(user, key) != nil {
			return fmt.Errorf(
				"%s can't be chosen: the controller's files and commands are done by modules that it may leave out; leave it out",
				key)
		}
	}
	for _, key := range []string{"unverified_modules", "log_cfgs"} {
		if n := valueOf(user, key); n != nil && !isNull(n) && !isList(n) {
			return fmt.Errorf("%s, line %d: it is not a list, and cloud-init would run none of its modules; write it as one",
				key, n.Line)
		}
	}
	if n := valueOf(user, "fqdn"); n != nil && !isNull(n) && !isText(n) {
		return fmt.Errorf("fqdn, line %d: it is not text, and cloud-init would run none of its modules; put it into quotes",
			n.Line)
	}
	return errors.Join(checkFQDN(user), checkSystem(valueOf(user, "system_info")),
		checkReporting(valueOf(user, "reporting")))
}

// checkFQDN refuses a name that all members would have in common. hostname is the member's, but cloud-init takes fqdn
// instead where prefer_fqdn_over_hostname is true, and images of Red Hat's kin prefer it by themselves (cloud-init:
// cloudinit/distros/__init__.py, _select_hostname).
func checkFQDN(user *yaml.Node) error {
	n := valueOf(user, "fqdn")
	if textOf(n) == "" || isFalse(valueOf(user, "prefer_fqdn_over_hostname")) {
		return nil
	}
	return fmt.Errorf(
		"fqdn, line %d: each member's hostname is its own name, and all guests that prefer fqdn, as those of Red Hat's kin do, would have this one; leave it out, or set prefer_fqdn_over_hostname: false",
		n.Line)
}

// isFalse reports if cloud-init takes a value for false (cloud-init: cloudinit/util.py, translate_bool).
func isFalse(n *yaml.Node) bool {
	return n != nil && n.Kind == yaml.ScalarNode &&
		slices.Contains([]string{"false", "no", "off"}, strings.ToLower(n.Value))
}

func checkSystem(system *yaml.Node) error {
	if system == nil || isNull(system) {
		return nil
	}
	if !isMapping(system) {
		return fmt.Errorf(
			"system_info, line %d: it is not a mapping, and cloud-init would run none of its modules; write it as one",
			system.Line)
	}
	for _, key := range imageSystemKeys {
		if n := valueOf(system, key); n != nil {
			return fmt.Errorf(
				"system_info.%s, line %d: it can't be chosen: it is the image's, and with another cloud-init may do nothing at all; leave it out",
				key, n.Line)
		}
	}
	return nil
}

// reporters are the handlers of reporting that every cloud-init has, and their options (cloud-init:
// cloudinit/reporting/handlers.py).
var reporters = map[string][]string{
	"log":     {"type", "level"},
	"print":   {"type"},
	"webhook": {"type", "endpoint", "timeout", "retries", "consumer_key", "consumer_secret", "token_key", "token_secret"},
}

func checkReporting(reporting *yaml.Node) error {
	if reporting == nil || isNull(reporting) {
		return nil
	}
	if !isMapping(reporting) {
		return fmt.Errorf(
			"reporting, line %d: it is not a mapping, and cloud-init would run none of its modules; write it as one of names to handlers",
			reporting.Line)
	}
	for name, handler := range entriesOf(reporting) {
		if why := wrongReporter(handler); why != "" {
			return fmt.Errorf("reporting, line %d: %s, and cloud-init would run none of its modules", name.Line, why)
		}
	}
	return nil
}

// wrongReporter returns why cloud-init can't make a handler; empty: it can.
func wrongReporter(handler *yaml.Node) string {
	kind := textOf(valueOf(handler, "type"))
	options, known := reporters[kind]
	switch {
	case isNull(handler):
		return ""
	case !known:
		return "it is no handler of the type log, print or webhook"
	}
	for option := range entriesOf(handler) {
		if !slices.Contains(options, option.Value) {
			return "it has an option that its type doesn't have"
		}
	}
	tokens := []string{"consumer_key", "token_key", "token_secret"}
	given := slices.ContainsFunc(tokens, func(key string) bool { return valueOf(handler, key) != nil })
	missing := slices.ContainsFunc(tokens, func(key string) bool { return textOf(valueOf(handler, key)) == "" })
	switch {
	case kind == "webhook" && textOf(valueOf(handler, "endpoint")) == "":
		return "it has no endpoint"
	case given && missing:
		return "it has some of consumer_key, token_key and token_secret as text, and not all of them"
	}
	return ""
}

// checkKeys refuses keys that aren't text: the validation against cloud-init's schema fails over them, and cloud-init
// with it (cloud-init: cloudinit/config/schema.py; jsonschema: patternProperties).
func checkKeys(n *yaml.Node) error {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && !isText(child) {
			return fmt.Errorf(
				"line %d: a key that is a number, a date, true, false or nothing, over which cloud-init may fail; put it into quotes",
				child.Line)
		}
		if err := checkKeys(child); err != nil {
			return err
		}
	}
	return nil
}
