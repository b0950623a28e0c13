package main

import "math"

// exponent is the power with which a cost grows: the slope of the least squares line through the logarithms. 0: the
// cost is constant; 1: twice as much for twice as many. A cost of nothing counts as a thousandth.
func exponent(sizes []int, costs []float64) float64 {
	var meanX, meanY float64
	x, y := make([]float64, len(sizes)), make([]float64, len(sizes))
	for i, n := range sizes {
		x[i], y[i] = math.Log(float64(n)), math.Log(max(costs[i], 1e-3))
		meanX += x[i] / float64(len(sizes))
		meanY += y[i] / float64(len(sizes))
	}
	var up, across float64
	for i := range x {
		up += (x[i] - meanX) * (y[i] - meanY)
		across += (x[i] - meanX) * (x[i] - meanX)
	}
	return up / across
}
