#!/usr/bin/env bash
# Checks what a reviewer shouldn't have to: generated files, formatting, vet, linters, words, go.mod. Prints what to do.
# The tree may be dirty: what isn't committed yet is checked like the rest, and verify fails only if a check fails or if
# generating and tidying change a file. In CI nothing is dirty, so there it fails when what is committed is out of date.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "verify: $1" >&2; exit 1; }

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
objects="$(git rev-parse --path-format=absolute --git-path objects)"
# in_scratch runs git with an index and objects of its own, so that neither the user's index nor the repository changes.
in_scratch() {
	GIT_INDEX_FILE="$scratch/index" GIT_OBJECT_DIRECTORY="$scratch/objects" \
		GIT_ALTERNATE_OBJECT_DIRECTORIES="$objects" git "$@"
}
mkdir "$scratch/objects"
# tree prints the hash of all files that git would take, tracked or not.
tree() { in_scratch add --all . && in_scratch write-tree; }

before="$(tree)"
make --no-print-directory generate
go run ./hack/licences -notice
go mod tidy
after="$(tree)"
if [[ "$before" != "$after" ]]; then
	in_scratch --no-pager diff --stat "$before" "$after" >&2
	fail "these files were out of date and have been written anew (make generate, go run ./hack/licences -notice, go mod tidy); commit them"
fi

# Those of tracked and new files that are there.
mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.go' | sort -u | while read -r f; do [[ -f $f ]] && echo "$f"; done)
unformatted="$(gofmt -l "${sources[@]}")"
[[ -z "$unformatted" ]] || { echo "$unformatted"; fail "run gofmt -w on these files"; }
go vet -composites=false ./... # the linter asks that too, and knows the exception
"$(go run ./hack/tools -print golangci-lint)" run --allow-serial-runners ./...
"$(go run ./hack/tools -print kube-api-linter)" run --config .golangci-kal.yml --allow-serial-runners ./api/...
go run ./hack/licences
go run ./hack/words
echo "verify: clean"
