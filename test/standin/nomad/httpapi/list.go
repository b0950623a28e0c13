package httpapi

import (
	"slices"
	"strings"

	"github.com/hashicorp/go-bexpr"
)

// nextTokenHeader carries where the next page begins.
const nextTokenHeader = "X-Nomad-NextToken"

// list answers with one page of what the filter lets through. Items come sorted by their keys. The filter sees the
// whole item, of which the stub shows a part: Meta can be asked for though no list has it (facts/nomad.md §1).
func list[T, S any](c *call, items []T, key func(T) string, stub func(T) S) ([]S, error) {
	selects, err := filter(c.q.filter)
	if err != nil {
		return nil, err
	}
	if c.q.reverse {
		slices.Reverse(items)
	}
	out := []S{}
	for _, item := range items {
		k := key(item)
		if !strings.HasPrefix(k, c.q.prefix) || c.before(k) {
			continue
		}
		ok, err := selects(item)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if c.q.perPage > 0 && len(out) == c.q.perPage {
			c.w.Header().Set(nextTokenHeader, k)
			break
		}
		out = append(out, stub(item))
	}
	return out, nil
}

// before reports if the item was on an earlier page.
func (c *call) before(key string) bool {
	switch {
	case c.q.nextToken == "":
		return false
	case c.q.reverse:
		return key > c.q.nextToken
	default:
		return key < c.q.nextToken
	}
}

// filter compiles an expression. What it doesn't understand, in the expression or later in an item, fails the whole
// list with a 400 with these words (facts/nomad.md §1, seen of 1.11.3): dotted keys of Meta, fields that aren't
// there, anything below a nil pointer.
func filter(expression string) (func(any) (bool, error), error) {
	if expression == "" {
		return func(any) (bool, error) { return true, nil }, nil
	}
	evaluator, err := bexpr.CreateEvaluator(expression)
	if err != nil {
		return nil, badRequest("failed to read filter expression: %v", err)
	}
	return func(item any) (bool, error) {
		ok, err := evaluator.Evaluate(item)
		if err != nil {
			return false, badRequest("failed to read result page: %v", err)
		}
		return ok, nil
	}, nil
}

// whole shows an item as it is.
func whole[T any](item T) T { return item }
