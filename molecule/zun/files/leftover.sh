#!/bin/bash
# A container that its owner has not deleted.
set -eu
export PATH=/opt/client/bin:$PATH
openstack network create leftover >/dev/null
openstack subnet create --network leftover --subnet-range 10.98.0.0/24 leftover >/dev/null
id=$(openstack network show leftover -f value -c id)
openstack appcontainer run --name leftover --cpu 0.1 --memory 64 --image-pull-policy never --net network="$id" \
    busybox:local sleep 600 >/dev/null
for _ in $(seq 60); do
    status=$(openstack appcontainer show leftover -f value -c status)
    case $status in
    Running) exit ;;
    Error) openstack appcontainer show leftover -f value -c status_reason; exit 1 ;;
    esac
    sleep 1
done
echo "it is not Running but $status"
exit 1
