// Package canary finds secret values where they don't belong.
//
// A Set holds the secrets of a run: tokens, keys, user data. Seen gathers what a system wrote into the API server. What
// is in both is a leak, and so is a secret in a log.
package canary
