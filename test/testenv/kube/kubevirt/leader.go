package kubevirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// leading returns a readiness check: virt-controller answers 200 before it leads, and does nothing before.
func leading(c *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := c.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		if err != nil {
			return fmt.Errorf("GET %s: %w", url, err)
		}
		if !strings.Contains(string(body), `"true"`) {
			return errors.New("not leading yet")
		}
		return nil
	}
}
