# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A site's inventory out of a profile and a few answers. Plain data in, texts of files out.

The texts are those of the example inventory with other values, so that whatever is explained there is explained here.
"""

from __future__ import annotations

import ipaddress
import json
import re

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.stratus.cloud.plugins.module_utils.preflight import HOSTNAME, MAC, PLACEHOLDER

# What is asked, with what holds when nothing is answered. None: it has to be answered.
ANSWERS = {
    "name": {"type": "str", "default": "mycloud"},
    "controller_address": {"type": "str", "default": PLACEHOLDER},
    "controller_user": {"type": "str", "default": "ubuntu"},
    "uplink_interface": {"type": "str", "default": "eno2"},
    "private_interface": {"type": "str", "default": "eno3"},
    "network": {"type": "str", "default": "10.42.0.0/16"},
    "gateway": {"type": "str"},
    "dns": {"type": "list", "elements": "str", "default": [PLACEHOLDER]},
    "email": {"type": "str", "default": PLACEHOLDER},
    "compute": {"type": "int"},
    "bmc_type": {"type": "str", "default": "ipmi"},
    "bmc_user": {"type": "str", "default": "root"},
    "bmc_password": {"type": "str", "default": PLACEHOLDER, "no_log": True},
    "compute_interface": {"type": "str", "default": "enp1s0"},
    "machines": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "hostname": {"type": "str"},
            "mac_addresses": {"type": "list", "elements": "str", "default": []},
            "bmc_address": {"type": "str"},
        },
    },
    "secrets": {"type": "dict", "default": {}, "no_log": True},
}
# So many addresses at the beginning of the network are for infrastructure: the controller, BMCs, virtual addresses.
RESERVED = 99
FLOATING = 256
# Ceph keeps so many copies of everything where there are hypervisors for them.
CEPH_COPIES = 3
SMALLEST = 26
FIRST_VIP = 60
FIRST_BMC = 20
OVERLAY_COMMENT = """\
# What only this site knows of the bundle; the last of openstack_bundle_overlays. Further hypervisors are machines with the tag compute;
# virtual addresses (vip) come from the reserved range; bridge-interface-mappings names the interface of the hypervisors below the bridge br-ex."""


class ProfileError(Exception):
    """What is wrong with a profile or with the answers, one sentence each."""

    def __init__(self, problems):
        super().__init__("; ".join(problems))
        self.problems = list(problems)


def _checked(spec, data, what):
    """Data with its defaults, or all that is wrong with it."""
    if not isinstance(data, dict):
        raise ProfileError([f"{what} is no mapping"])
    result = ArgumentSpecValidator(spec).validate(data)
    if result.error_messages:
        raise ProfileError([f"{what}: {message}" for message in result.error_messages])
    return result.validated_parameters


def profile(data, schema, matrix, name="profile"):
    """A profile with its defaults; raises with every problem at once."""
    checked = _checked(schema, data, name)
    releases = matrix["openstack"]["releases"]
    compute = checked["compute"]
    problems = []
    if checked["release"] not in releases:
        problems.append(f"{name}: release {checked['release']} is none of {', '.join(map(str, releases))}")
    elif checked["base"] not in releases[checked["release"]]:
        problems.append(f"{name}: release {checked['release']} is not published for {checked['base']}, but for {', '.join(releases[checked['release']])}")
    if not 1 <= compute["least"] <= compute["count"] <= compute["most"]:
        problems.append(f"{name}: compute.count has to lie between compute.least (at least 1) and compute.most")
    if problems:
        raise ProfileError(problems)
    return checked


