#!/usr/bin/env bash
# Builds a tiny bootable guest image for tests, from Debian packages only:
#   Debian's cloud kernel + busybox-static + an init written here.
#
#   build-test-image.sh [--out DIR] [--force] [--no-check] [--print-dir]
#
# Output (in DIR/VERSION, DIR/current is a link to it):
#   testimg.qcow2   bootable disk (BIOS, MBR, syslinux, p1 FAT boot, p2 ext4 data)
#   vmlinuz, initrd.img, cmdline   the same guest for direct kernel boot
#   manifest.json   version, sizes, sha256
# The last line on standard output is the path of the qcow2. Everything else
# goes to standard error. A finished version is not built again.
#
# What the guest prints on its serial console (and on its screen):
#   TESTIMG START boot=N uptime=S        N counts boots of this disk
#   TESTIMG HW vcpus=N mem_kb=N cmdline=...
#   TESTIMG DISK NAME bytes=N ro=0|1     one per block device
#   TESTIMG NET DEV ip=A/P gw=G mac=M mtu=N | TESTIMG NET DEV dhcp=failed
#   TESTIMG META source=configdrive|http|none instance-id=X hostname=Y
#   TESTIMG USERDATA-BEGIN, the text, TESTIMG USERDATA-END   (a text that starts
#       with #! is run, its output lines shown as TESTIMG RUN: ...)
#   TESTIMG READY boot=N uptime=S        after it: "NAME login:" (root / test,
#       or the meta data's admin_pass)
#   TESTIMG UEVENT add|remove|change block|net NAME   while running
#   TESTIMG ACPI power-button, TESTIMG SHUTDOWN uptime=S
# Kernel arguments / lines "#testimg WORD" in the user data:
#   testimg.ignore-acpi  ignore the power button
#   testimg.tick         print "TESTIMG TICK n" each second
#   testimg.nohttp       do not ask the HTTP metadata service
#   testimg.http         ask it even if a config drive was found, and behind
#                        QEMU's user networking (where it is not asked otherwise)
# The guest listens on TCP port 80 (GET /hostname, /instance-id, /boot).
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH="$PATH:/usr/sbin:/sbin"

FORMAT=1          # raise when the image's behaviour changes
OUT="${TESTIMG_OUT:-${XDG_CACHE_HOME:-$HOME/.cache}/troupe/testimg}"
FORCE=0 CHECK=1 PRINT=0
while [ $# -gt 0 ]; do
  case "$1" in
    --out) OUT=$2; shift 2;;
    --force) FORCE=1; shift;;
    --no-check) CHECK=0; shift;;
    --print-dir) PRINT=1; shift;;
    -h|--help) sed -n '2,40p' "$0"; exit 0;;
    *) echo "unknown argument $1" >&2; exit 2;;
  esac
done
exec 3>&1 1>&2
T0=$SECONDS
log() { printf '[testimg %3ds] %s\n' $((SECONDS-T0)) "$*"; }
die() { log "ERROR: $*"; exit 1; }

mkdir -p "$OUT"
exec 9>"$OUT/.lock"
flock -w 600 9 || die "another build holds $OUT/.lock"

SELF="$(cd "$(dirname "$0")" && pwd)/$(basename "$0")"
SCRIPT_SUM=$(sha256sum "$SELF" | cut -c1-10)

# A finished build of this very script is used without looking at apt at all.
if [ "$FORCE" = 0 ] && [ -e "$OUT/current/manifest.json" ] &&
   grep -q "\"script\": \"$SCRIPT_SUM\"" "$OUT/current/manifest.json"; then
  if [ "$CHECK" = 0 ] || grep -q '"checked": true' "$OUT/current/manifest.json"; then
    log "cached: $(readlink "$OUT/current")"
    [ "$PRINT" = 1 ] && echo "$OUT/current" >&3 || echo "$OUT/current/testimg.qcow2" >&3
    exit 0
  fi
fi

