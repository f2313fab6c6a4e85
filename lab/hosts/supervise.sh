#!/bin/sh
# Supervises one host: its own network and mount namespace (made by unshare before), its overlay, and nspawn again after every reboot.
# Everything made here disappears with the last process, so a killed run leaves no mount and no interface behind.
# Arguments: name, lower directories (a:b:c), the host's directory; then nspawn's own arguments. Goes on when a line arrives on stdin.
set -u
name=$1 lower=$2 place=$3
shift 3
read -r _go || exit 1
exec </dev/null
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$place/upper,workdir=$place/work" "$place/root" || exit 1
# nspawn's own book-keeping (locks, propagation) stays inside this namespace.
mount -t tmpfs -o mode=755 tmpfs /run || exit 1
# A new namespace inherits the machine's forwarding; a fresh server does not forward.
echo 0 >/proc/sys/net/ipv4/ip_forward
# A host outlives the terminal of whoever started it.
trap '' HUP
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 SYSTEMD_NSPAWN_LOCK=0
ip link set lo up
# On a server nobody forbids keyrings and bpf, and Docker needs both for every container.
while :; do
    systemd-nspawn --quiet --register=no --keep-unit --boot --settings=no --machine="$name" --directory="$place/root" \
        --network-namespace-path=/proc/self/ns/net --console=pipe --capability=all --resolv-conf=off --timezone=off \
        --link-journal=no --system-call-filter='@keyring bpf' --kill-signal=SIGRTMIN+3 "$@"
    code=$?
    echo "nspawn of $name ended with $code"
    # 133: the guest asked for a reboot.
    [ "$code" = 133 ] || exit "$code"
done