def answers(data, chosen):
    """The answers with their defaults, and what follows from them; raises with every problem at once."""
    found = _checked(ANSWERS, data, "answers")
    problems = []
    if not HOSTNAME.match(found["name"]):
        problems.append(f"name {found['name']!r} is no name for a cloud: small letters, digits and dashes only")
    compute = chosen["compute"]
    found["compute"] = found["compute"] or max(compute["count"], len(found["machines"]) if len(found["machines"]) <= compute["most"] else 0)
    if not compute["least"] <= found["compute"] <= compute["most"]:
        problems.append(f"compute {found['compute']} is outside of what the profile is made for, {compute['least']} to {compute['most']}")
    try:
        network = ipaddress.ip_network(found["network"])
        if network.version != 4 or network.prefixlen > SMALLEST:
            problems.append(f"network {found['network']} is too small: machines, virtual machines and servers need a /{SMALLEST} of IPv4 at least")
        found["gateway"] = found["gateway"] or str(network.network_address + 1)
        if ipaddress.ip_address(found["gateway"]) not in network:
            problems.append(f"gateway {found['gateway']} is not in the network {network}; it is the controller's address on the private network")
    except ValueError as error:
        problems.append(f"network or gateway: {error}; write a network as 10.42.0.0/16")
    for machine in found["machines"]:
        problems += [f"machine {machine['hostname']}: {mac} is no MAC address" for mac in machine["mac_addresses"] or [] if not MAC.match(mac.lower())]
        if machine["hostname"] and not HOSTNAME.match(machine["hostname"]):
            problems.append(f"machine name {machine['hostname']!r} is no host name: small letters, digits and dashes only")
    if problems:
        raise ProfileError(problems)
    return found


