#!/bin/sh
# Prints the directory that holds npm eureka-js-client as
# e2e/eureka/node/package-lock.json pins it, installed once and kept outside the
# checkout (${XDG_CACHE_HOME:-~/.cache}/troupe/eureka-client-CHECKSUM). It needs node
# and npm, which setup.sh installs, and takes 5 minutes at most.
set -eu

from=$(CDPATH='' cd -- "$(dirname -- "$0")/../e2e/eureka/node" && pwd)
sum=$(sha256sum "$from/package-lock.json" | cut -c1-16)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/troupe/eureka-client-$sum
if [ -d "$dir/node_modules" ]; then
	echo "$dir"
	exit 0
fi
if ! command -v npm >/dev/null; then
	echo "npm is not installed: run scripts/setup.sh test" >&2
	exit 1
fi

mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9
if [ ! -d "$dir/node_modules" ]; then # another run may have installed it meanwhile
	echo "installing npm eureka-js-client once: $dir" >&2
	rm -rf "$dir/new"
	mkdir "$dir/new"
	cp "$from/package.json" "$from/package-lock.json" "$dir/new/"
	(cd "$dir/new" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
	mv "$dir/new/node_modules" "$dir/node_modules"
fi
echo "$dir"
