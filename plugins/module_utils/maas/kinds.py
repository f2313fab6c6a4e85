# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The region's simple things as data (see resource.py), and how their options become what the region takes."""

from __future__ import annotations

import base64
import io
import ipaddress

from ansible_collections.stratus.cloud.plugins.module_utils import secrecy
from ansible_collections.stratus.cloud.plugins.module_utils.maas.client import chunks
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import MaasError, NotFound
from ansible_collections.stratus.cloud.plugins.module_utils.maas.resource import (
    Field,
    Kind,
    Result,
    compare,
    ensure,
    find,
    lowered,
    ordered,
    text,
    view,
    words,
)


def network(value):
    """A network as text, host bits dropped; what is no network stays as it came, for the region to refuse."""
    try:
        return str(ipaddress.ip_network(str(value), strict=False))
    except ValueError:
        return text(value)


def address(value):
    try:
        return str(ipaddress.ip_address(str(value))) if value not in (None, "") else ""
    except ValueError:
        return text(value)


def unfolded(value):
    """base64 without its line breaks."""
    return "".join(text(value).split())


def key_body(value):
    """Type and key of a public key; the comment is its owner's business."""
    return " ".join(text(value).split()[:2])


def by_name(thing):
    return {"name": thing["name"]}


ZONE = Kind("zone", "Zones", "Zone", "name", {"name": Field(), "description": Field(norm=text)}, uri=by_name)
POOL = Kind("resource pool", "ResourcePools", "ResourcePool", "name", {"name": Field(), "description": Field(norm=text)})
SPACE = Kind("space", "Spaces", "Space", "name", {"name": Field(), "description": Field(norm=text)})
FABRIC = Kind("fabric", "Fabrics", "Fabric", "name", {"name": Field(), "description": Field(norm=text, create_only=True), "class_type": Field(norm=text)})
TAG = Kind(
    "tag",
    "Tags",
    "Tag",
    "name",
    {"name": Field(), "comment": Field(norm=text), "definition": Field(norm=text), "kernel_opts": Field(norm=text)},
    uri=by_name,
)

SUBNET = Kind(
    "subnet",
    "Subnets",
    "Subnet",
    "cidr",
    {
        "cidr": Field(norm=network),
        "name": Field(norm=text),
        "description": Field(norm=text),
        "gateway_ip": Field(norm=address),
        "dns_servers": Field(norm=ordered, encode=" ".join),
        "managed": Field(),
        "allow_dns": Field(),
        "allow_proxy": Field(),
        "active_discovery": Field(),
        "rdns_mode": Field(),
        "vlan": Field(read=lambda subnet: (subnet.get("vlan") or {}).get("id")),
    },
)


def same_range(found, wanted):
    """Either end equal and the type too: an end that moved is an update. A deletion needs both."""
    if found.get("type") != wanted["type"]:
        return False
    ends = address(found.get("start_ip")) == address(wanted["start_ip"]), address(found.get("end_ip")) == address(wanted["end_ip"])
    return all(ends) if wanted.get("exact") else any(ends)


IP_RANGE = Kind(
    "IP range",
    "IPRanges",
    "IPRange",
    "start_ip",
    {
        "type": Field(create_only=True),
        "start_ip": Field(norm=address),
        "end_ip": Field(norm=address),
        "subnet": Field(read=lambda found: (found.get("subnet") or {}).get("id"), create_only=True),
        "comment": Field(norm=text),
    },
    match=same_range,
    label=lambda wanted: f"{wanted.get('type')} {wanted.get('start_ip')}-{wanted.get('end_ip')}",
)

VLAN = Kind(
    "VLAN",
    "Vlans",
    "Vlan",
    "vid",
    {
        "vid": Field(),
        "name": Field(norm=text),
        "description": Field(norm=text, create_only=True),
        "mtu": Field(),
        "dhcp_on": Field(),
        "primary_rack": Field(norm=text),
        "secondary_rack": Field(norm=text),
        "relay_vlan": Field(read=lambda vlan: (vlan.get("relay_vlan") or {}).get("id") if isinstance(vlan.get("relay_vlan"), dict) else vlan.get("relay_vlan")),
        # The region names a VLAN without a space "undefined".
        "space": Field(read=lambda vlan: "" if vlan.get("space") == "undefined" else vlan.get("space"), norm=text),
    },
    uri=lambda vlan: {"vid": vlan["vid"]},
    scope=lambda wanted: {"fabric_id": wanted["fabric_id"]},
)


