# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A site's inventory out of a profile and a few answers. Plain data in, texts of files out.

The texts are those of the example inventory with other values, so that whatever is explained there is explained here.
"""

from __future__ import annotations

import difflib
import ipaddress
import itertools
import json
import re

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.stratus.cloud.plugins.module_utils import preflight
from ansible_collections.stratus.cloud.plugins.module_utils.juju import bundle as bundles
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
    "provider_interface": {"type": "str"},
    "machines": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "hostname": {"type": "str"},
            "mac_addresses": {"type": "list", "elements": "str", "default": []},
            "bmc_address": {"type": "str"},
            "boot_interface": {"type": "str"},
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
# The charm that a bundle has for each kind of storage.
STORAGE = {"lvm": "cinder-lvm", "ceph": "ceph-osd"}
# Names in the example's file of hosts; a machine of the same name would be the same host, or a group.
TAKEN = ("all", "controller", "controller0", "compute", "spare", "live_migration", "live_migration_nfs", "ungrouped", "localhost")
FIRST_VIP = 60
FIRST_BMC = 20
OVERLAY_COMMENT = """\
# What only this site knows of the bundle; the last of openstack_bundle_overlays. Further hypervisors are machines with the tag compute;
# virtual addresses (vip) come from the reserved range; bridge-interface-mappings names the interface of the hypervisors below the bridge br-ex."""
COMMENTS = {
    "stratus_profile_phases": "# Seconds that phases of site.yml take, as the profile says; expected until a run of your own is recorded.",
}


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
    for phase, seconds in checked["phases"].items():
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
            problems.append(f"{name}: phases.{phase} is {seconds!r}: give the seconds that this phase of site.yml takes as a number")
    if problems:
        raise ProfileError(problems)
    return checked


def contradictions(chosen, name, bundle, matrix, known, phases):
    """Sentences about what a profile says and the rest of the collection does not know.

    chosen: the profile; bundle: its bundle with its overlays; matrix: bundles/versions.yml; known: names of variables that roles and playbooks read;
    phases: names of the phases of site.yml.
    """
    applications = bundle["applications"]
    charms = {str(about.get("charm")).removeprefix("ch:") for about in applications.values()}
    wanted = matrix["openstack"]["releases"][chosen["release"]][chosen["base"]]["openstack"]
    found = []
    for application in ("keystone", "nova-compute"):
        channel = str((applications.get(application) or {}).get("channel") or wanted)
        if channel.partition("/")[0] != wanted.partition("/")[0]:
            found.append(f"{name}: release is {chosen['release']}, and the bundle {chosen['bundle']} has {application} from {channel}: name its own release")
            break
    base = bundles.base(bundle.get("default-base") or bundle.get("series"))
    if base and base.partition("/")[0] != chosen["base"]:
        found.append(f"{name}: base is {chosen['base']}, and the bundle {chosen['bundle']} is for {base}: name its own base")
    for storage, charm in STORAGE.items():
        if chosen["storage"] == storage and charm not in charms:
            found.append(f"{name}: storage is {storage}, and the bundle with its overlays has no {charm}: lay an overlay over it that brings it")
        if chosen["storage"] == "none" and charm in charms:
            found.append(f"{name}: storage is none, and the bundle with its overlays has {charm}: say storage: {storage}")
    found += [f"{name}: vips names {vip}, and the bundle with its overlays has no such application" for vip in chosen["vips"] if vip not in applications]
    for variable in map(str, chosen["variables"]):
        if variable not in known and not variable.startswith(("ansible_", "secret_")):
            near = difflib.get_close_matches(variable, sorted(known), 1)
            found.append(f"{name}: no role reads the variable {variable}" + (f"; {near[0]} is one" if near else ""))
    found += [f"{name}: site.yml has no phase {phase}, but {', '.join(phases)}" for phase in chosen["phases"] if phase not in phases]
    return found


