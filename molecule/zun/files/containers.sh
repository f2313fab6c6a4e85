#!/bin/bash
# Two containers in a network of their own, as a user makes them. Every step is read back with the openstack command.
set -eu
export PATH=/opt/client/bin:$PATH
network=containers
field() { openstack appcontainer show "$1" -f value -c "$2"; }

# until_is CONTAINER STATUS
until_is() {
    for _ in $(seq 60); do
        case $(field "$1" status) in
        "$2") return ;;
        Error) field "$1" status_reason; exit 1 ;;
        esac
        sleep 1
    done
    echo "$1 is not $2 but $(field "$1" status)"
    exit 1
}

openstack network create $network >/dev/null
openstack subnet create --network $network --subnet-range 10.99.0.0/24 $network >/dev/null
id=$(openstack network show $network -f value -c id)
for name in first second; do
    openstack appcontainer run --name $name --cpu 0.1 --memory 64 --image-pull-policy never --net network="$id" \
        busybox:local sh -c "echo $name is here; sleep 600" >/dev/null
done
for name in first second; do
    until_is $name Running
done
echo "both run on $(field first host)"

address=$(openstack appcontainer show first -f json -c addresses | grep -o '10\.99\.0\.[0-9]*' | head -1)
openstack appcontainer exec second ping -c 2 -W 2 "$address"
openstack appcontainer logs first | grep "first is here"

provider=$(openstack resource provider list --name compute0 -f value -c uuid)
openstack resource provider usage show "$provider" -f value | tr '\n' ' '
echo "are in use on compute0"

openstack appcontainer delete --force first second >/dev/null
for _ in $(seq 60); do
    [ -n "$(openstack appcontainer list -f value)" ] || break
    sleep 1
done
[ -z "$(openstack appcontainer list -f value)" ]
openstack port list --network "$id" -f value -c ID | xargs -r -n 1 openstack port delete
openstack network delete $network
echo "nothing of them is left"
