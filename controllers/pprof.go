package controllers

import (
	"flag"
	"fmt"
	"net"
	"net/netip"
)

// bindPprofAddress adds the flag for an address to serve Go's profiles on. Nobody is asked for a token there, so it has
// to be one that only this Pod reaches, and whoever may forward its ports.
func bindPprofAddress(fs *flag.FlagSet, to *string) {
	fs.Func("pprof-bind-address",
		"loopback address to serve Go's profiles on, such as localhost:6060, for kubectl port-forward; unset or 0: none",
		func(text string) error {
			if text == "" || text == "0" {
				*to = ""
				return nil
			}
			host, port, err := net.SplitHostPort(text)
			if err != nil {
				return fmt.Errorf("give host and port, such as localhost:6060: %w", err)
			}
			if addr, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !addr.IsLoopback()) {
				return fmt.Errorf("profiles are served to whoever asks: give a loopback address, such as localhost:%s", port)
			}
			*to = text
			return nil
		})
}
