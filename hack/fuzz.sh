#!/usr/bin/env bash
# Runs each fuzz target for FUZZTIME, FUZZ_AT_ONCE of them side by side: a target that runs alone takes all processors, and
# several at once share them. What a target prints is shown when it has ended, and the first that fails ends all.
set -euo pipefail
cd "$(dirname "$0")/.."
export FUZZTIME="${FUZZTIME:-20s}"
at_once="${FUZZ_AT_ONCE:-1}"
export FUZZ_WORKERS="$(($(nproc) / at_once))"
[[ $FUZZ_WORKERS -gt 0 ]] || FUZZ_WORKERS=1
FUZZ_CACHE="$(go env GOCACHE)/fuzz"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
export FUZZ_CACHE scratch

mapfile -t targets < <(grep -rnoE --include='*_test.go' '^func Fuzz\w+' api controllers internal pkg |
	while IFS=: read -r file _ target; do echo "$(dirname "$file") ${target#func }"; done | sort -u)
[[ ${#targets[@]} -gt 0 ]] || { echo "fuzz: there is no target" >&2; exit 1; }
# Linked once for each package, and one after the other, so that what they share is compiled once.
for package in $(printf '%s\n' "${targets[@]}" | cut -d' ' -f1 | sort -u); do
	go test -short -vet=off -c -fuzz . -o "$scratch/${package//\//_}" "./$package"
done

# Go before 1.27 sometimes reports that the time is over as a failure (golang/go#75804). It prints nothing else then; a failing
# input, a crash or a worker that hangs prints more.
only_time_is_over() {
	[[ "$(grep -v '^fuzz: ' <<<"$2" | sed 's/ ([0-9.]*s)$//')" == "--- FAIL: $1"$'\n    context deadline exceeded\nFAIL' ]]
}

fuzz() {
	local package="$1" target="$2" out
	local binary="$scratch/${package//\//_}"
	out="$(cd "$package" && "$binary" -test.short -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$FUZZTIME" \
		-test.fuzzminimizetime 100x -test.fuzzcachedir "$FUZZ_CACHE/github.com/nomad-harvester/nomad-harvester/$package" \
		-test.parallel "$FUZZ_WORKERS" </dev/null 2>&1)" || only_time_is_over "$target" "$out" ||
		{ printf 'fuzz: %s of %s failed\n%s\n' "$target" "$package" "$out"; return 255; } # which ends xargs
	printf 'fuzz: %s of %s for %s: %s\n' "$target" "$package" "$FUZZTIME" "$(grep '^fuzz: elapsed' <<<"$out" | tail -1)"
}
export -f fuzz only_time_is_over
printf '%s\n' "${targets[@]}" | SHELL=bash xargs -P "$at_once" -L 1 bash -c 'fuzz "$@"' fuzz
echo "fuzz: ${#targets[@]} targets, each for $FUZZTIME, $at_once at once"