def _reserved(network):
    """How many addresses at the beginning of the network are for infrastructure."""
    return min(RESERVED, network.num_addresses // 4)


def ranges(network):
    """(reserved ones, dynamic) of a network: infrastructure at its beginning, DHCP in its last quarter, as on the rack of the thesis.

    Where there is room, the tenants' floating addresses are kept free from its middle on.
    """
    net = ipaddress.ip_network(network)
    first, size = net.network_address, net.num_addresses
    reserved = [{"start": str(first + 1), "end": str(first + _reserved(net)), "comment": "infrastructure and BMCs"}]
    if size > 4 * RESERVED:
        floating = min(FLOATING, size // 8)
        reserved.append({"start": str(first + size // 2), "end": str(first + size // 2 + floating - 1), "comment": "floating addresses of the tenants"})
    return reserved, {"start": str(first + size * 3 // 4), "end": str(net.broadcast_address - 1)}


def compute_overlay(bundle, count, tag="compute"):
    """An overlay that gives the bundle ``count`` bare-metal machines, or None when it has as many; ``bundle`` as it is with its other overlays.

    Applications that are on every hypervisor of the bundle go onto the further ones too. A bundle with more is left as it is.
    """
    machines = {str(name): about or {} for name, about in (bundle.get("machines") or {}).items()}
    metal = [name for name, about in machines.items() if f"tags={tag}" in str(about.get("constraints"))]
    if count <= len(metal):
        return None
    if not metal:
        raise ProfileError([f"the bundle has no machine with the constraint tags={tag} that further ones could be made after: give it one, or ask for none"])
    first = max([100, *(int(name) + 1 for name in machines if name.isdigit())])
    more = [str(first + number) for number in range(count - len(metal))]
    applications = {}
    for name, about in bundle["applications"].items():
        if {str(place) for place in about.get("to") or []} == set(metal):
            applications[name] = {"num_units": count, "to": [*metal, *more]}
    for name, about in bundle["applications"].items():
        options = about.get("options") or {}
        if "expected-osd-count" in options:
            applications.setdefault(name, {})["options"] = {"expected-osd-count": count}
        if "ceph-osd-replication-count" in options:
            applications.setdefault(name, {})["options"] = {"ceph-osd-replication-count": min(count, CEPH_COPIES)}
    return {"machines": {name: {"constraints": f"tags={tag}"} for name in more}, "applications": applications}


def _first_vip(network):
    """Where the virtual addresses begin within the network."""
    return FIRST_VIP if network.num_addresses > 4 * RESERVED else _reserved(network) // 2


def site_overlay(chosen, found, bundle):
    """What only this site knows of the bundle: further hypervisors, virtual addresses, names of interfaces."""
    overlay = compute_overlay(bundle, found["compute"]) or {"machines": {}, "applications": {}}
    network = ipaddress.ip_network(found["network"])
    for number, name in enumerate(chosen["vips"]):
        options = overlay["applications"].setdefault(name, {}).setdefault("options", {})
        options["vip"] = str(network.network_address + _first_vip(network) + number)
    mapping = f"br-ex:{found['compute_interface']}"
    usual = ((bundle["applications"].get("ovn-chassis") or {}).get("options") or {}).get("bridge-interface-mappings")
    if usual and usual != mapping:
        overlay["applications"].setdefault("ovn-chassis", {})["options"] = {"bridge-interface-mappings": mapping}
    return {key: value for key, value in overlay.items() if value}


def variables(chosen, found, overlay, name):
    """{variable: value} of the inventory; what is not here stays as it is in the example."""
    reserved, dynamic = ranges(found["network"])
    series = chosen["base"].partition("@")[2]
    release = {"22.04": "jammy", "24.04": "noble"}.get(series, series)
    values = {
        "stratus_cloud_name": found["name"],
        "stratus_profile": name,
        "maas_url": f"http://{found['gateway']}:5240/MAAS",
        "maas_admin_email": found["email"],
        "maas_upstream_dns": found["dns"],
        "maas_images": [{"os": "ubuntu", "release": release, "arches": ["amd64"]}],
        "maas_commissioning_series": release,
        "maas_subnet_cidr": found["network"],
        "maas_gateway_ip": found["gateway"],
        "maas_dynamic_range": dynamic,
        "maas_reserved_ranges": reserved,
        "maas_compute_bridge": {"name": "br-ex", "type": "ovs", "link_mode": "auto"} if chosen["network"] == "shared" else {},
        "lxd_bridge_interface": found["private_interface"],
        "juju_nat": {"source": found["network"], "interface": found["uplink_interface"], "address": found["controller_address"]},
        "openstack_bundle_file": chosen["bundle"],
        # The example's are for the machine of cinder-lvm.
        **({} if chosen["storage"] == "lvm" else {"openstack_bundle_vm_disks": {}}),
        "openstack_bundle_overlays": [*chosen["overlays"], *(["{{ openstack_site_overlay }}"] if overlay else [])],
        **chosen["variables"],
    }
    for secret in ("postgres_password", "maas_admin_password"):
        values[secret] = found["secrets"].get(secret) or PLACEHOLDER
    values["secret_bmc_password"] = Unsafe(found["bmc_password"])
    return values


def machines(found):
    """[(host name, MAC addresses, BMC address)] of the hypervisors and of what was found beyond them: (in use, spare)."""
    network = ipaddress.ip_network(found["network"])
    known = [dict(machine) for machine in found["machines"]]
    taken = {machine["hostname"] for machine in known if machine["hostname"]}
    free = (f"compute{number}" for number in range(1000) if f"compute{number}" not in taken)
    # Guesses end where the virtual addresses begin.
    room = (_first_vip(network) if found.get("vips") else _reserved(network)) - FIRST_BMC
    while len(known) < found["compute"]:
        number = len(known)
        guess = str(network.network_address + FIRST_BMC + number) if number < room else PLACEHOLDER
        known.append({"hostname": None, "mac_addresses": [], "bmc_address": guess})
    rows = [(machine["hostname"] or next(free), [mac.lower() for mac in machine["mac_addresses"] or []], machine["bmc_address"]) for machine in known]
    return rows[: found["compute"]], rows[found["compute"] :]


# --- texts -----------------------------------------------------------------------------------------------------------


class Unsafe(str):
    """A text that Ansible is to take as it is."""


def flow(value):
    """A value on one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_word(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _word(value)


def _word(value):
    """A scalar, quoted only where YAML would take it for something else."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, (int, float)):
        return str(value)
    text = str(value)
    if isinstance(value, Unsafe) and re.search("{[{%#]", text):
        return f"!unsafe {json.dumps(text)}"
    try:
        return text if yaml.safe_load(f"[{text}]") == [text] else json.dumps(text)
    except yaml.YAMLError:
        return json.dumps(text)


def filled(text, values):
    """A file of variables with other values for those that it has; its comments stay. Returns (text, the variables that it has)."""
    lines, done, skipping = [], set(), False
    for line in text.splitlines():
        key = re.match(r"([a-z_]+):", line)
        if key:
            skipping = key[1] in values
            if skipping:
                done.add(key[1])
                lines.append(f"{key[1]}:{_block(values[key[1]])}")
                continue
        elif line.startswith((" ", "-")) and skipping:
            continue
        else:
            skipping = False
        lines.append(line)
    return "\n".join(lines) + "\n", done


def _block(value):
    """What comes after ``key:``; lists of mappings a line for each, the rest on the same line."""
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return "".join(f"\n  - {flow(entry)}" for entry in value)
    return f" {flow(value)}"


def hosts(text, found):
    """The file of hosts: the example's, with this site's controller and machines."""
    used, spare = machines(found)

    def entry(name, macs, bmc):
        lines = [f"        {name}:", f"          mac_addresses: {flow(macs or [PLACEHOLDER])}"]
        if bmc:
            secret = '"{{ secret_bmc_password }}"'
            lines.append(f"          bmc: {{type: {flow(found['bmc_type'])}, address: {flow(bmc)}, user: {flow(found['bmc_user'])}, password: {secret}}}")
        return lines

    result, group, skipping = [], None, False
    for line in text.splitlines():
        head = re.match(r" {4}(\w+):", line)
        if head:
            group, skipping = head[1], False
        if skipping and line.startswith("        "):
            continue
        skipping = False
        if re.match(r" {6}hosts:", line) and group in ("compute", "spare"):
            rows = used if group == "compute" else spare
            result.append("      hosts:" if rows else "      hosts: {}")
            for row in rows:
                result += entry(*row)
            skipping = True
            continue
        line = re.sub(r"^( +ansible_host:).*", lambda match: f"{match[1]} {flow(found['controller_address'])}", line)
        line = re.sub(r"^( +ansible_user:).*", lambda match: f"{match[1]} {flow(found['controller_user'])}", line)
        result.append(line)
    return "\n".join(result) + "\n"


def files(chosen, name, given, example, bundle):
    """{path: text} of a whole inventory. ``example``: the files of the example inventory; ``bundle``: the profile's, with its overlays."""
    found = {**answers(given, chosen), "vips": chosen["vips"]}
    overlay = site_overlay(chosen, found, bundle)
    values = variables(chosen, found, overlay, name)
    result, done = {}, set()
    for path, text in example.items():
        if path == "hosts.yml":
            result[path] = _headed(hosts(text, found), name)
        elif path.startswith("group_vars/"):
            result[path], here = filled(text, values)
            done |= here
    extra = {key: value for key, value in values.items() if key not in done}
    if extra:
        lines = [f"{key}:{_block(value)}" for key, value in extra.items()]
        result["group_vars/all/15-profile.yml"] = "\n".join(["---", f"# What the profile {name} sets beside the rest: {chosen['description']}.", *lines]) + "\n"
    if overlay:
        text = yaml.safe_dump({"openstack_site_overlay": overlay}, sort_keys=False)
        result["group_vars/all/65-site-overlay.yml"] = f"---\n{OVERLAY_COMMENT}\n{text}"
    return result


def _headed(text, name):
    """Not the example any more: its first comment says what it is."""
    left = f"Replace what is marked {PLACEHOLDER}, if anything is; preflight refuses to start while one is left."
    return re.sub(r"^---\n(#.*\n)+", f"---\n# Made from the profile {name}. {left}\n", text)
