#!/usr/bin/env bash
# Installs what is missing, with apt, and says what and why. Installs nothing and
# takes no time when nothing is missing.
#
#   setup.sh [--print] [build] [run] [test] [proto]      (default: build run)
#
#   build   the compiler that cgo needs; libvirt's headers are not needed
#   run     real machines: libvirt, QEMU, DHCP, config drives, the small guest image
#   test    run, and what the tests drive from outside: the openstack client, virsh,
#           Node.js for a client of Nacos
#   proto   protoc, to regenerate messages/ from proto/
#
# --print only says what is missing, and fails if something is.
# Go, git and make are taken for granted. Debian 12 and Ubuntu 24.04 names.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

usage() { sed -n '2,15p' "$0" >&2; exit 2; }

# reason PACKAGE: why it is wanted.
reason() {
  case "$1" in
    gcc | libc6-dev) echo "cgo, for the libvirt driver" ;;
    libvirt-daemon | libvirt-daemon-driver-qemu) echo "the daemon that runs machines" ;;
    qemu-system-x86) echo "the machines themselves" ;;
    qemu-utils) echo "disks: qemu-img" ;;
    dnsmasq-base) echo "addresses for machines: DHCP" ;;
    genisoimage) echo "config drives" ;;
    iproute2) echo "the machines' network: ip" ;;
    iptables) echo "libvirt looks for it when it starts" ;;
    busybox-static | syslinux | syslinux-common | mtools | fdisk | kmod | cpio | zstd | e2fsprogs) echo "building the small guest image" ;;
    libvirt-clients) echo "virsh, by which tests look behind the driver's back" ;;
    nodejs | npm) echo "npm nacos, an unmodified client that the tests drive" ;;
    python3-openstackclient) echo "the unmodified client that the tests drive" ;;
    protobuf-compiler) echo "make proto" ;;
    *) echo "needed" ;;
  esac
}

build=(gcc libc6-dev)
run=(libvirt-daemon libvirt-daemon-driver-qemu qemu-system-x86 qemu-utils dnsmasq-base genisoimage iproute2 iptables
  busybox-static syslinux syslinux-common mtools fdisk kmod cpio zstd e2fsprogs)
test=(libvirt-clients python3-openstackclient nodejs npm)
proto=(protobuf-compiler)

print=0 wanted=()
[ $# -gt 0 ] || set -- build run
for a in "$@"; do
  case "$a" in
    --print) print=1 ;;
    build) wanted+=("${build[@]}") ;;
    run) wanted+=("${run[@]}") ;;
    test) wanted+=("${run[@]}" "${test[@]}") ;;
    proto) wanted+=("${proto[@]}") ;;
    *) usage ;;
  esac
done
[ ${#wanted[@]} -gt 0 ] || wanted=("${build[@]}" "${run[@]}")

if ! command -v dpkg-query >/dev/null; then
  echo "setup: this is no Debian or Ubuntu; please install what these packages stand for: ${wanted[*]}" >&2
  exit 1
fi

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/^installed //p' || true)
missing=()
for p in "${wanted[@]}"; do
  grep -qxF "$p" <<<"$installed" || [[ " ${missing[*]} " == *" $p "* ]] || missing+=("$p")
done
# Some may be there under another name, or not as a package at all.
there=()
command -v cc >/dev/null && there+=(gcc)
command -v node >/dev/null && there+=(nodejs)
command -v npm >/dev/null && there+=(npm)
keep=()
for p in "${missing[@]}"; do [[ " ${there[*]} " == *" $p "* ]] || keep+=("$p"); done
missing=("${keep[@]}")
[ ${#missing[@]} -gt 0 ] || exit 0

echo "setup: missing:" >&2
for p in "${missing[@]}"; do printf '  %-28s %s\n' "$p" "$(reason "$p")" >&2; done
[ "$print" = 0 ] || exit 1

apt=(apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "setup: installing them needs root: apt-get install --no-install-recommends ${missing[*]}" >&2; exit 1; }
  apt=(sudo env DEBIAN_FRONTEND=noninteractive "${apt[@]}")
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
step() { "$@" </dev/null >"$log" 2>&1 || { tail -n 20 "$log" >&2; return 1; }; }

# A service that a package starts by itself is not wanted: Troupe runs its own
# libvirtd. policy-rc.d says so, unless the machine has one already.
policy=/usr/sbin/policy-rc.d
if [ "$(id -u)" = 0 ] && [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$log" "$policy"' EXIT
fi

echo "setup: installing ${#missing[@]} packages with apt" >&2
# The lists may be fresh enough; if not, they are fetched and it is tried again.
step "${apt[@]}" install --no-install-recommends "${missing[@]}" 2>/dev/null || {
  step "${apt[@]}" update
  step "${apt[@]}" install --no-install-recommends "${missing[@]}"
}
echo "setup: done" >&2
