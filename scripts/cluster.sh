#!/usr/bin/env bash
# A cloud of three nodes and one Consul server on loopback, with simulated hosts:
# what `make cluster` starts and leaves running.
#
#   cluster.sh start [DIR]    start what does not run yet; DIR keeps the data (default: run/cluster)
#   cluster.sh stop [DIR]     end it in order; the data stays
set -euo pipefail
cd "$(dirname "$0")/.."

action=${1:-start}
dir=$(realpath -m "${2:-run/cluster}")
nodes=${TROUPE_CLUSTER_NODES:-3}
hosts=${TROUPE_SIM_HOSTS:-8}
consul_port=${TROUPE_CONSUL_PORT:-8500}
api_port=${TROUPE_API_PORT:-8774}   # of node1; the next node's is 10 higher
registry_port=${TROUPE_REGISTRY_PORT:-8848} # likewise, of the registry
peer_port=${TROUPE_PEER_PORT:-7774}
consul_address=127.0.0.1:$consul_port/troupe
troupe=$PWD/bin/troupe
unset TROUPE_SIM_HOSTS TROUPE_JOIN

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die() { echo "cluster.sh: $*" >&2; exit 1; }

# alive NAME: does the process that we started as NAME still run
alive() {
  local pid
  pid=$(cat "$dir/$1.pid" 2>/dev/null) && [ -n "$pid" ] &&
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$dir/$1"
}

# launch NAME COMMAND...: in the background, for good, with its output in files
launch() {
  local name=$1
  shift
  setsid "$@" >"$dir/$name.out" 2>>"$dir/$name.log" </dev/null &
  echo $! >"$dir/$name.pid"
}

# await NAME TEXT: until NAME has printed TEXT
await() {
  for _ in $(seq 600); do
    ! grep -q "$2" "$dir/$1.out" || return 0
    alive "$1" || { tail -n 20 "$dir/$1.log" >&2; die "$1 did not start"; }
    sleep 0.1
  done
  tail -n 20 "$dir/$1.log" >&2
  die "$1 was not ready within a minute"
}

# end NAME: SIGTERM, then wait
end() {
  alive "$1" || return 0
  local pid
  pid=$(cat "$dir/$1.pid")
  kill -TERM "$pid"
  for _ in $(seq 600); do
    alive "$1" || { rm -f "$dir/$1.pid"; echo "$1 has ended"; return 0; }
    sleep 0.1
  done
  die "$1 (process $pid) does not end"
}

start() {
  [ -x "$troupe" ] || die "$troupe is missing: make build"
  mkdir -p "$dir"
  if ! alive consul; then
    say "Consul"
    consul=$(scripts/consul.sh)
    # As in cluster/consultest: it marks its whole state less often.
    GOGC=${GOGC:-400} GOMEMLIMIT=${GOMEMLIMIT:-2GiB} launch consul "$consul" agent -server -bootstrap-expect=1 -node=consul -data-dir "$dir/consul" \
      -bind 127.0.0.1 -client 127.0.0.1 -http-port "$consul_port" -grpc-port -1 -grpc-tls-port -1 -dns-port -1 \
      -server-port $((consul_port + 1)) -serf-lan-port $((consul_port + 2)) -serf-wan-port -1 \
      -disable-host-node-id -log-level warn -hcl 'limits { http_max_conns_per_client = 2000 }'
    for _ in $(seq 300); do
      ! "$consul" operator raft list-peers -http-addr="http://127.0.0.1:$consul_port" 2>/dev/null | grep -q leader || break
      alive consul || { tail -n 20 "$dir/consul.out" >&2; die "Consul did not start"; }
      sleep 0.1
    done
    echo "on 127.0.0.1:$consul_port, process $(cat "$dir/consul.pid")"
  fi
  if [ ! -e "$dir/node1/pki" ]; then
    say "a new cluster"
    "$troupe" cluster init --consul "$consul_address" --data "$dir/node1" --name node1
  fi
  for n in $(seq "$nodes"); do
    say "node$n"
    if ! alive "node$n"; then
      join=()
      if [ ! -e "$dir/node$n/pki" ]; then
        join=(--join "$("$troupe" cluster token create --consul "$consul_address" --data "$dir/node1" --expires 10m)")
      fi
      launch "node$n" "$troupe" node --name "node$n" --consul "$consul_address" --data "$dir/node$n" \
        --bind "127.0.0.1:$((peer_port + 10 * (n - 1)))" --listen "127.0.0.1:$((api_port + 10 * (n - 1)))" \
        --registry-listen "127.0.0.1:$((registry_port + 10 * (n - 1)))" \
        --driver sim --sim-hosts "$hosts" "${join[@]}"
      await "node$n" 'is ready'
    fi
    cat "$dir/node$n.out"
  done
  say "ready"
  OS_CLIENT_CONFIG_FILE="$dir/node1/clouds.yaml" OS_CLOUD=troupe "$troupe" cluster status
  cat <<E

Its administrator's openrc, $dir/node1/openrc:

$(cat "$dir/node1/openrc")

Any node answers: set OS_AUTH_URL to http://127.0.0.1:$((api_port + 10))/identity/v3 and ask the second.
They go on running; \`make cluster-stop\` ends them.
E
}

stop() {
  for n in $(seq "$nodes" -1 1); do end "node$n"; done
  end consul
}

case $action in
  start) start ;;
  stop) stop ;;
  *) die "what is $action? start or stop" ;;
esac