# --- packages -------------------------------------------------------------
need=()
want() { command -v "$1" >/dev/null 2>&1 || need+=("$2"); }
want qemu-img qemu-utils
want mke2fs e2fsprogs
want sfdisk fdisk
want mcopy mtools
want syslinux syslinux
want depmod kmod
want cpio cpio
want zstd zstd
want dpkg-deb dpkg
[ "$CHECK" = 1 ] && { want qemu-system-x86_64 qemu-system-x86; want genisoimage genisoimage; }
{ [ -x /bin/busybox ] && dpkg -s busybox-static >/dev/null 2>&1; } || need+=(busybox-static)
[ -e /usr/lib/syslinux/mbr/mbr.bin ] || [ -e /usr/lib/SYSLINUX/mbr.bin ] || need+=(syslinux-common)
APT=(apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
updated=0
update() { [ $updated = 1 ] || { "${APT[@]}" update >/dev/null; updated=1; }; }
if [ ${#need[@]} -gt 0 ]; then
  [ "$(id -u)" = 0 ] || die "missing packages, and not root to install them: ${need[*]}"
  log "installing ${need[*]}"
  update
  "${APT[@]}" install --no-install-recommends "${need[@]}" </dev/null >/dev/null
fi

kpkg() { apt-cache depends linux-image-cloud-amd64 2>/dev/null |
         sed -n 's/^ *Depends: \(linux-image-[0-9].*-cloud-amd64\)$/\1/p' | head -1; }
KPKG=$(kpkg); [ -n "$KPKG" ] || { update; KPKG=$(kpkg); }
[ -n "$KPKG" ] || die "no linux-image-cloud-amd64 in apt's lists"
BBVER=$(dpkg-query -W -f '${Version}' busybox-static)

W=$(mktemp -d "${TMPDIR:-/tmp}/testimg.XXXXXX")
QPID=
cleanup() { [ -z "$QPID" ] || kill "$QPID" 2>/dev/null || true; rm -rf "$W"; }
trap cleanup EXIT

# --- kernel ---------------------------------------------------------------
mkdir -p "$OUT/debs"
cd "$OUT/debs"
deb=$(ls -1 "${KPKG}"_*_amd64.deb 2>/dev/null | tail -1 || true)
if [ -z "$deb" ]; then
  log "downloading $KPKG"
  "${APT[@]}" -o APT::Sandbox::User=root download "$KPKG" >/dev/null 2>&1 ||
    { update; KPKG=$(kpkg); "${APT[@]}" -o APT::Sandbox::User=root download "$KPKG" >/dev/null; }
  deb=$(ls -1t "${KPKG}"_*_amd64.deb | head -1)
fi
KDEBVER=$(dpkg-deb -f "$deb" Version)
VERSION="f${FORMAT}-k${KDEBVER//[^A-Za-z0-9.]/_}-${SCRIPT_SUM}"
D="$OUT/$VERSION"
log "version $VERSION"
dpkg-deb -x "$deb" "$W/k"
KVER=$(basename "$W"/k/lib/modules/*)
rm -rf "$D.tmp"; mkdir -p "$D.tmp"
cp "$W/k/boot/vmlinuz-$KVER" "$D.tmp/vmlinuz"

# --- initramfs ------------------------------------------------------------
R="$W/root"
mkdir -p "$R"/{bin,sbin,usr/bin,usr/sbin,dev,proc,sys,run,tmp,etc/udhcpc,mnt/{data,config},root,var/www/cgi-bin,lib/modules/"$KVER"}
cp /bin/busybox "$R/bin/busybox"
for a in $(/bin/busybox --list); do [ "$a" = busybox ] || ln -s /bin/busybox "$R/bin/$a"; done
ln -s /bin/busybox "$R/sbin/init"; ln -s /bin/busybox "$R/sbin/modprobe"; ln -s /bin/busybox "$R/linuxrc"

# modules wanted, with what they depend on
depmod -b "$W/k" "$KVER" 2>/dev/null || depmod -b "$W/k" -m "" "$KVER"
mods="virtio_pci virtio_blk virtio_net virtio_scsi virtio_rng virtio_balloon virtio_console
      sd_mod sr_mod isofs vfat nls_cp437 nls_ascii nls_iso8859-1 nls_utf8 button evdev
      ata_piix ahci 8021q vmw_vsock_virtio_transport af_packet"
for m in $mods; do
  { modprobe -d "$W/k" -S "$KVER" --ignore-install --show-depends "$m" 2>/dev/null || true; } |
    awk '$1=="insmod"{print $2}'
done | sort -u | while read -r f; do
  rel=${f#"$W/k"}; install -D -m 644 "$f" "$R$rel"
done
cp "$W/k/lib/modules/$KVER"/modules.{order,builtin,builtin.modinfo} "$R/lib/modules/$KVER/" 2>/dev/null || true
depmod -b "$R" "$KVER"
find "$R/lib/modules/$KVER" -name '*.bin' -delete
[ -n "$(find "$R/lib/modules" -name 'virtio_blk.ko*')" ] || die "virtio_blk not in $KPKG"

cat > "$R/etc/passwd" <<'E'
root:x:0:0:root:/root:/bin/sh
E
printf 'root:%s:19000:0:99999:7:::\n' "$(/bin/busybox mkpasswd -m md5 test testimg0 2>/dev/null || echo '')" > "$R/etc/shadow"
printf 'root:x:0:\n' > "$R/etc/group"
printf 'testimg\n' > "$R/etc/hostname"
printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\nnetworks: files\n' > "$R/etc/nsswitch.conf"
printf 'http 80/tcp\n' > "$R/etc/services"
printf '127.0.0.1 localhost\n' > "$R/etc/hosts"
printf 'ttyS0\ntty1\nhvc0\n' > "$R/etc/securetty"
printf 'testimg %s\n' "$VERSION" > "$R/etc/testimg-version"
printf '\\n testimg\n' > "$R/etc/issue"

cat > "$R/etc/inittab" <<'E'
::sysinit:/etc/boot
ttyS0::respawn:/bin/getty -L 115200 ttyS0 vt100
tty1::respawn:/bin/getty 38400 tty1 linux
::ctrlaltdel:/bin/reboot
::shutdown:/etc/halt
E

cat > "$R/init" <<'E'
#!/bin/sh
export PATH=/bin:/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts; mount -t devpts pts /dev/pts; mount -t tmpfs run /run
exec /sbin/init
E

cat > "$R/etc/lib" <<'E'
export PATH=/bin:/sbin
up() { cut -d' ' -f1 /proc/uptime; }
say() { # one write to each console, so that lines do not mix
  printf 'TESTIMG %s\r\n' "$*" >/dev/ttyS0 2>/dev/null
  printf 'TESTIMG %s\r\n' "$*" >/dev/tty1 2>/dev/null
}
flag() { grep -qw "testimg\.$1" /proc/cmdline || grep -qsE "^#testimg +$1" /run/user-data; }
json() { # json KEY FILE: the first string value of KEY, whatever the depth
  tr '\n' ' ' <"$2" | sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p' | head -1
}
E

cat > "$R/etc/boot" <<'E'
#!/bin/sh
. /etc/lib
hostname -F /etc/hostname
ip link set lo up
mkdir -p /run/www
# coldplug (wget's -T is not used below: it crashes in Debian 12's busybox)
cold() { cat /sys/bus/$1/devices/*/modalias 2>/dev/null | sort -u | xargs modprobe -a -q -b 2>/dev/null; }
cold pci; cold virtio; modprobe -a -q button evdev # virtio devices appear with virtio_pci
grep -qs . /sys/bus/scsi/devices/*/modalias && cold scsi
i=0; while [ $i -lt 20 ] && ! ls /sys/block | grep -qE '^(vd|sd)'; do i=$((i+1)); usleep 50000; [ $i -eq 10 ] && grep -q testimg.nodisk /proc/cmdline && break; done
# the data partition counts boots
boot=0
data=$(findfs LABEL=testdata 2>/dev/null)
if [ -n "$data" ] && mount -t ext4 -o rw,data=ordered "$data" /mnt/data 2>/dev/null; then
  boot=$(cat /mnt/data/boots 2>/dev/null || echo 0); boot=$((boot+1))
  echo $boot >/mnt/data/boots; sync
fi
echo $boot >/run/boot; echo $boot >/run/www/boot
say "START boot=$boot uptime=$(up)"
say "HW vcpus=$(nproc) mem_kb=$(awk '/MemTotal/{print $2}' /proc/meminfo) cmdline=$(cat /proc/cmdline)"
for b in /sys/block/*; do
  n=${b##*/}; [ -e "$b" ] || continue; case $n in loop*|ram*|zram*) continue;; esac
  say "DISK $n bytes=$(( $(cat $b/size) * 512 )) ro=$(cat $b/ro)"
done
uevent /etc/hotplug >/dev/null 2>&1 &
/etc/powerbutton &
# meta data, first from a config drive
src=none; : >/run/meta.json; : >/run/user-data
cd_dev=$(findfs LABEL=config-2 2>/dev/null || findfs LABEL=CONFIG-2 2>/dev/null)
if [ -z "$cd_dev" ]; then
  for d in /dev/sr0 /dev/vd? /dev/sd?; do
    [ -b $d ] && dd if=$d bs=1 skip=32808 count=8 2>/dev/null | grep -qi '^config-2' && { cd_dev=$d; break; }
  done
fi
if [ -n "$cd_dev" ]; then
  mount -t iso9660 -o ro "$cd_dev" /mnt/config 2>/dev/null || mount -t vfat -o ro "$cd_dev" /mnt/config 2>/dev/null
  if [ -f /mnt/config/openstack/latest/meta_data.json ]; then
    src=configdrive
    cp /mnt/config/openstack/latest/meta_data.json /run/meta.json
    cp /mnt/config/openstack/latest/user_data /run/user-data 2>/dev/null
    cp /mnt/config/openstack/latest/network_data.json /run/network.json 2>/dev/null
  fi
fi
# network
lease=
for d in /sys/class/net/eth*; do [ -e "$d" ] && { /etc/netup "${d##*/}" & }; done
wait_net() { for d in /sys/class/net/eth*; do [ -e "$d" ] || continue; n=${d##*/}; i=0
  while [ $i -lt 140 ] && [ ! -e /run/net.$n ]; do i=$((i+1)); usleep 100000; done
  grep -qs ok /run/net.$n && lease=1; done; }
wait_net
iid= ; M=http://169.254.169.254
# Behind QEMU's user networking (gateway 10.0.2.2) the request would leave through
# the host to whatever answers at 169.254.169.254 in its network: not asked there.
gw=$(ip route | awk '/^default/{print $3; exit}')
md=1; [ -n "$lease" ] && ip route get 169.254.169.254 >/dev/null 2>&1 || md=0
[ $src = none ] || md=0; [ "$gw" = 10.0.2.2 ] && md=0
flag http && md=1; flag nohttp && md=0
if [ $md = 1 ]; then
  for t in 1 2 3; do
    iid=$(timeout 5 wget -q -O - $M/latest/meta-data/instance-id 2>/dev/null) && [ -n "$iid" ] && break
    say "META try=$t http=failed"; sleep 1
  done
  if [ -n "$iid" ]; then
    src=http
    timeout 5 wget -q -O /run/meta.json $M/openstack/latest/meta_data.json 2>/dev/null || : >/run/meta.json
    timeout 5 wget -q -O /run/user-data $M/latest/user-data 2>/dev/null || : >/run/user-data
    [ -s /run/meta.json ] || printf '{"uuid":"%s","hostname":"%s"}' "$iid" \
      "$(timeout 5 wget -q -O - $M/latest/meta-data/hostname 2>/dev/null)" >/run/meta.json
  fi
fi
uuid=$(json uuid /run/meta.json); host=$(json hostname /run/meta.json); pw=$(json admin_pass /run/meta.json)
[ -n "$iid" ] || iid=$uuid
[ -n "$host" ] && { echo "${host%%.*}" >/etc/hostname; hostname -F /etc/hostname; }
[ -n "$pw" ] && printf 'root:%s:19000:0:99999:7:::\n' "$(mkpasswd -m md5 "$pw")" >/etc/shadow
echo "$iid" >/run/www/instance-id; hostname >/run/www/hostname
say "META source=$src instance-id=$iid uuid=$uuid hostname=$host"
if [ -s /run/user-data ]; then
  say "USERDATA-BEGIN"; sed 's/\r*$/\r/' /run/user-data | tee /dev/tty1 >/dev/ttyS0 2>/dev/null; echo >/dev/ttyS0; say "USERDATA-END"
  case "$(head -c 2 /run/user-data)" in '#!')
    chmod 755 /run/user-data
    ( /run/user-data 2>&1 | while IFS= read -r l; do say "RUN: $l"; done; say "RUN-END" ) & ;;
  esac
fi
httpd -p 80 -h /run/www 2>/dev/null
flag tick && ( n=0; while :; do n=$((n+1)); say "TICK $n"; sleep 1; done ) &
say "READY boot=$boot uptime=$(up)"
E

cat > "$R/etc/netup" <<'E'
#!/bin/sh
. /etc/lib
d=$1; rm -f /run/net.$d
ip link set "$d" up
if udhcpc -q -n -f -t 5 -T 2 -i "$d" -s /etc/udhcpc/script -O 121 -O mtu -x hostname:"$(hostname)" >/run/udhcpc.$d 2>&1; then
  a=$(ip -4 -o addr show dev "$d" | awk '{print $4; exit}')
  say "NET $d ip=$a gw=$(ip route | awk '/^default/{print $3; exit}') mac=$(cat /sys/class/net/$d/address) mtu=$(cat /sys/class/net/$d/mtu)"
  echo ok >/run/net.$d.t; mv /run/net.$d.t /run/net.$d
else
  say "NET $d dhcp=failed mac=$(cat /sys/class/net/$d/address)"; echo failed >/run/net.$d
fi
E

cat > "$R/etc/udhcpc/script" <<'E'
#!/bin/sh
export PATH=/bin:/sbin
case "$1" in
deconfig) ip -4 addr flush dev "$interface";;
bound|renew)
  ip -4 addr flush dev "$interface"
  ip addr add "$ip/${mask:-24}" brd + dev "$interface"
  [ -n "$mtu" ] && ip link set "$interface" mtu "$mtu" 2>/dev/null
  if [ -n "$staticroutes" ]; then # option 121 replaces option 3
    set -- $staticroutes
    while [ $# -ge 2 ]; do
      if [ "$2" = 0.0.0.0 ]; then ip route replace "$1" dev "$interface"; else ip route replace "$1" via "$2" dev "$interface"; fi
      shift 2
    done
  else
    for r in $router; do ip route replace default via "$r" dev "$interface"; break; done
  fi
  : >/etc/resolv.conf
  for s in $dns; do echo "nameserver $s" >>/etc/resolv.conf; done;;
esac
E

cat > "$R/etc/hotplug" <<'E'
#!/bin/sh
. /etc/lib
case "$SUBSYSTEM" in
block) [ "$DEVTYPE" = disk ] || exit 0
  case "$DEVNAME" in loop*|ram*) exit 0;; esac
  case "$ACTION" in
  change) say "UEVENT change block $DEVNAME bytes=$(( $(cat /sys/block/$DEVNAME/size) * 512 ))";;
  add) say "UEVENT add block $DEVNAME bytes=$(( $(cat /sys/block/$DEVNAME/size) * 512 ))";;
  *) say "UEVENT $ACTION block $DEVNAME";;
  esac;;
