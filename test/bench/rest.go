package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// restTime is how long a controller must have had nothing to do to count as at rest.
const restTime = 5 * time.Second

// askEvery is how often a controller is asked for what it has done.
const askEvery = 200 * time.Millisecond

// work is what a controller has done so far, and what it has to do.
type work struct{ done, waiting float64 }

// workOf asks a controller.
func workOf(ctx context.Context, metrics string) (work, error) {
	page, err := get(ctx, metrics)
	if err != nil {
		return work{}, err
	}
	defer func() { _ = page.Close() }()
	return parseWork(page)
}

// get returns what a controller answers, to be closed.
func get(ctx context.Context, url string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("%s: %s", url, answer.Status)
	}
	return answer.Body, nil
}

// parseWork sums up what controller-runtime tells of all controllers.
func parseWork(page io.Reader) (work, error) {
	w, known := work{}, 0
	lines := bufio.NewScanner(page)
	for lines.Scan() {
		name, rest, labelled := strings.Cut(lines.Text(), "{")
		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if !labelled || err != nil {
			continue
		}
		switch name {
		case "controller_runtime_reconcile_total":
			w.done += value
			known++
		case "workqueue_depth", "controller_runtime_active_workers":
			w.waiting += value
		}
	}
	if known == 0 {
		return w, fmt.Errorf("no reconciles in the metrics: %w", lines.Err())
	}
	return w, lines.Err()
}

// rested is when a controller had done what there was to do, and what it had used by then.
type rested struct {
	at         time.Time
	use        usage
	reconciles float64
}

// awaitRest waits until a controller has looked at so many objects, and then at none for restTime.
func awaitRest(ctx context.Context, c *testenv.Controller, objects int) (rested, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// Just after the start it doesn't tell yet.
	if err := process.WaitFor(ctx, askEvery, "the controller to tell what it does", func(ctx context.Context) error {
		_, err := workOf(ctx, c.MetricsURL)
		return err
	}); err != nil {
		return rested{}, err
	}
	var last rested
	for {
		now, err := workOf(ctx, c.MetricsURL)
		if err != nil {
			return last, err
		}
		if now.done != last.reconciles || now.waiting > 0 || last.at.IsZero() {
			use, err := usageOf(c.Process().Pid())
			if err != nil {
				return last, err
			}
			last = rested{at: time.Now(), use: use, reconciles: now.done}
		}
		if time.Since(last.at) >= restTime && now.done >= float64(objects) {
			return last, nil
		}
		sleep(ctx, askEvery)
		if ctx.Err() != nil {
			return last, fmt.Errorf("the controller has reconciled %v times, with %v waiting, and doesn't rest: %w", now.done,
				now.waiting, ctx.Err())
		}
	}
}
