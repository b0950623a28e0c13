package main

import "fmt"

// constant is up to which exponent something counts as not growing: what is counted in a minute differs by one or two.
const constant = 0.05

// largeGrowth are the rows of all sizes, and of how what was measured grows with them.
func largeGrowth(all []sizeCosts) []row {
	var out []row
	for _, c := range all {
		out = append(append(out, requestRows(c)...), startRows(c)...)
	}
	if len(all) < 2 {
		return out
	}
	grows := func(id, what, target string, limit float64, of func(sizeCosts) (float64, bool)) {
		var sizes []int
		var costs []float64
		for _, c := range all {
			if cost, measured := of(c); measured {
				sizes, costs = append(sizes, c.members), append(costs, cost)
			}
		}
		if len(sizes) < 2 {
			return
		}
		span := fmt.Sprintf("%s, %d to %d members: exponent", what, sizes[0], sizes[len(sizes)-1])
		out = append(out, row{ID: id, What: span, Controller: []float64{exponent(sizes, costs)}, Target: target,
			Limit: limit})
	}
	started := func(of func(sizeCosts) []float64) func(sizeCosts) (float64, bool) {
		return func(c sizeCosts) (float64, bool) { return median(of(c)), len(of(c)) > 0 && c.members >= linearFrom }
	}
	grows("P5", "requests to Nomad, idle", "0", constant,
		func(c sizeCosts) (float64, bool) { return c.idle, c.draining > 0 })
	grows("P5", fmt.Sprintf("requests to Nomad, %d drain", drainingMembers), "0", constant,
		func(c sizeCosts) (float64, bool) { return c.draining, c.draining > 0 && c.members >= drainingMembers })
	grows("P11", "start: until nothing is left to do", "<= 1.1", linear,
		started(func(c sizeCosts) []float64 { return c.times }))
	grows("P11", "start: CPU", "<= 1.1", linear, started(func(c sizeCosts) []float64 { return c.cpu }))
	return out
}

// linear is up to which exponent something counts as growing with the members.
const linear = 1.1

// linearFrom is from how many members on growth is fitted: a controller without any has its own costs.
const linearFrom = 100