SSHKEY = Kind(
    "SSH key",
    "SSHKeys",
    "SSHKey",
    "key",
    {"key": Field(norm=key_body)},
    match=lambda found, wanted: key_body(found.get("key")) == key_body(wanted["key"]),
    label=lambda wanted: " ".join(text(wanted["key"]).split()[2:]) or key_body(wanted["key"])[:24] + "...",
)

USER = Kind(
    "user",
    "Users",
    "User",
    "username",
    {
        "username": Field(),
        "email": Field(norm=lowered),
        "is_superuser": Field(encode=lambda value: "1" if value else "0"),
        "password": Field(secret=True, create_only=True),
    },
    uri=lambda user: {"username": user["username"]},
)

BOOT_SOURCE = Kind(
    "boot source",
    "BootSources",
    "BootSource",
    "url",
    {
        "url": Field(norm=lambda value: text(value).rstrip("/") + "/"),
        "keyring_filename": Field(norm=text),
        "keyring_data": Field(norm=unfolded, encode=lambda value: lambda: io.BytesIO(base64.b64decode(value))),
    },
)

BOOT_SELECTION = Kind(
    "boot source selection",
    "BootSourceSelections",
    "BootSourceSelection",
    "release",
    {
        "os": Field(),
        "release": Field(),
        "arches": Field(norm=words),
        "subarches": Field(norm=words),
        "labels": Field(norm=words),
    },
    match=lambda found, wanted: (found["os"], found["release"]) == (wanted["os"], wanted["release"]),
    scope=lambda wanted: {"boot_source_id": wanted["boot_source_id"]},
    label=lambda wanted: f"{wanted['os']}/{wanted['release']}",
)

DNS_RESOURCE = Kind(
    "DNS resource",
    "DNSResources",
    "DNSResource",
    "fqdn",
    {
        "fqdn": Field(norm=lowered),
        "ip_addresses": Field(
            read=lambda found: [entry["ip"] if isinstance(entry, dict) else entry for entry in found.get("ip_addresses") or []],
            norm=lambda value: sorted(address(v) for v in words(value)),
            encode=" ".join,
        ),
        "address_ttl": Field(),
    },
)


# Options that name other things


def subnet_of(client, cidr):
    """The subnet with this CIDR, name or id; an error that lists what there is."""
    subnets = client.read("Subnets", what="list subnets")
    for test in (
        lambda subnet: network(subnet["cidr"]) == network(cidr),
        lambda subnet: subnet["name"] == str(cidr),
        lambda subnet: str(subnet["id"]) == str(cidr),
    ):
        found = [subnet for subnet in subnets if test(subnet)]
        if len(found) == 1:
            return found[0]
        if found:
            raise MaasError(f"Several subnets answer to {cidr}: give the id of one of {', '.join(str(subnet['id']) for subnet in found)}")
    listed = ", ".join(sorted(subnet["cidr"] for subnet in subnets)) or "none"
    raise NotFound(f"This region has no subnet {cidr}. It knows: {listed}", 404)


def fabric_of(client, name):
    """A fabric by name or id."""
    fabrics = client.read("Fabrics", what="list fabrics")
    for fabric in fabrics:
        if fabric["name"] == str(name) or str(fabric["id"]) == str(name):
            return fabric
    raise NotFound(f"This region has no fabric {name}. It knows: {', '.join(sorted(fabric['name'] for fabric in fabrics)) or 'none'}", 404)


def vlan_of(client, subnet=None, fabric=None, vid=None):
    """(fabric id, vid, VLAN or None) of a VLAN given by one of its subnets, or by fabric and vid."""
    if subnet is not None:
        vlan = subnet_of(client, subnet)["vlan"]
        return vlan["fabric_id"], vlan["vid"], vlan
    found = fabric_of(client, fabric)
    for vlan in found.get("vlans") or []:
        if vlan["vid"] == vid:
            return found["id"], vid, vlan
    return found["id"], vid, None


