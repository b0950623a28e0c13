#!/usr/bin/env bash
# Checks for what the embedded test environment needs and names the Debian package of what is missing. With the argument `test`, also for
# what the tests need; with `guest`, for what guests that are whole machines need.
set -euo pipefail
missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need git git
need unshare util-linux
need mount mount
if [[ ${1:-} == test ]]; then
	# Where the system isn't to be set up by it, touch /etc/cloud/cloud-init.disabled first.
	need cloud-init cloud-init
	need gcc gcc # for the race detector
	need buildah buildah # for the image
	[[ -e /usr/include/stdlib.h ]] || missing+=(libc6-dev)
fi
if [[ ${1:-} == guest ]]; then
	need qemu-system-x86_64 qemu-system-x86
	need qemu-img qemu-utils
	need mmdebstrap mmdebstrap
	need xorrisofs xorriso
fi
if ! command -v go >/dev/null 2>&1; then
	echo "needs: Go $(awk '$1 == "go" {print $2}' go.mod) or newer is not installed" >&2
	exit 1
fi
if ((${#missing[@]})); then
	echo "needs: missing Debian packages; run: apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi
