"""The matrix of the modules on a region that somebody has: `make live`, with MAAS_URL and MAAS_API_KEY exported.

Everything that is made carries a prefix of its own and hangs on things made here; nothing else is touched. What was made is
deleted at the end, also after a failure, in the opposite order. What a region cannot do is skipped by name.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.integration.maas_runner import Api, Failed, run
from tests.support.lab import ssh_key

URL, KEY = os.environ.get("MAAS_URL"), os.environ.get("MAAS_API_KEY")
pytestmark = pytest.mark.skipif(not (URL and KEY), reason="set MAAS_URL and MAAS_API_KEY to a region that you may write to")

# What is not tried, and why; so that the report names it.
LEFT_OUT = {
    "maas_boot_resources": "an import changes what the region holds",
    "maas_boot_selection": "belongs to the region's own boot source",
    "maas_boot_source": "a second source changes the next import",
    "maas_config": "settings belong to the region; only that equal ones are left alone is tried",
    "maas_machine_power": "needs a machine with a BMC",
    "maas_storage_layout": "needs a machine that was commissioned",
    "maas_vm": "needs a VM host",
    "maas_vm_host": "needs an LXD host",
}


@dataclass
class Site:
    """One run's names, addresses, and what has to be cleaned up."""

    api: Api
    version: str
    prefix: str = field(default_factory=lambda: f"stratus-test-{secrets.token_hex(3)}")
    made: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.octets = [secrets.randbelow(254) + 1 for _number in range(3)]
        # A block that is kept for measuring networks, of which a /24 at random.
        self.cidr = f"198.{18 + self.octets[0] % 2}.{self.octets[1]}.0/24"
        self.net = self.cidr.rsplit(".", 1)[0]
        self.mac = "52:54:00:" + ":".join(f"{octet:02x}" for octet in self.octets)
        self.key = ssh_key(self.prefix)

    def ensure(self, module: str, absent: dict[str, Any] | None, **options: Any) -> dict[str, Any]:
        """Check writes nothing, run changes, second run does not. ``absent``: options that undo it."""
        before = self.state(module, options)
        checked = run(module, options, check=True)
        assert checked["changed"]
        assert self.state(module, options) == before, "check mode wrote"
        if absent is not None:
            self.made.append((module, {**absent, "state": "absent"}))
        done = run(module, options)
        assert done["changed"]
        assert checked["diff"] == done["diff"]
        again = run(module, options)
        assert not again["changed"], again["diff"]
        return done

    def state(self, module: str, options: dict[str, Any]) -> Any:
        """What another client sees of the region, as far as this run could change it."""
        paths = ("zones/", "resourcepools/", "spaces/", "fabrics/", "subnets/", "ipranges/", "tags/", "account/prefs/sshkeys/", "users/", "dnsresources/")
        seen = {path: sorted(str(thing.get("id", thing.get("name", thing.get("username")))) for thing in self.api.get(path)) for path in paths}
        seen["machines/"] = [(m["system_id"], m["status_name"], len(m["interface_set"])) for m in self.api.get("machines/", hostname=self.prefix)]
        return seen

    def clean(self) -> None:
        problems = []
        for module, options in reversed(self.made):
            try:
                run(module, options)
            except Failed as error:
                problems.append(f"{module} {options}: {error}")
        assert not problems, "left behind: " + "; ".join(problems)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    api = Api(URL.rstrip("/"), KEY)
    version = api.get("version/")["version"]
    print(f"\nMAAS {version} at {URL}")
    if not api.get("users/", op="whoami")["is_superuser"]:
        pytest.skip("the user of this API key is no administrator")
    made = Site(api, version)
    yield made
    made.clean()


def named(things: list[dict[str, Any]], name: str, key: str = "name") -> dict[str, Any]:
    return next(thing for thing in things if thing[key] == name)


@pytest.mark.parametrize("module", ["maas_zone", "maas_resource_pool", "maas_space"])
def test_named_things(site, module):
    site.ensure(module, {"name": site.prefix}, name=site.prefix, description="made by a test")
    site.ensure(module, None, name=site.prefix, description="changed by a test")
    path = {"maas_zone": "zones/", "maas_resource_pool": "resourcepools/", "maas_space": "spaces/"}[module]
    assert named(site.api.get(path), site.prefix)["description"] == "changed by a test"


