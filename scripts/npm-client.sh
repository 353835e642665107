#!/bin/sh
# npm-client.sh nacos|eureka prints the directory that holds the npm packages which
# e2e/clients/NAME/node/package-lock.json pins, installed once and kept outside the checkout
# (${XDG_CACHE_HOME:-~/.cache}/troupe/NAME-client-CHECKSUM). It needs node and npm,
# which setup.sh installs, and takes 5 minutes at most.
set -eu

name=${1:?which client: nacos or eureka}
from=$(CDPATH='' cd -- "$(dirname -- "$0")/../e2e/clients/$name/node" && pwd)
sum=$(sha256sum "$from/package-lock.json" | cut -c1-16)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/troupe/$name-client-$sum
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
	echo "installing the npm packages of e2e/clients/$name once: $dir" >&2
	rm -rf "$dir/new"
	mkdir "$dir/new"
	cp "$from/package.json" "$from/package-lock.json" "$dir/new/"
	(cd "$dir/new" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
	mv "$dir/new/node_modules" "$dir/node_modules"
fi
echo "$dir"