net) say "UEVENT $ACTION net $INTERFACE"
  case "$ACTION:$INTERFACE" in add:eth*) /etc/netup "$INTERFACE" &;; esac;;
*) [ "$ACTION" = add ] && [ -n "$MODALIAS" ] && modprobe -q -b "$MODALIAS" 2>/dev/null;;
esac
exit 0
E

cat > "$R/etc/powerbutton" <<'E'
#!/bin/sh
. /etc/lib
ev=$(awk '/^N:.*Power Button/{p=1} p&&/^H:/{for(i=1;i<=NF;i++) if($i~/^event/){print $i; exit}} /^$/{p=0}' /proc/bus/input/devices)
[ -n "$ev" ] || { say "ACPI no-power-button"; exit; }
while :; do
  dd if=/dev/input/$ev of=/dev/null bs=48 count=1 2>/dev/null || exit
  if flag ignore-acpi; then say "ACPI power-button ignored"; continue; fi
  say "ACPI power-button"; poweroff; exit
done
E

cat > "$R/etc/halt" <<'E'
#!/bin/sh
. /etc/lib
say "SHUTDOWN uptime=$(up)"
sync; umount /mnt/data 2>/dev/null; umount /mnt/config 2>/dev/null
E
chmod 755 "$R"/init "$R"/etc/{boot,netup,hotplug,powerbutton,halt,udhcpc/script}
( cd "$R" && find . -print0 | sort -z | cpio --null -o -H newc --reproducible -R 0:0 --quiet ) | zstd -q -15 >"$D.tmp/initrd.img"
CMDLINE="console=tty0 console=ttyS0,115200n8 quiet panic=5 net.ifnames=0 mitigations=off audit=0 random.trust_cpu=on no_timer_check rcupdate.rcu_expedited=1 cryptomgr.notests"
echo "$CMDLINE" >"$D.tmp/cmdline"
log "kernel $(stat -c %s "$D.tmp/vmlinuz") bytes, initrd $(stat -c %s "$D.tmp/initrd.img") bytes"