def test_network(site):
    site.ensure("maas_fabric", {"name": site.prefix}, name=site.prefix)
    vlan = {"fabric": site.prefix, "vid": 1234}
    site.ensure("maas_vlan", vlan, **vlan, name="storage", mtu=9000, space=site.prefix)
    site.ensure("maas_subnet", {"cidr": site.cidr}, cidr=site.cidr, name=site.prefix, fabric=site.prefix, vid=1234, gateway_ip=f"{site.net}.1")
    site.ensure("maas_subnet", None, cidr=site.cidr, dns_servers=[f"{site.net}.2"], gateway_ip="")
    ends = {"type": "reserved", "subnet": site.cidr, "start_ip": f"{site.net}.10", "end_ip": f"{site.net}.20"}
    site.ensure("maas_ip_range", {**ends, "end_ip": f"{site.net}.30"}, **ends)
    site.ensure("maas_ip_range", None, **{**ends, "end_ip": f"{site.net}.30"}, comment="moved")
    found = named(site.api.get("subnets/"), site.cidr, "cidr")
    assert (found["name"], found["dns_servers"], found["vlan"]["vid"]) == (site.prefix, [f"{site.net}.2"], 1234)


def test_ssh_key(site):
    site.ensure("maas_sshkey", {"key": site.key}, key=site.key)


def test_user(site):
    who = {"username": site.prefix, "email": f"{site.prefix}@example.com"}
    site.ensure("maas_user", {"username": site.prefix}, **who, password=secrets.token_urlsafe(16))


def test_name(site):
    domain = next(domain["name"] for domain in site.api.get("domains/") if domain["is_default"])
    fqdn = f"{site.prefix}.{domain}"
    site.ensure("maas_dns_resource", {"fqdn": fqdn}, fqdn=fqdn, ip_addresses=[f"{site.net}.40"])


def test_machine(site):
    entry = {"hostname": site.prefix, "mac_addresses": [site.mac], "power_type": "manual"}
    try:
        site.ensure("maas_machine", {"machines": [{"hostname": site.prefix}], "force": True}, machines=[entry])
    except Failed as error:
        if "not a valid architecture" in str(error):
            pytest.skip("maas_machine: this region has no images of amd64")
        raise
    site.ensure("maas_machine", None, machines=[{**entry, "description": "made by a test", "pool": site.prefix, "zone": site.prefix}])
    site.ensure("maas_tag", {"name": site.prefix}, name=site.prefix, machines=[site.prefix])
    bridge = {"machines": [site.prefix], "type": "bridge", "name": "br-test", "parent": site.mac}
    site.ensure("maas_interface", None, **bridge, bridge_type="ovs")
    site.ensure("maas_interface", None, machines=[site.prefix], type="bridge", name="br-test", state="absent")


def test_machine_state(site):
    if not site.api.get("machines/", hostname=site.prefix):
        pytest.skip("maas_machine_state: there is no machine to try it on")
    # A machine with manual power is only told to commission; nothing boots.
    try:
        site.ensure("maas_machine_state", None, machines=[site.prefix], state="ready", testing_scripts=[], wait=False)
    finally:
        run("maas_machine_state", {"machines": [site.prefix], "state": "aborted"})
    assert not run("maas_machine_state", {"machines": [site.prefix], "state": "aborted"})["changed"]
    with pytest.raises(Failed, match="state=ready"):
        run("maas_machine_state", {"machines": [site.prefix], "state": "allocated"})


def test_settings_that_are_equal_are_left_alone(site):
    settings = run("maas_config_info", {"names": ["maas_name", "upstream_dns", "completed_intro", "ntp_servers"]})["settings"]
    assert not run("maas_config", {"settings": settings})["changed"]


def test_reading(site):
    assert run("maas_controller_info", {})["version"] == site.version
    for module in ("zone", "resource_pool", "space", "fabric", "tag", "subnet", "ip_range", "user", "sshkey", "boot_source", "boot_resources", "dns_resource"):
        assert not run(f"maas_{module}_info", {})["changed"]
    assert run("maas_machine_info", {"machines": ["no-such-machine-here"]})["missing"] == ["no-such-machine-here"]
    assert run("maas_events", {"limit": 5})["events"] is not None


def test_vm_hosts_can_be_read(site):
    try:
        run("maas_vm_host_info", {})
    except Failed as error:
        pytest.skip(f"maas_vm_host_info: {error}")


@pytest.mark.parametrize("module", LEFT_OUT)
def test_left_out(module):
    pytest.skip(f"{module}: {LEFT_OUT[module]}")