def answers(data, chosen):
    """The answers with their defaults, and what follows from them; raises with every problem at once."""
    found = _checked(ANSWERS, data, "answers")
    problems = []
    if not HOSTNAME.match(found["name"]):
        problems.append(f"name {found['name']!r} is no name for a cloud: small letters, digits and dashes only")
    compute = chosen["compute"]
    if found["compute"] is None:
        found["compute"] = max(compute["count"], min(len(found["machines"]), compute["most"]))
    if not compute["least"] <= found["compute"] <= compute["most"]:
        problems.append(f"compute {found['compute']} is outside of what the profile is made for, {compute['least']} to {compute['most']}")
    try:
        network = ipaddress.ip_network(found["network"])
        if network.version != 4 or network.prefixlen > SMALLEST:
            problems.append(f"network {found['network']} is too small: machines, virtual machines and servers need a /{SMALLEST} of IPv4 at least")
        found["gateway"] = found["gateway"] or str(network.network_address + 1)
        gateway = ipaddress.ip_address(found["gateway"])
        if gateway not in network:
            problems.append(f"gateway {gateway} is not in the network {network}; it is the controller's address on the private network")
        elif gateway in (network.network_address, network.broadcast_address):
            problems.append(f"gateway {gateway} is no address of a host in the network {network}; it is the controller's address on the private network")
        elif not problems:
            problems += _in_use(found, chosen)
    except ValueError as error:
        problems.append(f"network or gateway: {error}; write a network as 10.42.0.0/16")
    seen = set()
    for machine in found["machines"]:
        name = machine["hostname"]
        problems += [f"machine {name}: {mac} is no MAC address" for mac in machine["mac_addresses"] or [] if not MAC.match(mac.lower())]
        if name and not HOSTNAME.match(name):
            problems.append(f"machine name {name!r} is no host name: small letters, digits and dashes only")
        if name in TAKEN:
            problems.append(f"machine name {name} is a name that the inventory has for something else: name the machine differently")
        elif name and name in seen:
            problems.append(f"two machines are named {name}: each has a name of its own")
        seen.add(name)
    problems += _interfaces(found, chosen)
    if problems:
        raise ProfileError(problems)
    return found


def _in_use(found, chosen):
    """Sentences about addresses that are taken twice: by the controller or a BMC, and by tenants or virtual addresses."""
    network, problems = ipaddress.ip_network(found["network"]), []
    for floating in ranges(found["network"])[0][1:]:
        low, high = (ipaddress.ip_address(floating[end]) for end in ("start", "end"))
        named = [
            ("gateway", found["gateway"]),
            *((f"the BMC of {machine['hostname'] or 'a machine'}", machine["bmc_address"]) for machine in found["machines"]),
        ]
        for what, text in named:
            if (address := preflight.as_address(text)) and low <= address <= high:
                problems.append(f"{what}, {address}, is one of the addresses that are kept for the tenants ({low}-{high}): give it another one")
    room = len(_free(network, found, _first_vip(network), len(chosen["vips"])))
    if room < len(chosen["vips"]):
        first, last = (network.network_address + number for number in (_first_vip(network), _reserved(network)))
        problems.append(
            f"the profile needs {len(chosen['vips'])} virtual addresses, and of {first}-{last} only {room} are free: move BMCs, or use a larger network"
        )
    return problems


def _interfaces(found, chosen):
    """Sentences about the interface that OVN gets: with ``network: dedicated`` a second one, else none of its own."""
    second, first = found["provider_interface"], found["compute_interface"]
    if chosen["network"] == "shared":
        if second:
            return [f"provider_interface {second} is for profiles with network: dedicated; with this one OVN shares the interface {first}: leave it out"]
        return []
    what = "provider_interface is the compute machines' second interface, which OVN gets for itself (network: dedicated)"
    if not second:
        return [f"{what}: name it with -e init_provider_interface=..."]
    booting = [first, *(machine["boot_interface"] for machine in found["machines"] if machine["boot_interface"])]
    return [f"{what}; {second} is the one that they boot from: name another one"] if second in booting else []


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