# --- disk: p1 FAT (boot) at 1 MiB, 30 MiB; p2 ext4 (data) 8 MiB -------------
raw="$W/disk.raw"; P1=1 S1=30 P2=31 S2=8
truncate -s 40M "$raw"
sfdisk -q "$raw" <<E
label: dos
label-id: 0x7e571a6e
start=${P1}MiB, size=${S1}MiB, type=e, bootable
start=${P2}MiB, size=${S2}MiB, type=83
E
mbr=/usr/lib/syslinux/mbr/mbr.bin; [ -e $mbr ] || mbr=/usr/lib/SYSLINUX/mbr.bin
dd if=$mbr of="$raw" bs=440 count=1 conv=notrunc status=none
export MTOOLS_SKIP_CHECK=1
FAT="$raw@@${P1}M"
mformat -i "$FAT" -T $((S1*2048)) -h 255 -s 63 -H $((P1*2048)) -v TESTBOOT -N 7e571a6e ::
cat >"$W/syslinux.cfg" <<E
DEFAULT t
PROMPT 0
TIMEOUT 0
LABEL t
  KERNEL vmlinuz
  INITRD initrd.img
  APPEND $CMDLINE
E
mcopy -i "$FAT" "$D.tmp/vmlinuz" "$D.tmp/initrd.img" "$W/syslinux.cfg" ::
syslinux --install --offset $((P1*1048576)) "$raw"
mke2fs -q -F -t ext4 -L testdata -U 7e571a6e-0000-4000-8000-000000000001 -O ^metadata_csum,^64bit \
  -E offset=$((P2*1048576)),lazy_itable_init=0,hash_seed=7e571a6e-0000-4000-8000-000000000002 "$raw" ${S2}M
