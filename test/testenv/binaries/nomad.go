package binaries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/semver"
)

const (
	// oldestNomad is the oldest minor version that the product keeps to.
	oldestNomad = "v1.8"
	// standInMark is in the version that the stand-in says of itself.
	standInMark = "standin"
	// probeTimeout is what a program gets to print its version.
	probeTimeout = 30 * time.Second
)

// NomadInUse is the program that the environment runs as Nomad: the user's Nomad, or the stand-in for one.
type NomadInUse struct {
	// Path is absolute; its last element is what the user calls it, and nomad for the stand-in.
	Path string
	// Version is what the program says of itself, without a leading v: 2.0.6-dev, 1.8.4+ent, 1.11.3-standin.
	Version string
	// StandIn tells the stand-in, whoever chose it, from a Nomad.
	StandIn bool
	// Why says how it came to be chosen, for people.
	Why string
}

// String is one line for people.
func (n NomadInUse) String() string {
	name := "Nomad"
	if n.StandIn {
		name = "our stand-in for Nomad"
	}
	return fmt.Sprintf("This runs with %s, version %s, %s (%s)", name, n.Version, n.Path, n.Why)
}

// FindNomad chooses the Nomad that the environment runs, and builds the stand-in if it is to be that. NOMAD=standin in
// the environment asks for the stand-in. Else $NOMAD_BIN is taken, or the first nomad on PATH that is new enough, or
// without any the stand-in. progress is as for Ensure.
func FindNomad(ctx context.Context, progress io.Writer) (NomadInUse, error) {
	if progress == nil {
		progress = io.Discard
	}
	shop, err := openWorkshop(progress)
	if err != nil {
		return NomadInUse{}, err
	}
	return shop.nomad(ctx)
}

// What decides, and what was decided: a test asks for each server that it starts.
type nomadQuestion struct{ root, cache, force, chosen, path string }

var nomadAnswers sync.Map // of nomadQuestion to NomadInUse

func (s *workshop) nomad(ctx context.Context) (NomadInUse, error) {
	q := nomadQuestion{s.root, s.cache, os.Getenv("NOMAD"), os.Getenv("NOMAD_BIN"), os.Getenv("PATH")}
	if known, ok := nomadAnswers.Load(q); ok {
		return known.(NomadInUse), nil
	}
	n, err := s.findNomad(ctx, q)
	if err == nil {
		nomadAnswers.Store(q, n)
	}
	return n, err
}

func (s *workshop) findNomad(ctx context.Context, q nomadQuestion) (NomadInUse, error) {
	switch {
	case q.force == standInMark:
		return s.standIn(ctx, "NOMAD="+standInMark)
	case q.force != "":
		return NomadInUse{}, fmt.Errorf(
			"NOMAD=%s means nothing; NOMAD=%s asks for the stand-in, and NOMAD_BIN=<path> for a Nomad of yours", q.force,
			standInMark)
	case q.chosen != "":
		n, err := askNomad(ctx, q.chosen)
		if err != nil {
			return n, fmt.Errorf(
				"NOMAD_BIN=%s is no Nomad to run: %w; set NOMAD_BIN to a Nomad of version %s or newer, or unset it", q.chosen, err,
				oldestNomad[1:])
		}
		n.Why = "$NOMAD_BIN"
		return n, nil
	default:
		return s.nomadOnPath(ctx, q.path)
	}
}

// nomadOnPath is the first that fits. A stand-in on PATH, as `make world` puts it there, may be of another time.
func (s *workshop) nomadOnPath(ctx context.Context, path string) (NomadInUse, error) {
	why := "there is no nomad on PATH"
	for _, dir := range filepath.SplitList(path) {
		candidate := filepath.Join(dir, string(Nomad))
		if !filepath.IsAbs(candidate) || !isExecutable(candidate) {
			continue
		}
		n, err := askNomad(ctx, candidate)
		if err == nil && !n.StandIn {
			n.Why = "on PATH"
			return n, nil
		}
		if err != nil {
			why = fmt.Sprintf("%s on PATH doesn't do: %v", candidate, err)
		}
	}
	return s.standIn(ctx, why)
}

// askNomad finds out what a program is; an error says why it can't be run as Nomad.
func askNomad(ctx context.Context, path string) (NomadInUse, error) {
	path, err := exec.LookPath(path)
	if err != nil {
		return NomadInUse{}, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return NomadInUse{}, err
	}
	version, err := nomadVersion(ctx, path)
	if err != nil {
		return NomadInUse{}, err
	}
	if semver.Compare(semver.MajorMinor(version), oldestNomad) < 0 {
		return NomadInUse{}, fmt.Errorf("it is version %s, and %s or newer is needed", version[1:], oldestNomad[1:])
	}
	return NomadInUse{Path: path, Version: version[1:],
		StandIn: strings.Contains(semver.Prerelease(version), standInMark)}, nil
}

// nomadLine is the first that `nomad version` prints.
var nomadLine = regexp.MustCompile(`(?m)^Nomad (v\S+)`)

func nomadVersion(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	output, err := exec.CommandContext(ctx, path, "version").Output()
	if err != nil {
		return "", fmt.Errorf("`%s version`: %w", path, errors.Join(err, ctx.Err()))
	}
	found := nomadLine.FindSubmatch(output)
	if found == nil || !semver.IsValid(string(found[1])) {
		return "", fmt.Errorf("`%s version` prints no version of Nomad, but %q", path, firstLine(string(output)))
	}
	return string(found[1]), nil
}