def _free(network, found, first, count):
    """At most so many addresses for infrastructure from the ``first`` of the network on that neither the controller nor a BMC has."""
    taken = {preflight.as_address(text) for text in (found["gateway"], *(machine["bmc_address"] for machine in found["machines"]))}
    addresses = (network.network_address + number for number in range(first, _reserved(network) + 1))
    return [str(address) for address in itertools.islice((address for address in addresses if address not in taken), count)]


def site_overlay(chosen, found, bundle):
    """What only this site knows of the bundle: further hypervisors, virtual addresses, names of interfaces."""
    overlay = compute_overlay(bundle, found["compute"]) or {"machines": {}, "applications": {}}
    network = ipaddress.ip_network(found["network"])
    for name, address in zip(chosen["vips"], _free(network, found, _first_vip(network), len(chosen["vips"])), strict=True):
        overlay["applications"].setdefault(name, {}).setdefault("options", {})["vip"] = address
    dedicated = chosen["network"] == "dedicated"
    mapping = f"br-ex:{found['provider_interface' if dedicated else 'compute_interface']}"
    if dedicated and "ovn-chassis" not in bundle["applications"]:
        raise ProfileError(["network is dedicated, and the bundle has no ovn-chassis that could have the interface: say network: shared"])
    usual = ((bundle["applications"].get("ovn-chassis") or {}).get("options") or {}).get("bridge-interface-mappings")
    if (usual or dedicated) and usual != mapping:
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
        **({"stratus_profile_phases": chosen["phases"]} if chosen["phases"] else {}),
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
    end = network.network_address + (_first_vip(network) if found.get("vips") else _reserved(network))
    guesses = (address for address in _free(network, found, FIRST_BMC + len(known), RESERVED) if ipaddress.ip_address(address) < end)
    while len(known) < found["compute"]:
        known.append({"hostname": None, "mac_addresses": [], "bmc_address": next(guesses, PLACEHOLDER)})
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
        lines = [f"        {_word(name)}:", f"          mac_addresses: {flow(macs or [PLACEHOLDER])}"]
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


def files(chosen, name, given, example, bundle, matrix):
    """{path: text} of a whole inventory; raises with every problem that preflight would have with it, but for what is left to be filled in.

    ``example``: the files of the example inventory; ``bundle``: the profile's, with its overlays; ``matrix``: bundles/versions.yml.
    """
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
        lines = ["\n".join(filter(None, [COMMENTS.get(key), f"{key}:{_block(value)}"])) for key, value in extra.items()]
        result["group_vars/all/15-profile.yml"] = "\n".join(["---", f"# What the profile {name} sets beside the rest: {chosen['description']}.", *lines]) + "\n"
    if overlay:
        text = yaml.safe_dump({"openstack_site_overlay": overlay}, sort_keys=False)
        result["group_vars/all/65-site-overlay.yml"] = f"---\n{OVERLAY_COMMENT}\n{text}"
    if problems := _refused(result, chosen, matrix):
        raise ProfileError(problems)
    return result


class _Loader(yaml.SafeLoader):
    """YAML with the tag that this file writes."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def _refused(made, chosen, matrix):
    """What preflight says of the files that were made, one sentence each; what is marked to be filled in is no problem yet."""
    variables, groups = {}, yaml.load(made["hosts.yml"], _Loader)["all"]["children"]  # noqa: S506 (a SafeLoader)
    for path, text in made.items():
        if path.startswith("group_vars/"):
            variables |= yaml.load(text, _Loader) or {}  # noqa: S506
    compute, spare = (groups[name]["hosts"] or {} for name in ("compute", "spare"))
    site = preflight.Site(variables=variables, machines={**compute, **spare}, compute=list(compute), matrix=matrix, bases=[chosen["base"]])
    return [
        f"{problem['variable']} = {problem['value']}: {problem['problem']}; {problem['remedy']}"
        for problem in preflight.site_problems(site)
        if problem["check"] != "placeholders"
    ]


def _headed(text, name):
    """Not the example any more: its first comment says what it is."""
    left = f"Replace what is marked {PLACEHOLDER}, if anything is; preflight refuses to start while one is left."
    return re.sub(r"^---\n(#.*\n)+", f"---\n# Made from the profile {name}. {left}\n", text)