def rack_on(client, vlan_id):
    """The rack controller with an interface on the VLAN, or None: the one that can serve DHCP there."""
    racks = client.read("RackControllers", what="list rack controllers")
    on_vlan = [rack for rack in racks if any((interface.get("vlan") or {}).get("id") == vlan_id for interface in rack.get("interface_set") or [])]
    return (on_vlan or [None])[0], racks


def ensure_subnet(client, params):
    wanted = {name: params[name] for name in SUBNET.fields if name in params}
    # An empty text clears the gateway; None leaves it as it is.
    if params.get("fabric") is not None or params.get("vid") is not None:
        fabric = params["fabric"]
        if fabric is None:
            raise MaasError("vid needs fabric: the same vid may exist in several")
        fabric_id, vid, vlan = vlan_of(client, fabric=fabric, vid=params["vid"] or 0)
        if vlan is None:
            raise MaasError(f"Fabric {fabric} has no VLAN with vid {vid}; create it with maas_vlan first")
        wanted["vlan"] = vlan["id"]
    return ensure(client, SUBNET, wanted, params["state"])


def ensure_ip_range(client, params):
    subnet = subnet_of(client, params["subnet"]) if params["subnet"] else None
    wanted = {
        "type": params["type"],
        "start_ip": params["start_ip"],
        "end_ip": params["end_ip"],
        "subnet": subnet["id"] if subnet else None,
        "comment": params["comment"],
        "exact": params["state"] == "absent",
    }
    return ensure(client, IP_RANGE, wanted, params["state"])


def ensure_vlan(client, params):
    """A VLAN with everything that DHCP needs: the rack that sits on it, and a word when there is no dynamic range."""
    fabric_id, vid, vlan = vlan_of(client, params["subnet"], params["fabric"], params["vid"])
    wanted = {name: params.get(name) for name in ("name", "description", "mtu", "space", "secondary_rack")}
    wanted.update(vid=vid, fabric_id=fabric_id)
    if params["relay_vlan"] is not None:
        if params["relay_vlan"] == "":
            wanted["relay_vlan"] = ""
        else:
            wanted["relay_vlan"] = _relay(client, params["relay_vlan"])
    if params["dhcp_on"] is not None:
        wanted["dhcp_on"] = params["dhcp_on"]
    if params["primary_rack"] is not None:
        wanted["primary_rack"] = _rack(client, params["primary_rack"])
    elif params["dhcp_on"] and not (vlan or {}).get("dhcp_on") and vlan is not None:
        rack, racks = rack_on(client, vlan["id"])
        if rack is None and len(racks) == 1:
            rack = racks[0]
        if rack is None:
            raise MaasError(
                f"DHCP cannot be turned on for VLAN {vid}: none of the {len(racks)} rack controllers has an interface on it. "
                "Connect one, or say which with primary_rack, or relay with relay_vlan."
            )
        wanted["primary_rack"] = rack["system_id"]
    if params["state"] == "present" and params["space"]:
        spaces = {space["name"] for space in client.read("Spaces", what="list spaces")}
        if params["space"] not in spaces and not client.read_only:
            raise MaasError(f"There is no space {params['space']!r}; create it with maas_space first. The region knows: {', '.join(sorted(spaces))}")
    kind = VLAN
    if wanted.get("relay_vlan") == "":
        kind = Kind(**{**VLAN.__dict__, "fields": {**VLAN.fields, "relay_vlan": Field(read=VLAN.fields["relay_vlan"].read, norm=lambda v: v or "")}})
    return ensure(client, kind, wanted, params["state"])


def _relay(client, reference):
    """A VLAN's id, from a subnet on it or from "fabric:vid"."""
    if ":" in str(reference) and "/" not in str(reference):
        fabric, dummy, vid = str(reference).rpartition(":")
        vlan = vlan_of(client, fabric=fabric, vid=int(vid))[2]
    else:
        vlan = subnet_of(client, reference)["vlan"]
    if vlan is None:
        raise MaasError(f"There is no VLAN {reference} to relay to")
    return vlan["id"]


def _rack(client, name):
    racks = client.read("RackControllers", what="list rack controllers")
    for rack in racks:
        if name in (rack["system_id"], rack["hostname"], rack.get("fqdn")):
            return rack["system_id"]
    raise MaasError(f"There is no rack controller {name}. The region knows: {', '.join(rack['hostname'] for rack in racks) or 'none'}")


