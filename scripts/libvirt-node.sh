#!/usr/bin/env bash
# A private libvirtd with its own state, socket and host UUID; no systemd, and
# no libvirtd of the system's is touched. Run as root.
#
#   libvirt-node.sh start DIR NAME [NETNS]   starts it (if it does not run), prints its URI
#   libvirt-node.sh uri   DIR NAME           prints the URI
#   libvirt-node.sh pid   DIR NAME           prints the daemon's process id
#   libvirt-node.sh kill  DIR NAME           ends the daemon only; its guests go on running
#   libvirt-node.sh stop  DIR NAME           ends its guests and the daemon
#
# DIR should be short: a Unix socket's path has at most 107 bytes.
# TROUPE_LIBVIRT_CACHE (default: the user's cache folder) keeps what libvirt
# learned about the installed QEMU, so only the first node ever asks for it
# (5-8 s). CGROUPS='"cpu","cpuacct"' turns cgroups on (outside a namespace).
set -euo pipefail
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"

usage() { echo "usage: libvirt-node.sh start|stop|kill|uri|pid DIR NAME [NETNS]" >&2; exit 2; }
die() { echo "libvirt-node.sh: $*" >&2; exit 1; }
[ $# -ge 3 ] || usage
cmd=$1 base=$2 name=$3 ns=${4:-}
case "$base" in /*) ;; *) base="$PWD/$base" ;; esac
S="$base/$name"
sock="$S/run/libvirt-sock"
uri="qemu+unix:///system?socket=$sock"
CACHE="${TROUPE_LIBVIRT_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/troupe/libvirt-capabilities}"

# inside says whether process $1 lives in this node's mount namespace. A pid file
# may be old, and its number someone else's by now.
inside() { [ "/proc/$1/root/run/libvirt" -ef "$S/run" ] 2>/dev/null; }

# daemon prints the id of the running daemon.
daemon() {
  local p
  p=$(cat "$S/run/libvirtd.pid" 2>/dev/null) && inside "$p" && echo "$p"
}

# gone waits until process $1 has ended, at most $2 tenths of a second.
gone() { for _ in $(seq "$2"); do kill -0 "$1" 2>/dev/null || return 0; sleep 0.1; done; return 1; }

end_daemon() {
  local p
  p=$(daemon) || return 0
  kill "$p"
  gone "$p" 100 || { kill -9 "$p"; gone "$p" 20; } || true
}

# keep saves the capabilities for the next node, if there are any yet.
keep() {
  compgen -G "$S/cache/qemu/capabilities/*.xml" >/dev/null || return 0
  mkdir -p "$CACHE"
  for f in "$S"/cache/qemu/capabilities/*.xml; do
    cp "$f" "$CACHE/.$$" && mv "$CACHE/.$$" "$CACHE/$(basename "$f")"
  done
}

configure() {
  # Debian's libvirtd looks this user up at start even when qemu.conf says root;
  # libvirt-daemon-system makes it, libvirt-daemon alone does not.
  getent group libvirt-qemu >/dev/null || groupadd -r libvirt-qemu
  getent passwd libvirt-qemu >/dev/null ||
    useradd -r -M -g libvirt-qemu -d /var/lib/libvirt -s /usr/sbin/nologin libvirt-qemu
  mkdir -p "$S"/{etc,lib,cache,run,log}
  mkdir -p "$S"/etc/{qemu,storage,secrets,nwfilter,hooks} "$S"/etc/qemu/{networks,autostart} "$S/cache/qemu/capabilities"
  chmod 0700 "$S"
  cp -n "$CACHE"/*.xml "$S/cache/qemu/capabilities/" 2>/dev/null || true
  [ -s "$S/uuid" ] || cat /proc/sys/kernel/random/uuid >"$S/uuid"
  cat >"$S/etc/libvirtd.conf" <<C
host_uuid = "$(cat "$S/uuid")"
unix_sock_group = "root"
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:file:$S/log/libvirtd.log"
max_clients = 200
max_workers = 20
C
  cat >"$S/etc/qemu.conf" <<C
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
security_default_confined = 0
namespaces = []
cgroup_controllers = [ ${CGROUPS:-} ]
stdio_handler = "file"
seccomp_sandbox = 0
set_process_name = 1
vnc_listen = "127.0.0.1"
C
  # What libvirt keeps of the processor's features depends on the core that it asks
  # (CPUID 0x1f names it), and it throws away what another core said. So it is
  # always the same core; libvirt gives its guests all of them again.
  local cpu
  cpu=$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')
  local collect
  collect=$(collector)
  # libvirtd's folders cannot be configured: it gets a mount namespace in which
  # the usual places are ours.
  cat >"$S/enter" <<C
#!/bin/sh
set -e
mount --make-rprivate /
for d in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /run/libvirt /var/log/libvirt; do mkdir -p \$d; done
mount --bind "$S/etc" /etc/libvirt
mount --bind "$S/lib" /var/lib/libvirt
mount --bind "$S/cache" /var/cache/libvirt
mount --bind "$S/run" /run/libvirt
mount --bind "$S/log" /var/log/libvirt
exec setsid -w $collect taskset -c "$cpu" libvirtd --daemon --config /etc/libvirt/libvirtd.conf --pid-file /run/libvirt/libvirtd.pid
C
  chmod 0700 "$S/enter"
}

# The daemon and its guests detach themselves from whoever started them. Where
# process 1 is no init, as in many containers, nobody collects them when they end,
# and libvirt waits in vain for them to be gone. So they get a parent that does: a
# "child subreaper" (prctl 36), which answers for the daemon's start and ends with
# the last of them. prctl's number is that of x86-64.
collector() {
  [ "$(uname -m)" = x86_64 ] && command -v perl >/dev/null || return 0
  cat >"$S/collect" <<'C'
pipe(my $told, my $tell) or die "pipe: $!\n";
defined(my $self = fork) or die "fork: $!\n";
if ($self) {
  close $tell;
  sysread $told, my $failed, 1;
  exit(length $failed ? ord $failed : 1);
}
syscall(157, 36, 1, 0, 0, 0) == 0 or die "prctl: $!\n";
defined(my $daemon = fork) or die "fork: $!\n";
if (!$daemon) { exec @ARGV; die "$ARGV[0]: $!\n" }
open $_, "+<", "/dev/null" for *STDIN, *STDOUT, *STDERR;
while ((my $ended = wait) > 0) {
  syswrite $tell, chr($? ? 1 : 0) if $ended == $daemon;
}
C
  echo "perl \"$S/collect\""
}

start() {
  [ "$(id -u)" = 0 ] || die "only root can start one"
  command -v libvirtd >/dev/null || die "libvirtd is not installed (scripts/setup.sh run installs it)"
  [ ${#sock} -le 107 ] || die "the socket's path is too long: $sock"
  mkdir -p "$S"
  exec 9>"$S/.lock"
  flock -w 60 9 || die "another start of $S is under way"
  if daemon >/dev/null && [ -S "$sock" ]; then echo "$uri"; return; fi
  configure
  rm -f "$sock"
  if [ -n "$ns" ]; then
    [ -e "/run/netns/$ns" ] || { ip netns add "$ns"; ip -n "$ns" link set lo up; }
    ip netns exec "$ns" unshare -m "$S/enter" </dev/null 9>&-
  else
    unshare -m "$S/enter" </dev/null 9>&-
  fi
  for _ in $(seq 200); do
    if [ -S "$sock" ] && daemon >/dev/null; then echo "$uri"; return; fi
    sleep 0.05
  done
  tail -n 5 "$S/log/libvirtd.log" >&2 || true
  die "libvirtd did not start"
}

stop() {
  local f p
  keep || true
  end_daemon
  # Guests outlive the daemon; each of them has its pid file.
  for f in "$S"/run/qemu/*.pid; do
    [ -f "$f" ] || continue
    p=$(cat "$f")
    if inside "$p"; then
      kill "$p" 2>/dev/null || true
      gone "$p" 50 || kill -9 "$p" 2>/dev/null || true
    fi
    rm -f "$f"
  done
}

case "$cmd" in
  start) start ;;
  stop) stop ;;
  kill) keep || true; end_daemon ;;
  uri) echo "$uri" ;;
  pid) daemon ;;
  *) usage ;;
esac
