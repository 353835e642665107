#!/bin/sh
# Prints the path of a Consul binary: $TROUPE_CONSUL, else the one on the PATH,
# else one built from tools/consul, once, and kept outside the checkout
# (${XDG_CACHE_HOME:-~/.cache}/troupe/consul-VERSION-GOVERSION/consul).
# With --no-build it fails where it would have to build (about 4 minutes).
set -eu

if [ -n "${TROUPE_CONSUL:-}" ]; then
	if [ ! -x "$TROUPE_CONSUL" ]; then
		echo "TROUPE_CONSUL=$TROUPE_CONSUL is no program that can be run" >&2
		exit 1
	fi
	echo "$TROUPE_CONSUL"
	exit 0
fi
if command -v consul 2>/dev/null; then
	exit 0
fi

module=$(CDPATH='' cd -- "$(dirname -- "$0")/../tools/consul" && pwd)
go=${GO:-go}
version=$(sed -n 's|^require github.com/hashicorp/consul v||p' "$module/go.mod")
goversion=$(cd "$module" && "$go" env GOVERSION)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/troupe/consul-$version-$goversion
binary=$dir/consul
if [ -x "$binary" ]; then
	echo "$binary"
	exit 0
fi
if [ "${1:-}" = --no-build ]; then
	echo "no consul on the PATH and none built yet: run make consul" >&2
	exit 1
fi

mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9
if [ ! -x "$binary" ]; then # another build may have made it meanwhile
	echo "building consul $version once (about 4 minutes): $binary" >&2
	(cd "$module" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false "$go" build -trimpath \
		-ldflags "-s -w -X github.com/hashicorp/consul/version.GitDescribe=$version" \
		-o "$binary.new" github.com/hashicorp/consul) >&2
	mv "$binary.new" "$binary"
fi
echo "$binary"