def ensure_user(client, params):
    """A user; the API can make and delete one, and nothing between."""
    wanted = {name: params.get(name) for name in USER.fields}
    if params["state"] == "absent":
        found = find(client, USER, wanted)
        if found is None or client.read_only:
            return ensure(client, USER, wanted, "absent")
        data = {"transfer_resources_to": params["transfer_resources_to"]} if params.get("transfer_resources_to") else {}
        client.call("User", "delete", {"username": params["username"]}, data, what=f"delete user {params['username']}")
        return Result(True, view(USER, found, ["username", "email", "is_superuser"]), {}, found)

    def create(wanted):
        missing = [name for name in ("email", "password") if not wanted.get(name)]
        if missing:
            raise MaasError(f"There is no user {wanted['username']} yet; to make one, {' and '.join(missing)} is needed")
        form = {**{name: wanted[name] for name in ("username", "email", "password")}, "is_superuser": "1" if wanted.get("is_superuser") else "0"}
        return client.call("Users", "create", data=form, what=f"create user {wanted['username']}", settled=lambda: find(client, USER, wanted))

    found = find(client, USER, wanted)
    differ = compare(USER, found, wanted) if found else {}
    if differ:
        told = ", ".join(f"{name} is {pair[0]!r}, not {pair[1]!r}" for name, pair in differ.items())
        raise MaasError(
            f"User {params['username']} exists and differs ({told}). MAAS' API cannot change a user: do it in the web interface, or delete it first"
        )
    return ensure(client, USER, wanted, "present", create=create)


# Settings


def comparable(value):
    """A setting as the region would store it: it takes text and answers with JSON types."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return " ".join(str(part) for part in value)
    written = str(value).strip()
    return written.lower() if written.lower() in ("true", "false") else written


def ensure_config(client, settings):
    """{name: value} of the region's settings. Lists become text with blanks, as the region wants them."""
    before, after = {}, {}
    for name in sorted(settings):
        current = client.call("MAAS", "get_config", data={"name": name}, what=f"read the setting {name}")
        if comparable(current) != comparable(settings[name]):
            before[name], after[name] = current, settings[name]
    if not client.read_only:
        for name, value in after.items():
            data = {"name": name, "value": comparable(value)}
            # A setting that is set twice is what it is.
            client.call("MAAS", "set_config", data=data, what=f"set {name} to {secrecy.shown(name, value)!r}", settled=lambda: None)
    return before, after


# Tags


def ensure_tag(client, params, system_ids=None):
    """A tag, and on exactly which machines it shall be (``system_ids``; None leaves that alone)."""
    wanted = {name: params.get(name) for name in TAG.fields}
    result = ensure(client, TAG, wanted, params["state"])
    result.members = ([], [])
    if params["state"] == "absent" or system_ids is None:
        return result
    exists = result.thing is not None and not (client.read_only and result.changed and not result.before)
    current = set()
    if exists:
        # Rows, not machines, would be cheaper; the region offers only whole machines here, so ask by our ids where that is enough.
        current = {machine["system_id"] for machine in tagged(client, params["name"], system_ids, params.get("exclusive", False))}
    add = [system_id for system_id in system_ids if system_id not in current]
    remove = sorted(current - set(system_ids)) if params.get("exclusive") else []
    if add or remove:
        result.changed = True
        result.before = {**result.before, "machines": sorted(current)}
        result.after = {**result.after, "machines": sorted((current | set(add)) - set(remove))}
        if not client.read_only:
            data = {name: ids for name, ids in (("add", add), ("remove", remove)) if ids}
            client.call("Tag", "update_nodes", {"name": params["name"]}, data, what=f"tag machines with {params['name']}", settled=lambda: None)
    result.members = (add, remove)
    return result


def tagged(client, tag, system_ids, everything):
    if everything:
        return client.call("Tag", "machines", {"name": tag}, what=f"list the machines of tag {tag}")
    found = []
    for batch in chunks(sorted(system_ids), 500, lambda item: len(item) + 4):
        found += client.read("Machines", what=f"list the machines of tag {tag}", id=batch, tags=tag)
    return found
