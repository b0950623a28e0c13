package cloudinit

import (
	"slices"
	"strings"
)

// Service says what the commands of a cloud-config do to a systemd unit.
type Service struct {
	// Started is true if the unit runs after the first boot.
	Started bool
	// Enabled is true if it also runs after a reboot.
	Enabled bool
}

// Service looks through bootcmd and runcmd, and through the scripts of write_files that they name, for
// systemctl acting on the unit (given without ".service").
func (c *Config) Service(unit string) Service {
	var s Service
	for _, command := range slices.Concat(c.BootCmd, c.RunCmd) {
		s.apply(command.String(), unit)
		for _, file := range c.Files {
			content, err := file.decode()
			if err == nil && file.Path != "" && strings.Contains(command.String(), file.Path) {
				s.apply(string(content), unit)
			}
		}
	}
	return s
}

// apply reads shell text as a sequence of simple commands. Conditions and loops are taken as if entered.
func (s *Service) apply(text, unit string) {
	simple := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(";&|\n(){}", r) })
	for _, line := range simple {
		words := strings.Fields(strings.NewReplacer(`"`, "", "'", "").Replace(line))
		at := slices.IndexFunc(words, func(w string) bool { return w == "systemctl" || strings.HasSuffix(w, "/systemctl") })
		if at < 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		args := words[at+1:]
		if !slices.Contains(args, unit) && !slices.Contains(args, unit+".service") {
			continue
		}
		now := slices.Contains(args, "--now")
		switch verb := firstVerb(args); verb {
		case "start", "restart", "reload-or-restart", "try-restart":
			s.Started = s.Started || verb != "try-restart" // try-restart leaves a stopped unit alone
		case "stop":
			s.Started = false
		case "enable", "reenable":
			s.Enabled, s.Started = true, s.Started || now
		case "disable", "mask":
			s.Enabled, s.Started = false, s.Started && !now
		}
	}
}

func firstVerb(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}
