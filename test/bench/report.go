package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"
)

// report is what bench/results.json holds.
type report struct {
	// Nomad says which Nomad it ran with, or that it was the stand-in.
	Nomad      string `json:"nomad"`
	StandIn    bool   `json:"standIn"`
	Processors string `json:"processors"`
	Rows       []row  `json:"rows"`
}

// row is one comparison. Samples are in Unit, in the order in which they were taken; Peer's are those of the same runs.
type row struct {
	ID         string    `json:"id"`
	What       string    `json:"what"`
	Unit       string    `json:"unit"`
	Controller []float64 `json:"controller"`
	With       string    `json:"with,omitempty"`
	Peer       []float64 `json:"peer,omitempty"`
	Target     string    `json:"target"`
	// Limit is for the median of the ratios, or of Controller where there is no peer; noLimit: only the growth has one.
	Limit float64 `json:"limit"`
	// NeedsNomad: what is measured is Nomad as well, so that with a stand-in for it nothing is reached.
	NeedsNomad bool `json:"needsNomad,omitempty"`
}

// noLimit is more than anything can be.
const noLimit = math.MaxFloat64

// value is what the limit is for.
func (r row) value() float64 {
	if len(r.Peer) == 0 {
		return median(r.Controller)
	}
	ratios := make([]float64, min(len(r.Controller), len(r.Peer)))
	for i := range ratios {
		ratios[i] = r.Controller[i] / r.Peer[i]
	}
	return median(ratios)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

func (r *report) print(out io.Writer) {
	r.Processors = fmt.Sprintf("%d processors, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH,
		runtime.Version())
	fmt.Fprintf(out, "%s\n%s\n", r.Nomad, r.Processors)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "row\twhat\tthe controller\tcompared with\t\tvalue\tto reach\treached")
	for _, row := range r.Rows {
		peer, reached := "", "no"
		if len(row.Peer) > 0 {
			peer = fmt.Sprintf("%.2f %s", median(row.Peer), row.Unit)
		}
		switch {
		case row.Limit == noLimit:
			reached = ""
		case row.NeedsNomad && r.StandIn:
			reached = "stand-in"
		case row.value() <= row.Limit:
			reached = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%.2f %s\t%s\t%s\t%.2f\t%s\t%s\n", row.ID, row.What, median(row.Controller), row.Unit,
			row.With, peer, row.value(), row.Target, reached)
	}
	_ = w.Flush()
}

func (r *report) write(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
