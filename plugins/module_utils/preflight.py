# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What would stop a build, found in plain data before the first change.

Every check takes the site (see ``Site``) and yields problems: what was looked at, its value, what is wrong, what to do. No check
raises for bad input, and none shows a secret. ``CHECKS`` names them; an operator leaves one out by its name.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ansible.module_utils.common.parameters import DEFAULT_TYPE_VALIDATORS
from ansible_collections.stratus.cloud.plugins.module_utils import secrecy
from ansible_collections.stratus.cloud.plugins.module_utils.juju import bundle as bundles
from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import BMC_WORDS

PLACEHOLDER = "CHANGE-ME"
BMC_KEYS = {"type", "port", "parameters", *BMC_WORDS}
HOSTNAME = re.compile(r"^(?!-)[a-z0-9-]{1,63}(?<!-)$")
MAC = re.compile(r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$")

REQUIRED = (
    "stratus_cloud_name",
    "stratus_state_dir",
    "postgres_database",
    "postgres_user",
    "postgres_password",
    "maas_channel",
    "maas_url",
    "maas_admin_username",
    "maas_admin_password",
    "maas_admin_email",
    "maas_images",
    "maas_subnet_cidr",
    "maas_gateway_ip",
    "maas_dynamic_range",
    "lxd_bridge",
    "lxd_vm_host",
    "juju_channel",
    "juju_controller_name",
    "juju_cloud_name",
    "juju_vm",
    "juju_model_name",
    "openstack_bundle_file",
)

# What the controller needs at least: MAAS, PostgreSQL and LXD, and room for images. Virtual machines come on top.
MINIMUM = {"memory_mb": 8192, "disk_gb": 40}

# How much more than it has MAAS lets a VM host promise, unless the role lxd is told otherwise.
OVER_COMMIT = {"cpu": 4, "memory": 1}

# Names that others write down: in paths and files (the cloud's), in Juju, in the kernel (a bridge).
NAMES = {
    "stratus_cloud_name": (r"[A-Za-z0-9][A-Za-z0-9._-]*", "letters, digits, dots, hyphens and underscores, a letter or a digit first"),
    "juju_controller_name": (r"[A-Za-z0-9][A-Za-z0-9._-]*", "letters, digits, dots, hyphens and underscores, a letter or a digit first"),
    "juju_cloud_name": (r"[A-Za-z0-9][A-Za-z0-9.-]*", "letters, digits, dots and hyphens, a letter or a digit first"),
    "juju_model_name": (r"[a-z0-9][a-z0-9-]*", "lower case letters, digits and hyphens, a letter or a digit first"),
    "lxd_bridge": (r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}", "at most 15 letters, digits, dots, hyphens and underscores, a letter or a digit first"),
}

# How the types of argument specs are called in a finding, and how such a value is written.
KINDS = {
    "dict": ("mapping", "write it as {key: value}"),
    "list": ("list", "write it in brackets, as [one, another]"),
    "int": ("whole number", "write a whole number"),
    "float": ("number", "write a number"),
    "bool": ("truth value", "write true or false"),
    "str": ("text", "write one text"),
}

# Where a variable is to be set, by its prefix; for the remedies.
FILES = {
    "stratus": "10-cloud.yml",
    "postgres": "20-postgres.yml",
    "maas": "30-maas.yml",
    "lxd": "40-lxd.yml",
    "juju": "50-juju.yml",
    "openstack": "60-openstack.yml",
    "vault": "60-openstack.yml",
    "zun": "70-zun.yml",
}


@dataclass
class Site:
    """Everything that the checks look at, as plain data."""

    variables: dict = field(default_factory=dict)
    # Variables that could not be evaluated, and why.
    broken: dict = field(default_factory=dict)
    # host name -> its variables, for the inventory groups compute and spare together
    machines: dict = field(default_factory=dict)
    # host names of the group compute
    compute: list = field(default_factory=list)
    # distribution, distribution_version, codename, architecture, cores, memory_mb, disk_gb (free), disk_size_gb, kvm (whether it runs virtual
    # machines), postgres (major versions found there), snaps and channels (of each snap its version, and what it tracks)
    controller: dict = field(default_factory=dict)
    # The virtual machines that it is to hold: cores, memory (MiB), disks (GB)
    vms: list = field(default_factory=list)
    # What the bundle's and Juju's machines are deployed with (ubuntu@22.04).
    bases: list = field(default_factory=list)
    # bundles/versions.yml
    matrix: dict = field(default_factory=dict)
    # Lines of requirements/runtime.txt, and what stratus_api_host has of it: python (a path), packages (version by name). Empty: nobody looked.
    requirements: list = field(default_factory=list)
    libraries: dict = field(default_factory=dict)
    # variable -> its option in a role's argument spec
    specs: dict = field(default_factory=dict)
    # The bundle with its overlays, as juju/bundle.py loads it. Empty: there is none that can be read.
    bundle: dict = field(default_factory=dict)
    # What runs the playbooks: ansible_core and python (versions), collections (name -> (version there or None, what is asked for)), and
    # wanted (those that this run calls for certain). Empty: nobody looked.
    control: dict = field(default_factory=dict)

    def get(self, name, default=None):
        return self.variables.get(name, default)


def problem(check: str, variable: str, value, what: str, remedy: str) -> dict:
    """One finding. The value of a secret is never part of it, but for the placeholder, which is none."""
    last = re.split(r"[.\[\]]+", variable.rstrip("]"))[-1]
    shown = "(not set)" if value is None else "(empty)" if value in ("", [], {}) else value
    if secrecy.is_secret(last) and shown not in ("(not set)", "(empty)", PLACEHOLDER):
        shown = "(hidden)"
    return {"check": check, "variable": variable, "value": shown if isinstance(shown, (int, float)) else str(shown), "problem": what, "remedy": remedy}


def where(name: str) -> str:
    return f"group_vars/all/{FILES.get(name.split('_')[0], '10-cloud.yml')} of the inventory"


def as_address(text):
    """An IP address, or None where the text is none."""
    try:
        return ipaddress.ip_address(str(text))
    except ValueError:
        return None


def _network(text):
    try:
        return ipaddress.ip_network(str(text), strict=True)
    except ValueError:
        return None


def _version(text) -> tuple[int, ...]:
    """The numbers of a version (3.5.13-16408-g.0ae4c2f6b) or of a channel's track (3.6/stable)."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split("[/-]", str(text))[0]))


def _track(channel) -> str:
    """What a channel (3.6/stable) follows; of a base with its risk (ubuntu@22.04/stable) the base."""
    return str(channel or "").partition("/")[0]


def required(site: Site) -> Iterator[dict]:
    for name in REQUIRED:
        if name in site.broken:
            continue
        if site.get(name) in (None, "", [], {}):
            yield problem("required", name, site.get(name), "it is needed and has no value", f"set {name} in {where(name)}")
    # What only refers to a variable that is missing, or broken for the same reason, is not worth a line of its own.
    missing = {name for name in REQUIRED if name not in site.broken and site.get(name) is None}
    reasons = {site.broken[name] for name in REQUIRED if name in site.broken}
    for name, reason in site.broken.items():
        if name in REQUIRED or not (reason in reasons or missing & set(re.findall(r"'(\w+)' is undefined", reason)) or name == "maas_machines"):
            yield problem("required", name, None, f"it cannot be evaluated: {reason}", "define what it refers to, or give it a plain value")
    if not site.compute:
        yield problem("required", "groups.compute", None, "no machine serves the cloud", "list the compute machines in the inventory's group compute")


def _misfits(value, spec: dict, path: str) -> Iterator[tuple]:
    """(path, value, what is wrong, remedy) for each part of a value that an option of an argument spec does not take.

    In two things it is stricter than Ansible, which would convert where the roles then read the value as it was written: text is neither
    a mapping nor a list, and neither of them is text.
    """
    kind, options = spec.get("type", "str"), spec.get("options") or {}
    if kind in ("dict", "list"):
        fits = isinstance(value, dict if kind == "dict" else (list, tuple))
    else:
        fits = kind not in KINDS or not isinstance(value, (dict, list, tuple))
    if fits and kind in ("int", "float", "bool"):
        try:
            DEFAULT_TYPE_VALIDATORS[kind](value)
        except (TypeError, ValueError, ArithmeticError):
            fits = False
    if not fits:
        name, remedy = KINDS[kind]
        if kind == "dict" and options:
            keys = [key for key, inner in options.items() if inner.get("required")] or list(options)[:1]
            remedy = f"write it as {{{', '.join(f'{key}: ...' for key in keys)}}}"
        yield path, value, f"it is no {name}", remedy
        return
    chosen = value if kind == "list" else [value]
    if spec.get("choices") and any(one not in spec["choices"] for one in chosen):
        yield path, value, "there is no such choice", f"use one of {', '.join(map(str, spec['choices']))}"
    if kind == "list":
        for number, inner in enumerate(value):
            if inner is not None:
                element = {"type": spec.get("elements", "raw"), "options": options if spec.get("elements") == "dict" else {}}
                yield from _misfits(inner, element, f"{path}[{number}]")
    if kind == "dict" and options:
        for key in value:
            if key not in options:
                yield f"{path}.{key}", value[key], f"{path} has no such key", f"correct its name, or take it out; there are {', '.join(options)}"
        for key, inner in options.items():
            if value.get(key) is not None:
                yield from _misfits(value[key], inner, f"{path}.{key}")
            elif inner.get("required"):
                yield f"{path}.{key}", None, f"{path} needs it and does not have it", f"add {key} to {path}"


def types(site: Site) -> Iterator[dict]:
    """The variables against the argument specs of the roles. Nothing counts as empty where empty is a role's default."""
    for name, spec in site.specs.items():
        value = site.get(name)
        if name not in site.variables or name in site.broken:
            continue
        if value is None:
            if spec.get("default") not in (None, "") and name not in REQUIRED:
                yield problem("types", name, None, "it is there and has no value", f"give it one, or take the line out: then it is {spec['default']}")
            continue
        secret = spec.get("no_log") and not secrecy.is_secret(name)
        for path, shown, what, remedy in _misfits(value, spec, name):
            yield problem("types", path, "(hidden)" if secret or _holds_secret(shown) else shown, what, remedy)


def _holds_secret(value) -> bool:
    if isinstance(value, dict):
        return any(secrecy.is_secret(key) or _holds_secret(inner) for key, inner in value.items())
    return isinstance(value, (list, tuple)) and any(map(_holds_secret, value))


def names(site: Site) -> Iterator[dict]:
    for name, (pattern, remedy) in NAMES.items():
        value = site.get(name)
        if isinstance(value, (str, int)) and value != "" and PLACEHOLDER not in str(value) and not re.fullmatch(pattern, str(value)):
            yield problem("names", name, value, "it holds what such a name cannot have", f"use {remedy}")


def _texts(value, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{path}[{number}]")
    elif isinstance(value, str):
        yield path, value


def placeholders(site: Site) -> Iterator[dict]:
    places = [*site.variables.items(), *((host, {k: v for k, v in values.items() if k in ("bmc", "mac_addresses")}) for host, values in site.machines.items())]
    for name, value in places:
        for path, text in _texts(value, name):
            if PLACEHOLDER in text:
                yield problem("placeholders", path, PLACEHOLDER, "the example's placeholder was never replaced", "put the real value in its place")


def secrets(site: Site) -> Iterator[dict]:
    for name in ("postgres_password", "maas_admin_password"):
        value = site.get(name)
        if isinstance(value, str) and any(ord(letter) < 32 for letter in value):
            yield problem("secrets", name, value, "it holds a line break or another control character", "MAAS reads it as a line: use printable characters")
        elif value is not None and not isinstance(value, str):
            yield problem("secrets", name, value, f"it is a {type(value).__name__}, not text", "put it in quotes")
    for host, values in _with_bmc(site):
        value = values["bmc"].get("password")
        if value not in (None, "") and not isinstance(value, str):
            yield problem("secrets", f"{host}.bmc.password", value, f"it is a {type(value).__name__}, not text", "put it in quotes")


def _range(check: str, name: str, value, network) -> tuple[list[dict], tuple | None]:
    """Problems of one range, and its ends when they make sense."""
    if not isinstance(value, dict) or not {"start", "end"} <= set(value):
        return [problem(check, name, value, "a range needs start and end", "write it as {start: ADDRESS, end: ADDRESS}")], None
    found, ends = [], []
    for end in ("start", "end"):
        address = as_address(value[end])
        if address is None:
            found.append(problem(check, f"{name}.{end}", value[end], "it is no IP address", "write it like 10.42.0.100"))
        elif network and (address not in network or address in (network.network_address, network.broadcast_address)):
            remedy = f"choose an address from {network.network_address + 1} to {network.broadcast_address - 1}, or correct maas_subnet_cidr"
            found.append(problem(check, f"{name}.{end}", value[end], f"it lies outside the usable addresses of the subnet {network}", remedy))
        ends.append(address)
    if None in ends or ends[0].version != ends[1].version:
        return found, None
    if not found and ends[0] > ends[1]:
        found.append(problem(check, name, f"{ends[0]}-{ends[1]}", "its end lies before its start", "swap them"))
    return found, None if found else (ends[0], ends[1])


def network(site: Site) -> Iterator[dict]:
    check = "network"
    cidr, gateway = site.get("maas_subnet_cidr"), site.get("maas_gateway_ip")
    subnet = _network(cidr)
    if cidr and subnet is None:
        try:
            hint = f"use {ipaddress.ip_network(str(cidr), strict=False)}"
        except ValueError:
            hint = "write it like 10.42.0.0/16"
        yield problem(check, "maas_subnet_cidr", cidr, "it is no network address", hint)
    address = as_address(gateway)
    if gateway and address is None:
        yield problem(check, "maas_gateway_ip", gateway, "it is no IP address", "write it like 10.42.0.1")
    elif address and subnet and address not in subnet:
        yield problem(check, "maas_gateway_ip", gateway, f"it lies outside the subnet {subnet}", "use the controller's own address on the private network")
    elif address and subnet and subnet.num_addresses > 2 and address in (subnet.network_address, subnet.broadcast_address):
        what = f"it is the {'first' if address == subnet.network_address else 'last'} address of the subnet {subnet}, which no host can have"
        yield problem(check, "maas_gateway_ip", gateway, what, "use the controller's own address on the private network")
    for name in ("maas_upstream_dns", "maas_subnet_dns_servers"):
        servers = site.get(name)
        for number, server in enumerate(servers if isinstance(servers, list) else []):
            if PLACEHOLDER not in str(server) and as_address(server) is None:
                yield problem(check, f"{name}[{number}]", server, "it is no IP address", "MAAS takes name servers by address: write it like 192.0.2.53")
    nat = site.get("juju_nat")
    if isinstance(nat, dict) and nat.get("source") and str(site.get("juju_nat_enabled", True)).lower() not in ("false", "no", "off", "0"):
        source = _network(nat["source"])
        if source is None:
            yield problem(check, "juju_nat.source", nat["source"], "it is no network address", f"use {subnet or '10.42.0.0/16'}, the machines' network")
        elif subnet and (source.version != subnet.version or not source.overlaps(subnet)):
            what = f"the machines' subnet {subnet} is not in it, so they would have no way out"
            yield problem(check, "juju_nat.source", nat["source"], what, f"use {subnet}, as maas_subnet_cidr says")

    ranges = []
    named = [("maas_dynamic_range", site.get("maas_dynamic_range"))] if site.get("maas_dynamic_range") else []
    reserved = site.get("maas_reserved_ranges") or []
    if isinstance(reserved, list):
        named += [(f"maas_reserved_ranges[{number}]", value) for number, value in enumerate(reserved)]
    else:
        yield problem(check, "maas_reserved_ranges", reserved, "it is no list", "write a list of {start, end, comment}")
    for name, value in named:
        found, ends = _range(check, name, value, subnet)
        yield from found
        if ends:
            ranges.append((name, *ends))
    for number, (name, start, end) in enumerate(ranges):
        for other, other_start, other_end in ranges[:number]:
            if start.version == other_start.version and start <= other_end and other_start <= end:
                yield problem(check, name, f"{start}-{end}", f"it overlaps {other} ({other_start}-{other_end})", "make them disjoint: MAAS refuses the second")
    for name, start, end in ranges[:1]:
        if name == "maas_dynamic_range":
            for taken, value in [
                ("maas_gateway_ip", address),
                *((f"{h}.bmc.address", as_address((v.get("bmc") or {}).get("address"))) for h, v in _with_bmc(site)),
            ]:
                if value and value.version == start.version and start <= value <= end:
                    yield problem(
                        check, taken, str(value), "DHCP could give this address to another machine", f"move it out of maas_dynamic_range ({start}-{end})"
                    )

    if site.get("maas_url") and PLACEHOLDER not in str(site.get("maas_url")):
        name = _http_host(str(site.get("maas_url")))
        if not name:
            yield problem(check, "maas_url", site.get("maas_url"), "it is no http address", "write it like http://10.42.0.1:5240/MAAS")
        elif name == "localhost" or ((host := as_address(name)) and host.is_loopback and subnet and not subnet.is_loopback):
            yield problem(
                check, "maas_url", site.get("maas_url"), "machines cannot reach a loopback address", "use the controller's address on the private network"
            )


def _http_host(text: str) -> str | None:
    """The host of an http address; None when it is none."""
    try:
        url = urlsplit(text)
        return url.hostname if url.scheme in ("http", "https") else None
    except ValueError:
        return None


def _with_bmc(site: Site):
    return [(host, values) for host, values in site.machines.items() if isinstance(values.get("bmc"), dict)]


def machines(site: Site) -> Iterator[dict]:
    check = "machines"
    macs: dict[str, str] = {}
    addresses: dict[str, str] = {}
    vm = site.get("juju_vm")
    taken = {str(vm.get("hostname")): "juju_vm.hostname"} if isinstance(vm, dict) and vm.get("hostname") else {}
    prefix = str(site.get("openstack_bundle_vm_prefix") or "")
    for host, variable in taken.items():
        if not HOSTNAME.match(host):
            yield problem(check, variable, host, "it is no host name", "use lower case letters, digits and hyphens, at most 63")
    # The number that follows has up to two digits.
    if prefix and not HOSTNAME.match(f"{prefix}10"):
        what = f"a virtual machine {prefix}10 would have no host name"
        yield problem(check, "openstack_bundle_vm_prefix", prefix, what, "use lower case letters, digits and hyphens, at most 61")
    for host, values in site.machines.items():
        if not HOSTNAME.match(host):
            yield problem(check, host, host, "it is no host name", "use lower case letters, digits and hyphens, at most 63")
        if host in taken:
            yield problem(check, taken[host], host, f"the machine {host} of the inventory has the same name", "name one of them differently")
        elif prefix and re.match(rf"{re.escape(prefix)}\d+$", host):
            yield problem(
                check, host, host, f"names that begin with {prefix} belong to the virtual machines", "rename it, or change openstack_bundle_vm_prefix"
            )
        own = values.get("mac_addresses") or []
        # One address without brackets is taken; whatever else it is gets told as no address.
        own = own if isinstance(own, (list, tuple)) else [own]
        if not own and host in site.compute:
            yield problem(
                check,
                f"{host}.mac_addresses",
                None,
                "the machine cannot be recognised without a MAC address",
                "list the address of the interface that it boots from",
            )
        for number, mac in enumerate(own):
            normal = str(mac).lower().replace("-", ":")
            if PLACEHOLDER in str(mac):
                continue
            if not MAC.match(normal):
                yield problem(check, f"{host}.mac_addresses[{number}]", mac, "it is no MAC address", "write it like 52:54:00:10:00:01, in quotes")
            elif normal in macs:
                yield problem(
                    check, f"{host}.mac_addresses[{number}]", mac, f"{macs[normal]} has the same MAC address", "correct one of them: each interface has its own"
                )
            else:
                macs[normal] = host
        bmc = values.get("bmc")
        if bmc is None:
            continue
        if not isinstance(bmc, dict):
            yield problem(check, f"{host}.bmc", "(hidden)", "it is no mapping", "write it as {type: ipmi, address: ..., user: ..., password: ...}")
            continue
        for key in sorted(set(map(str, bmc)) - BMC_KEYS):
            # Its value may be a secret under a mistyped name.
            names = ", ".join(sorted(BMC_KEYS))
            yield problem(check, f"{host}.bmc.{key}", "(hidden)", f"bmc has {names}, and no such key", "correct its name, or put it below parameters of bmc")
        for key in ("type", "address", "user", "password"):
            if bmc.get("type", "ipmi") == "ipmi" and not bmc.get(key):
                yield problem(check, f"{host}.bmc.{key}", bmc.get(key), "the BMC cannot be used without it", f"add {key} to bmc of {host}")
        if (address := str(bmc.get("address") or "")) and PLACEHOLDER not in address:
            if bmc.get("type", "ipmi") == "ipmi" and as_address(address) is None:
                yield problem(check, f"{host}.bmc.address", address, "it is no IP address, which MAAS asks for with IPMI", "write it like 10.42.0.20")
            if address in addresses:
                yield problem(
                    check, f"{host}.bmc.address", address, f"{addresses[address]} has the same BMC address", "correct one of them: each machine has its own BMC"
                )
            else:
                addresses[address] = host


def _matches(version: tuple[int, ...], expression: str) -> bool:
    """Whether a version is met by an expression such as '>=3.6.13,<=3.6.14'."""
    tests = {"==": lambda a, b: a == b, ">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, "<": lambda a, b: a < b}
    for part in expression.split(","):
        operator, text = re.match(r"\s*(==|>=|<=|>|<)\s*(\S+)", part).groups()
        bound = _version(text)
        width = max(len(bound), len(version))
        padded = [tuple(v) + (0,) * (width - len(v)) for v in (version, bound)]
        if not tests[operator](*padded):
            return False
    return True


def _known_bad(site: Site, severity: str) -> Iterator[tuple[str, str, dict]]:
    """(variable, value, entry of the matrix) for what is installed, or else would be from the channel, and is known to harm.

    A channel counts only when the whole of its track does: which patch release it brings is not known before.
    """
    present = site.controller.get("snaps") or {}
    for product in ("maas", "juju", "lxd"):
        name = f"{product}_channel"
        channel, installed = site.get(name), present.get(product)
        value = installed or channel
        if not value or PLACEHOLDER in str(value) or not (version := _version(value)):
            continue
        meant = [version] if installed or len(version) > 2 else [version, (*version, 10**6)]
        for bad in site.matrix.get("known_bad", []):
            if bad["product"] == product and bad["severity"] == severity and all(_matches(one, bad["match"]) for one in meant):
                yield name, f"{product} {installed}, installed" if installed else str(channel), bad


def _uses_lxd_snap(site: Site) -> bool:
    return (site.get("lxd_method") or ("snap" if site.controller.get("distribution") == "Ubuntu" else "apt")) == "snap"


def _not_recommended(site: Site) -> Iterator[str]:
    """What works and is not what a release of MAAS or Juju is made for, as the columns of bundles/versions.yml say."""
    controller, channel = site.controller, site.get("maas_channel")
    row = site.matrix.get("maas", {}).get(_track(channel))
    if row:
        if row["status"] == "beta":
            yield f"maas_channel = {channel}: this release is a beta; use a supported one for a cloud that is to last."
        here = str(controller.get("distribution_version"))
        if controller.get("distribution") == "Ubuntu" and _version(here) < _version(row["ubuntu"]):
            yield f"maas_channel = {channel}: this release is made for Ubuntu {row['ubuntu']}, and the controller has {here}."
        postgres = _postgres(site)
        if postgres and row["postgres"] <= postgres < row["postgres_recommended"]:
            yield f"postgres_version = {postgres}: MAAS {_track(channel)} works with it, and PostgreSQL {row['postgres_recommended']} is recommended."
        lxd = site.get("lxd_channel")
        if lxd and _uses_lxd_snap(site) and _track(lxd) != row["lxd"] and _track(lxd) in site.matrix.get("lxd", {}).get("supported", []):
            yield f"lxd_channel = {lxd}: MAAS {_track(channel)} is made for LXD {row['lxd']}."
    base, known = _track(site.get("juju_bootstrap_base")), site.matrix.get("juju", {}).get("bases", {}).get("bootstrap", [])
    if base and known and base not in known:
        yield f"juju_bootstrap_base = {base}: Juju's controller was tried with {' and '.join(known)} only."


def _new_control(site: Site) -> Iterator[str]:
    """What is newer on the control node than what the collection is tried with, and what only a later playbook will miss there."""
    have, targets = site.control, site.matrix.get("targets", {})
    for key, what in CONTROL.items():
        known = targets.get(key, [])
        if have and known and _version(have[key])[:2] > _version(known[-1]):
            yield f"{what} {have[key]} of the control node is newer than what the collection is tried with, up to {known[-1]}."
    for name, there, asked in _old_collections(site):
        if name not in have["wanted"]:
            yield f"The collection {name} on the control node is {there or 'missing'}, and {asked} is asked for by what comes later (verify.yml, certs.yml)."


def warnings(site: Site, skip=()) -> list[str]:
    """Sentences about versions that work and have a fault worth knowing, or are not those that others are made for."""
    found = [] if "control" in skip else list(_new_control(site))
    if "versions" in skip:
        return found
    bad = [f"{name} = {value}: {bad['reason']}; {bad['remedy']} ({bad['source']})." for name, value, bad in _known_bad(site, "warn")]
    return [*bad, *_not_recommended(site), *found]


def _no_way_back(product: str) -> str:
    return f"{product} does not go back with its data: use another controller, or, if nothing in it is needed, run `snap remove --purge {product}` there"


def _other_tracks(site: Site) -> Iterator[dict]:
    """Snaps that are there and follow another track than is asked for: the role host refreshes none of them."""
    for product in ("maas", "juju", "lxd"):
        name, tracked = f"{product}_channel", str((site.controller.get("channels") or {}).get(product) or "")
        channel, track = str(site.get(name) or ""), _track(tracked)
        asked, known = _track(channel), site.matrix.get(product, {})
        if product == "lxd" and not _uses_lxd_snap(site):
            continue
        if not tracked or PLACEHOLDER in channel or asked in ("", "stable", "candidate", "beta", "edge", track):
            continue
        ways, wanted = [], _version(asked)
        if track == "-":
            ways.append(f"run `snap switch --channel={channel} {product}` there if it is of that release")
        if track in map(str, known if product == "maas" else known.get("supported", [])):
            ways.append(f"set {name} to {track}/stable")
        installed = _version((site.controller.get("snaps") or {}).get(product, ""))
        if track != "-" and wanted and installed and wanted >= installed[: len(wanted)]:
            ways.append(f"back its data up and run `snap refresh --channel={channel} {product}` there")
        what = f"the snap {product} tracks {'no channel' if track == '-' else tracked}, and keeps its track, as it may not work with the data of another one"
        yield problem("versions", name, channel, what, ", or ".join(ways) or _no_way_back(product))


def libraries(site: Site) -> Iterator[dict]:
    """The modules' Python packages, as requirements/runtime.txt has them, where the modules run."""
    if not site.libraries:
        return
    wrong = []
    for line in site.requirements:
        name, wanted = re.fullmatch(r"([\w.-]*\w)\s*(.*)", line).groups()
        present = site.libraries["packages"].get(name.lower())
        if not present or (wanted and not _matches(_version(present), wanted)):
            wrong.append(f"{line} ({present or 'none'} there)")
    if wrong:
        what = f"Python packages that the modules need are missing there, or of other versions: {', '.join(wrong)}"
        remedy = f"{site.libraries['python']} -m pip install -r requirements/runtime.txt there, or set stratus_api_host to a host that has them"
        yield problem("libraries", "stratus_api_host", site.get("stratus_api_host", "localhost"), what, remedy)


# What the control node has, as Site.control and the matrix' targets call it.
CONTROL = {"ansible_core": "ansible-core", "python": "Python"}


def _old_collections(site: Site) -> Iterator[tuple]:
    """(name, version there or None, what is asked for) of the collections beside this one that are missing or of another version."""
    for name, (there, asked) in (site.control.get("collections") or {}).items():
        if not there or not _matches(_version(there), asked):
            yield name, there, asked


def control(site: Site) -> Iterator[dict]:
    """ansible-core, Python and the collections that run the playbooks."""
    have, targets = site.control, site.matrix.get("targets", {})
    for key, what in CONTROL.items():
        known = targets.get(key, [])
        if have and known and _version(have[key])[:2] < _version(known[0]):
            remedy = f"use {what} {known[0]} to {known[-1]} on the control node"
            yield problem("control", f"{what} of the control node", have[key], "the collection does not work with so old a release", remedy)
    for name, there, asked in _old_collections(site):
        if name in have["wanted"]:
            what = f"this run needs {name} {asked}"
            yield problem("control", f"collection {name} of the control node", there, what, f"ansible-galaxy collection install --upgrade '{name}:{asked}'")


def _charms(site: Site) -> Iterator[tuple[str, str, str, str]]:
    """(application, family, channel, base) of the bundle's charms that versions.yml has channels for; the base is empty where nothing names one.

    A charm that no family has is OpenStack's, as versions.yml says, unless its track is no OpenStack release's: then it is the site's own.
    """
    openstack = site.matrix.get("openstack", {})
    families = {charm: family for family, members in openstack.get("families", {}).items() for charm in members}
    default = site.bundle.get("default-base") or site.bundle.get("series") or site.get("juju_model_base")
    for name, application in (site.bundle.get("applications") or {}).items():
        try:
            charm, channel = bundles.charm(application["charm"]), bundles.channel(application.get("channel"))
            base = _track(bundles.base(application.get("base") or application.get("series") or default))
        except (AttributeError, KeyError, TypeError, ValueError):
            # The check of the bundle itself says so.
            continue
        family = families.get(charm, "openstack")
        if channel and (charm in families or re.fullmatch(r"\d{4}\.\d|(?!latest)[a-z]+", _track(channel))):
            yield name, family, channel, base


def releases(site: Site) -> Iterator[dict]:
    """The bundle's channels and bases against those of one OpenStack release: the one that most of them belong to."""
    known = site.matrix.get("openstack", {}).get("releases", {})
    charms = list(_charms(site))
    if not known or not charms:
        return

    def wanted(release, family, base):
        rows = known[release]
        return rows.get(base or next(iter(rows)), {}).get(family)

    def strangers(release):
        return [charm for charm in charms if _track(wanted(release, charm[1], charm[3])) != _track(charm[2])]

    best = min(known, key=lambda release: len(strangers(release)))
    if 2 * len(strangers(best)) > len(charms):
        for base in sorted({charm[3] for charm in charms}):
            channels = sorted({channel for _name, _family, channel, on in charms if on == base})
            good = ", ".join(str(release) for release, rows in known.items() if not base or base in rows) or "none"
            what = f"no OpenStack release that is known has these channels{' on ' + base if base else ''}"
            yield problem("releases", "openstack_bundle_file", ", ".join(channels), what, f"use the channels of bundles/versions.yml (known there: {good})")
        return
    groups: dict[tuple, list[str]] = {}
    for name, family, channel, base in strangers(best):
        groups.setdefault((channel, wanted(best, family, base), base), []).append(name)
    for (channel, right, base), apps in groups.items():
        what = f"most of the bundle is OpenStack {best}, {f'with which {right} of it goes' if right else f'which is not known on {base}'}"
        remedy = f"use {right or ' or '.join(known[best])} in the bundle and its overlays (bundles/overlays has a directory for each release)"
        yield problem("releases", f"channel of {', '.join(apps)}", channel, what, remedy)


def vips(site: Site) -> Iterator[dict]:
    """Virtual addresses of the bundle: there where an hacluster needs one, well formed, and nobody else's."""
    applications = {name: about for name, about in (site.bundle.get("applications") or {}).items() if isinstance(about, dict)}
    clusters = {name for name, about in applications.items() if str(about.get("charm")).removeprefix("ch:") == "hacluster"}
    needed: set[str] = set()
    for pair in site.bundle.get("relations") or []:
        ends = {str(end).partition(":")[0] for end in pair} if isinstance(pair, (list, tuple)) else set()
        if ends & clusters:
            needed |= ends - clusters
    taken = {str(site.get("maas_gateway_ip")): "maas_gateway_ip"}
    taken |= {str(values["bmc"].get("address")): f"{host}.bmc.address" for host, values in _with_bmc(site)}
    _found, dynamic = _range("vips", "maas_dynamic_range", site.get("maas_dynamic_range"), None)
    for name, about in applications.items():
        options = about.get("options") if isinstance(about.get("options"), dict) else {}
        variable, given = f"{name}.options.vip", str(options.get("vip") or "").split()
        if not given and name in needed and not options.get("dns-ha"):
            remedy = f"name an address that nothing else has, in an overlay of your own: {{applications: {{{name}: {{options: {{vip: ADDRESS}}}}}}}}"
            yield problem("vips", variable, options.get("vip"), "an hacluster is related to it, which needs a virtual address", remedy)
        for text in given:
            address = as_address(text)
            if PLACEHOLDER in text:
                yield problem("vips", variable, PLACEHOLDER, "the placeholder was never replaced", "put the real address in its place")
            elif address is None:
                yield problem("vips", variable, text, "it is no IP address", "write it like 10.42.0.60")
            elif text in taken:
                yield problem("vips", variable, text, f"{taken[text]} has the same address", "give each an address that nothing else has")
            elif dynamic and dynamic[0].version == address.version and dynamic[0] <= address <= dynamic[1]:
                what = "DHCP could give this address to a machine"
                yield problem("vips", variable, text, what, f"move it out of maas_dynamic_range ({dynamic[0]}-{dynamic[1]})")
            taken.setdefault(text, variable)


def _postgres_there(controller: dict) -> int | None:
    """The newest major version that the controller has."""
    return max((int(version) for version in controller.get("postgres") or []), default=None)


def _postgres(site: Site) -> int | None:
    """The major version that MAAS' database will have; None when it is not known. What the controller runs already wins over what would be installed."""
    wanted, controller = site.get("postgres_version"), site.controller
    if wanted:
        return int(wanted) if str(wanted).isdigit() else None
    return _postgres_there(controller) or site.matrix.get("postgres", {}).get("packaged", {}).get(controller.get("codename"))


def versions(site: Site) -> Iterator[dict]:
    check, matrix = "versions", site.matrix
    if not matrix:
        return
    yield from _other_tracks(site)
    refused = {}
    for name, value, bad in _known_bad(site, "refuse"):
        if name not in refused:
            refused[name] = bad
            yield problem(check, name, value, bad["reason"], bad["remedy"])
    for product in ("maas", "juju"):
        name, channel = f"{product}_channel", site.get(f"{product}_channel")
        if not channel or PLACEHOLDER in str(channel) or name in refused:
            continue
        track = _track(channel)
        releases = matrix.get("maas", {}) if product == "maas" else dict.fromkeys(matrix.get("juju", {}).get("supported", []), {})
        if track not in map(str, releases):
            good = [str(release) for release, about in releases.items() if about.get("status") != "beta"]
            yield problem(check, name, channel, f"this release of {product} is not known to work", f"use one of {', '.join(good)}, as in {good[-1]}/stable")
    release = matrix.get("maas", {}).get(_track(site.get("maas_channel")))
    wanted, controller = site.get("postgres_version"), site.controller
    packaged = matrix.get("postgres", {}).get("packaged", {}).get(controller.get("codename"))
    if wanted and str(wanted).isdigit() is False:
        yield problem(check, "postgres_version", wanted, "it is no major version", "write a number such as 15, or leave it empty")
        return
    actual = _postgres(site)
    if wanted and packaged and actual != packaged and actual != _postgres_there(controller):
        remedy = f"leave it empty for {packaged}, or add the PostgreSQL project's package repository first"
        yield problem(check, "postgres_version", wanted, f"{controller.get('codename')} packages version {packaged}", remedy)
    if release and actual and actual < release["postgres"]:
        remedy = f"use a system that packages {release['postgres']} (Ubuntu 24.04), set postgres_version, or choose an older maas_channel"
        yield problem(check, "postgres_version", actual, f"MAAS {site.get('maas_channel')} needs PostgreSQL {release['postgres']} or later", remedy)
    channel = site.get("lxd_channel")
    track = _track(channel)
    if channel and "lxd" in matrix and track not in matrix["lxd"]["supported"]:
        there = _track((controller.get("channels") or {}).get("lxd")) == track
        yield problem(
            check, "lxd_channel", channel, "MAAS does not support this release of LXD", _no_way_back("lxd") if there else f"use {matrix['lxd']['channel']}"
        )


def controller(site: Site) -> Iterator[dict]:
    check, facts = "controller", site.controller
    if not facts:
        return
    systems = site.matrix.get("targets", {}).get("controller", [])
    here = str(facts.get("distribution_version"))
    if systems and not any(s["distribution"] == facts.get("distribution") and f"{here}.".startswith(f"{s['version']}.") for s in systems):
        names = ", ".join(f"{s['distribution']} {s['version']}" for s in systems)
        yield problem(check, "controller's system", f"{facts.get('distribution')} {here}", "the roles are not written for it", f"use one of {names}")
    if facts.get("architecture") and facts["architecture"] != "x86_64":
        yield problem(check, "controller's architecture", facts["architecture"], "the virtual machines of the control plane are amd64", "use an x86_64 host")
    least = site.get("stratus_preflight_minimum", MINIMUM) or {}
    if not isinstance(least, dict):
        yield problem(check, "stratus_preflight_minimum", least, "it is no mapping", "write it as {memory_mb: 8192, disk_gb: 40}")
        return
    for key, unit, remedy in (("memory_mb", "MiB of memory", "use a larger host"), ("disk_gb", "GB free on /var", "free some space, or use a larger disk")):
        wanted = least.get(key) or 0
        if not str(wanted).isdigit():
            yield problem(check, f"stratus_preflight_minimum.{key}", wanted, "it is no whole number", f"give the {unit} as a number, such as {MINIMUM[key]}")
        # Before ansible-core 2.19 a fact comes as text.
        elif facts.get(key) is not None and int(facts[key]) < int(wanted):
            yield problem(
                check, f"controller's {key}", facts[key], f"at least {wanted} {unit} are needed", f"{remedy}; or lower stratus_preflight_minimum.{key}"
            )


def _ratio(site: Site, kind: str) -> float:
    try:
        return float(site.get(f"lxd_{kind}_over_commit_ratio", OVER_COMMIT[kind]))
    except (TypeError, ValueError):
        return OVER_COMMIT[kind]


def vms(site: Site) -> Iterator[dict]:
    """Whether the controller can hold the virtual machines: MAAS refuses to compose more than its host may promise, after half an hour of work."""
    check, facts = "vms", site.controller
    if not site.vms:
        return
    if facts.get("kvm") is False:
        remedy = "turn on VT-x or AMD-V in its firmware (nested virtualisation, if it is virtual itself)"
        yield problem(check, "controller's /dev/kvm", "", "there is none, and without it LXD runs no virtual machines", remedy)
    sizes = {"cores": [], "memory": [], "disks": []}
    for vm in site.vms:
        for key, values in sizes.items():
            for value in vm.get(key) if isinstance(vm.get(key), list) else [vm.get(key) or 0]:
                try:
                    values.append(float(value))
                except (TypeError, ValueError):
                    yield problem(check, f"{vm.get('hostname')}'s {key}", value, "it is no number", "give cores, memory in MiB and disks in GB as numbers")
    asked = {"cores": int(sum(sizes["cores"])), "memory_mb": int(sum(sizes["memory"])), "disk_size_gb": int(max(sizes["disks"], default=0))}
    ask = f"the {len(site.vms)} virtual machines of the control plane ask for {{}} {{}}"
    # What the controller has, times; what is asked for; what can be done. The kernel keeps a little of the memory for itself, which MAAS counts. Disks are
    # made thin, and each of them alone has to fit (MAAS' lxd.py, _get_usable_storage_pool).
    rows = [
        ("cores", _ratio(site, "cpu"), ask.format(asked["cores"], "cores"), "use a larger host, raise lxd_cpu_over_commit_ratio"),
        ("memory_mb", _ratio(site, "memory") * 1.05, ask.format(asked["memory_mb"], "MiB of memory"), "use a larger host"),
    ]
    # Another driver's pool need not lie on /var.
    if site.get("lxd_storage_driver", "dir") == "dir":
        rows.append(("disk_size_gb", 1, f"a virtual machine asks for a disk of {asked['disk_size_gb']} GB", "use a larger disk for /var"))
    for key, times, what, remedy in rows:
        may = int(int(facts.get(key) or 0) * times)
        if may and asked[key] > may:
            promise = f", and MAAS lets it promise {may}" if key == "cores" else ""
            yield problem(check, f"controller's {key}", facts[key], what + promise, f"{remedy}, or ask for less with an overlay")


def images(site: Site) -> Iterator[dict]:
    """Whether MAAS has an image for every machine of the bundle and of Juju."""
    rows, known = site.get("maas_images"), site.matrix.get("targets", {}).get("machines", [])
    if not isinstance(rows, list):
        return
    there = {str(row.get("release")) for row in rows if isinstance(row, dict)}
    aliases = {target["series"]: target["base"].partition("@")[2] for target in known}
    for name in ("maas_commissioning_series", "maas_default_series"):
        series = site.get(name)
        if series and there and PLACEHOLDER not in str(series) and not there & {str(series), aliases.get(str(series))}:
            remedy = f"use a release of maas_images ({', '.join(sorted(there))}), or add {{os: ubuntu, release: {series}, arches: [amd64]}} to them"
            yield problem("images", name, series, "no image of this release is imported, so no machine would boot with it", remedy)
    wanted = {_track(base) for base in site.bases if base}
    for target in known:
        if target["base"] in wanted and not there & {target["series"], target["base"].partition("@")[2]}:
            remedy = f"add {{os: {target['os']}, release: {target['series']}, arches: [amd64]}}"
            yield problem("images", "maas_images", ", ".join(sorted(there)), f"machines of the bundle or of Juju ask for {target['base']}", remedy)


CHECKS = {
    "required": required,
    "placeholders": placeholders,
    "types": types,
    "names": names,
    "secrets": secrets,
    "network": network,
    "machines": machines,
    "versions": versions,
    "releases": releases,
    "vips": vips,
    "control": control,
    "libraries": libraries,
    "controller": controller,
    "vms": vms,
    "images": images,
}


def site_problems(site: Site, skip=(), found=(), only=()) -> list[dict]:
    """All problems, each once: those of the checks here (``only``: of these) and those found elsewhere, without the checks left out by name."""
    problems = [p for name, check in CHECKS.items() if name not in skip and (not only or name in only) for p in check(site)]
    problems += [{"check": "host", "value": "", "remedy": "", **p} for p in found]
    seen, unique = set(), []
    # A placeholder, and then a wrong type, explains whatever else is wrong with the same value.
    explained = {check: [p["variable"] for p in problems if p["check"] == check] for check in ("placeholders", "types")}
    for entry in problems:
        key = (entry["variable"], entry["problem"])
        before = [] if entry["check"] == "placeholders" else explained["placeholders"] + (explained["types"] if entry["check"] != "types" else [])
        if entry["check"] in skip or key in seen or any(_within(entry["variable"], name) for name in before):
            continue
        seen.add(key)
        unique.append(entry)
    return unique


def _within(variable: str, name: str) -> bool:
    """Whether a variable is that of this name, or a part of it."""
    return variable == name or variable.startswith((f"{name}.", f"{name}["))


def render(problems: list[dict]) -> str:
    """The list as the operator reads it."""
    lines = []
    for number, entry in enumerate(problems, 1):
        lines.append(f"{number:3}. {entry['variable']} = {entry['value']}" if str(entry["value"]) else f"{number:3}. {entry['variable']}")
        lines.append(f"     {entry['problem']}")
        if entry["remedy"]:
            lines.append(f"     -> {entry['remedy']}  (check: {entry['check']})")
    return "\n".join(lines)
