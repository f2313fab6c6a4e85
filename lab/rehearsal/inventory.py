"""A copy of an inventory that can be run anywhere: without vaulted files, without placeholders, and the rack that it describes."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from lab.__main__ import Stop

PLACEHOLDER = "CHANGE-ME"
VAULTED = "$ANSIBLE_VAULT"
STAND_IN = "rehearsal-only"
# Values for placeholders that have to look like something; any other gets STAND_IN.
LIKE = {"maas_admin_email": "rehearsal@example.org", "maas_upstream_dns": "192.0.2.53", "address": "192.0.2.10", "ansible_host": "192.0.2.10"}
SECRETS = ("postgres_password", "maas_admin_password", "secret_bmc_password")
SIZES = {"cpu": 16, "memory": 65536}
DISKS = [{"name": "sda", "size": 480_000_000_000, "tags": ["ssd"]}, {"name": "sdb", "size": 960_000_000_000, "tags": ["ssd"]}]
# More than any control plane asks for: how large the operator's controller is, only preflight on it can tell.
VM_HOST = {"cores": 1024, "cpu_speed": 2600, "memory": 4 * 1024 * 1024, "pools": [{"name": "default", "type": "zfs", "size": 100 * 10**12}]}


class Unsafe(str):
    """A text that Ansible takes as it is."""


yaml.SafeDumper.add_representer(Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


class Loader(yaml.SafeLoader):
    """YAML with Ansible's tags; a vaulted value is as good as a placeholder."""


Loader.add_constructor("!vault", lambda loader, node: PLACEHOLDER)
Loader.add_constructor("!unsafe", lambda loader, node: Unsafe(loader.construct_scalar(node)))


class Copy:
    """The copy of an inventory in ``place``. ``open``: placeholders that were filled; ``vaulted``: files and values that were not needed."""

    def __init__(self, source: Path, place: Path):
        self.source, self.place = source, place
        self.open: list[str] = []
        self.vaulted: list[str] = []
        self.names: set[str] = set()
        self.used: set[str] = set()
        self._macs = 0

    def make(self) -> Copy:
        if self.source.is_dir():
            shutil.copytree(self.source, self.place, symlinks=False)
        else:
            self.place.mkdir(parents=True)
            for path in [self.source, *(self.source.parent / name for name in ("group_vars", "host_vars"))]:
                if path.is_dir():
                    shutil.copytree(path, self.place / path.name)
                elif path.is_file():
                    shutil.copy(path, self.place / path.name)
        for path in sorted(self.place.rglob("*")):
            if path.is_file():
                self._file(path)
        return self

    def _file(self, path: Path) -> None:
        if path.suffix in (".md", ".txt", ".j2"):
            return
        name = str(path.relative_to(self.place))
        text = path.read_text(errors="replace")
        if text.startswith(VAULTED):
            self.vaulted.append(name)
            path.unlink()
            return
        self.used |= set(re.findall(r"{{\s*(\w+)", text))
        if path.suffix not in (".yml", ".yaml"):
            if PLACEHOLDER in text:
                self.open.append(name)
                path.write_text(text.replace(PLACEHOLDER, STAND_IN))
            return
        self.vaulted += [f"{name}: {key}" for key in re.findall(r"(\w+):\s*!vault", text)]
        try:
            data = yaml.load(text, Loader)  # noqa: S506 (a SafeLoader)
        except yaml.YAMLError as error:
            raise Stop(f"{name} of the inventory is no YAML: {error}") from None
        if isinstance(data, dict):
            self.names |= set(map(str, data))
            path.write_text(yaml.safe_dump(self._filled(data, name, ""), sort_keys=False))

    def _filled(self, value: Any, file: str, key: str) -> Any:
        if isinstance(value, dict):
            return {name: self._filled(inner, file, str(name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner, file, key) for inner in value]
        if not isinstance(value, str) or PLACEHOLDER not in value:
            return value
        if not any(entry.endswith(f": {key}") for entry in self.vaulted):
            self.open.append(f"{file}: {key}")
        if key == "mac_addresses":
            self._macs += 1
            return f"52:54:00:fe:{self._macs // 256:02x}:{self._macs % 256:02x}"
        return value.replace(PLACEHOLDER, LIKE.get(key, STAND_IN))

    def stand_ins(self) -> dict[str, str]:
        """Secrets that the copy has no longer, or never had: those that vaulted files must have held."""
        lost = {name for name in self.used - self.names if re.search(r"pass|secret|vault|token|key", name)} if self.vaulted else set()
        return dict.fromkeys(sorted(lost | (set(SECRETS) - self.names)), STAND_IN)


def rack(hosts: dict[str, dict[str, Any]], machines: list[str], variables: dict[str, Any]) -> dict[str, Any]:
    """The rack file of an inventory: its controller, its private network, its machines with their BMCs."""
    network = ipaddress.ip_network(variables["maas_subnet_cidr"])
    inside = variables.get("maas_gateway_ip") or str(network.network_address + 1)
    rows = []
    for number, name in enumerate(machines):
        host, bmc = hosts[name], hosts[name].get("bmc") or {}
        macs = host.get("mac_addresses") or []
        nics = [{"name": f"enp{1 + n}s0", "mac": mac.lower()} for n, mac in enumerate([macs] if isinstance(macs, str) else macs)]
        row = {"hostname": name, "serial": f"R{number:04d}", **SIZES, "nics": nics, "disks": DISKS}
        # One that two machines are given is a problem that the preflight tells; only one of them can have it.
        if bmc.get("address") and str(bmc["address"]) not in {one["bmc"]["address"] for one in rows if "bmc" in one}:
            row["bmc"] = {"address": str(bmc["address"]), "user": str(bmc.get("user", "")), "password": str(bmc.get("password", ""))}
        rows.append(row)
    return {
        "network": str(network),
        "attended": True,
        "controller": {
            "hostname": "controller", "cpu": 8, "cpu_speed": 2600, "memory": 16384, "arch": "amd64", "serial": "CTRL0", "auto_import": False,
            "vm_host": VM_HOST,
            "nics": [{"name": variables.get("lxd_bridge_interface") or "eno3", "mac": "52:54:00:fe:ff:fe", "address": f"{inside}/{network.prefixlen}"}],
        },
        "machines": rows,
    }  # fmt: skip


def elsewhere(made: dict[str, Any]) -> list[str]:
    """Addresses of a rack's BMCs outside of its private network: they may have a network of their own."""
    network, found = ipaddress.ip_network(made["network"]), set()
    for row in made["machines"]:
        with contextlib.suppress(KeyError, ValueError):
            found.add(ipaddress.ip_address(row["bmc"]["address"]))
    return [str(address) for address in sorted(found, key=lambda one: (one.version, one)) if address not in network]
