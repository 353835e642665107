#!/usr/bin/env bash
# What `make run` does once everything is installed and built: a private
# libvirtd in a network namespace with no way out, the cloud on 127.0.0.1, a test
# image in it and a first real machine. It stays in the foreground; Ctrl-C ends
# the cloud and what this script started, and keeps the data.
#
#   run.sh [DIR]     DIR keeps the cloud's data; default: run
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"

dir=$(realpath -m "${1:-run}")
listen=${TROUPE_LISTEN:-127.0.0.1:8774}
netns=${TROUPE_NETNS:-troupe0}
# A Unix socket's path has at most 107 bytes: libvirtd's folder may have to stand
# apart from the data.
nodes=$dir/libvirt
[ ${#nodes} -le 80 ] || nodes=/run/troupe-$(printf %s "$dir" | sha256sum | cut -c1-8)
image=test guest=hello flavor=t1.micro
troupe=bin/troupe cloud_pid='' libvirt=''

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die() { echo "run.sh: $*" >&2; exit 1; }

finish() {
  trap - EXIT INT TERM
  if [ -n "$cloud_pid" ] && kill -0 "$cloud_pid" 2>/dev/null; then
    say "stopping the cloud"
    kill -TERM "$cloud_pid"
    wait "$cloud_pid" || true
  fi
  [ -z "$libvirt" ] || scripts/libvirt-node.sh stop "$nodes" dev
  if [ -n "$libvirt" ] && ip netns list | grep -q "^$netns\b"; then
    for pid in $(ip netns pids "$netns"); do kill "$pid" 2>/dev/null || true; done
    ip netns del "$netns"
  fi
  say "stopped; the data stays in $dir"
}
trap finish EXIT
trap 'exit 0' INT TERM

[ "$(id -u)" = 0 ] || die "a real machine on a bridge of its own needs root; without it: $troupe dev --driver sim"
[ -x "$troupe" ] || die "$troupe is missing: make build"
mkdir -p "$dir" "$nodes"

say "test image"
image_file=$(scripts/build-test-image.sh)
echo "$image_file"

say "private libvirtd in network namespace $netns"
libvirt=$(scripts/libvirt-node.sh start "$nodes" dev "$netns")
echo "$libvirt"

say "cloud"
ready=$(mktemp)
"$troupe" dev --data "$dir" --listen "$listen" --netns "$netns" --driver libvirt --libvirt-uri "$libvirt" >"$ready" &
cloud_pid=$!
until grep -q 'is ready' "$ready"; do
  kill -0 "$cloud_pid" 2>/dev/null || { cloud_pid=''; die "the cloud did not start"; }
  sleep 0.1
done
cat "$ready" && rm -f "$ready"

export OS_CLOUD=troupe OS_CLIENT_CONFIG_FILE="$dir/clouds.yaml"
status=$("$troupe" server show "$guest" -o json 2>/dev/null | sed -n 's/^ *"status": "\(.*\)",$/\1/p' || true)
if [ "$status" = ERROR ]; then
  "$troupe" server delete "$guest" --wait
  status=''
fi
# The log keeps earlier boots; this one is one more.
boots() { "$troupe" server console "$guest" 2>/dev/null | grep -c 'TESTIMG READY' || true; }
ready_at=1
if [ -z "$status" ]; then
  say "a first machine"
  "$troupe" image show "$image" >/dev/null 2>&1 ||
    "$troupe" image create "$image" --file "$image_file" --visibility public
  printf '#!/bin/sh\necho "hello from user data"\n' >"$dir/hello.sh"
  "$troupe" server create "$guest" --image "$image" --flavor "$flavor" --user-data "$dir/hello.sh" --config-drive --wait
else
  say "machine $guest is there already: $status"
  [ "$status" = ACTIVE ] || ready_at=$(($(boots) + 1))
  [ "$status" = ACTIVE ] || "$troupe" server start "$guest" --wait
fi

say "its console"
for _ in $(seq 120); do
  [ "$(boots)" -lt "$ready_at" ] || break
  kill -0 "$cloud_pid" 2>/dev/null || die "the cloud ended"
  sleep 1
done
"$troupe" server console "$guest" | tail -n 20

say "ready"
cat <<E
  . $dir/openrc                       then: openstack server list
  $troupe server list                 (from this folder it finds the cloud by itself)
  $troupe server create --help
Ctrl-C ends the cloud; the next make run finds everything again.
E
wait "$cloud_pid"
