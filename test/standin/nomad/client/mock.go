package client

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// mock runs tasks that are no processes: they last for run_for and end with exit_code.
type mock struct{}

func (mock) start(t *task) (process, error) {
	if text, _ := t.spec.Config["start_error"].(string); text != "" {
		return nil, errors.New(text)
	}
	runFor, err := duration(t.spec.Config["run_for"])
	if err != nil {
		return nil, fmt.Errorf("run_for: %w", err)
	}
	killAfter, err := duration(t.spec.Config["kill_after"])
	if err != nil {
		return nil, fmt.Errorf("kill_after: %w", err)
	}
	if text, _ := t.spec.Config["stdout_string"].(string); text != "" {
		file, err := logFile(t, "stdout")
		if err != nil {
			return nil, err
		}
		if _, err := file.WriteString(text); err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if err := file.Close(); err != nil {
			return nil, err
		}
	}
	p := &pretence{ended: make(chan struct{}), killAfter: killAfter}
	if code, err := strconv.Atoi(fmt.Sprint(t.spec.Config["exit_code"])); err == nil && code != 0 {
		p.err = &exitError{code}
	}
	time.AfterFunc(runFor, p.end)
	return p, nil
}

// recover finds nothing: what was pretended ended with the agent.
func (mock) recover(*handle) process { return nil }

func duration(value any) (time.Duration, error) {
	if value == nil {
		return 0, nil
	}
	text := fmt.Sprint(value)
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(n), nil
	}
	return time.ParseDuration(text)
}

// pretence is a task that is no process.
type pretence struct {
	ended     chan struct{}
	once      sync.Once
	killAfter time.Duration
	err       error
}

func (p *pretence) end()                  { p.once.Do(func() { close(p.ended) }) }
func (p *pretence) done() <-chan struct{} { return p.ended }
func (p *pretence) result() error         { return p.err }
func (p *pretence) signal(string)         { time.AfterFunc(p.killAfter, p.end) }
func (p *pretence) kill()                 { p.end() }
func (p *pretence) handle() *handle       { return nil }
