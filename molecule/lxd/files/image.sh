#!/bin/sh
# image.sh FILE: a container image for LXD that holds busybox and nothing else.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/rootfs/bin" "$work/rootfs/sbin" "$work/rootfs/etc" "$work/rootfs/proc" "$work/rootfs/sys" "$work/rootfs/dev" "$work/rootfs/tmp" "$work/rootfs/run"
cp /bin/busybox "$work/rootfs/bin/busybox"
for name in sh ip sleep; do ln -s busybox "$work/rootfs/bin/$name"; done
ln -s ../bin/busybox "$work/rootfs/sbin/init"
printf '::sysinit:/bin/busybox true\n::respawn:/bin/busybox sleep 3600\n' >"$work/rootfs/etc/inittab"
printf 'root:x:0:0:root:/:/bin/sh\n' >"$work/rootfs/etc/passwd"
cat >"$work/metadata.yaml" <<END
architecture: $(uname -m)
creation_date: 1700000000
properties: {description: busybox}
END
tar -C "$work" -czf "$1" metadata.yaml rootfs
