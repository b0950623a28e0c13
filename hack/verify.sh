#!/usr/bin/env bash
# Checks what a reviewer shouldn't have to: generated files, formatting, vet, linters, go.mod. Prints what to do.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "verify: $1" >&2; exit 1; }

[[ -z "$(gofmt -l $(git ls-files '*.go'))" ]] || { gofmt -l $(git ls-files '*.go'); fail "run gofmt -w on these files"; }
go vet -composites=false ./... # the linter asks that too, and knows the exception
"$(go run ./hack/tools -print golangci-lint)" run --allow-serial-runners ./...
"$(go run ./hack/tools -print kube-api-linter)" run --config .golangci-kal.yml --allow-serial-runners ./api/...
go run ./hack/licences
go mod tidy
changed="$(git status --porcelain)"
[[ -z "$changed" ]] || { git --no-pager diff --stat; echo "$changed"; fail "generated files or go.mod are out of date; run make generate and go mod tidy, and commit"; }
echo "verify: clean"