qemu-img convert -q -f raw -O qcow2 "$raw" "$D.tmp/testimg.qcow2"
log "disk $(stat -c %s "$D.tmp/testimg.qcow2") bytes, virtual 40 MiB"

# --- self-check: boot it, wait for the marker, press the power button --------
checked=false
if [ "$CHECK" = 1 ]; then
  C="$W/check"; mkdir -p "$C/cd/openstack/latest"
  printf '{"uuid":"7e571a6e-1111-4111-8111-111111111111","hostname":"selfcheck.example"}' >"$C/cd/openstack/latest/meta_data.json"
  printf 'hello from user data\n' >"$C/cd/openstack/latest/user_data"
  genisoimage -quiet -V config-2 -R -J -o "$C/cd.iso" "$C/cd" 2>/dev/null
  qemu-img create -q -f qcow2 -F qcow2 -b "$D.tmp/testimg.qcow2" "$C/disk.qcow2" 64M
  mkfifo "$C/qmp"; exec 8<>"$C/qmp"
  b0=$(date +%s%N)
  timeout 90 qemu-system-x86_64 -nodefaults -machine pc,accel=tcg -cpu max -m 128 -smp 1 -display none \
    -drive file="$C/disk.qcow2",if=virtio,format=qcow2 -drive file="$C/cd.iso",if=ide,media=cdrom,format=raw,readonly=on \
    -netdev user,id=n0,restrict=on -device virtio-net-pci,netdev=n0,romfile= \
    -serial file:"$C/serial.log" -qmp stdio <"$C/qmp" >"$C/qmp.out" 2>&1 &
  QPID=$!
  until grep -qs 'TESTIMG READY' "$C/serial.log"; do
    kill -0 $QPID 2>/dev/null || { tail -n 30 "$C/serial.log" "$C/qmp.out"; die "self-check: no TESTIMG READY"; }
    sleep 0.1
  done
  log "self-check: READY after $(( ($(date +%s%N)-b0)/1000000 )) ms"
  printf '{"execute":"qmp_capabilities"}\n{"execute":"system_powerdown"}\n' >&8
  wait $QPID || { tail -n 30 "$C/serial.log" "$C/qmp.out"; die "self-check: did not power off"; }
  QPID=; exec 8>&-
  for m in 'START boot=1' 'META source=configdrive instance-id=7e571a6e-1111' 'hello from user data' 'NET eth0 ip=10.0.2.15/24' 'DISK vda bytes=67108864' 'ACPI power-button' 'SHUTDOWN'; do
    grep -q "$m" "$C/serial.log" || { cat "$C/serial.log"; die "self-check: not on the console: $m"; }
  done
  log "self-check: passed, whole life $(( ($(date +%s%N)-b0)/1000000 )) ms"
  checked=true
fi

cat >"$D.tmp/manifest.json" <<E
{"version": "$VERSION", "script": "$SCRIPT_SUM", "checked": $checked,
 "kernel": "$KVER", "kernel_package": "$KPKG", "kernel_version": "$KDEBVER", "busybox_version": "$BBVER",
 "virtual_size": 41943040,
 "qcow2_bytes": $(stat -c %s "$D.tmp/testimg.qcow2"), "qcow2_sha256": "$(sha256sum "$D.tmp/testimg.qcow2" | cut -d' ' -f1)",
 "vmlinuz_sha256": "$(sha256sum "$D.tmp/vmlinuz" | cut -d' ' -f1)", "initrd_sha256": "$(sha256sum "$D.tmp/initrd.img" | cut -d' ' -f1)"}
E
rm -rf "$D"; mv "$D.tmp" "$D"; ln -sfn "$VERSION" "$OUT/current"
log "done: $VERSION"
[ "$PRINT" = 1 ] && echo "$D" >&3 || echo "$D/testimg.qcow2" >&3
