package main

import (
	"math"
	"testing"
)

func TestExponent(t *testing.T) {
	sizes := []int{100, 500, 1000, 5000}
	for name, of := range map[string]struct {
		cost func(n float64) float64
		want float64
	}{
		"constant":  {func(float64) float64 { return 12 }, 0},
		"linear":    {func(n float64) float64 { return 3 * n }, 1},
		"quadratic": {func(n float64) float64 { return n * n / 7 }, 2},
		"nothing":   {func(float64) float64 { return 0 }, 0},
	} {
		var costs []float64
		for _, n := range sizes {
			costs = append(costs, of.cost(float64(n)))
		}
		if got := exponent(sizes, costs); math.Abs(got-of.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, got, of.want)
		}
	}
}
