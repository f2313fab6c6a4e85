"""The description that the lab generates from its handlers is the real one, as far as it has handlers."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from lab.faces.maas import handlers
from lab.faces.maas.registry import REGISTRY
from tests.contract.replayer import HERE

assert handlers.__all__
BASE = "http://127.0.0.1:5240"
# Resources that the lab does not have: nothing here speaks of them.
ABSENT = {
    "BcacheCacheSetHandler",
    "BcacheCacheSetsHandler",
    "BcacheHandler",
    "BcachesHandler",
    "RaidHandler",
    "RaidsHandler",
    "VolumeGroupHandler",
    "VolumeGroupsHandler",
    "VmfsDatastoreHandler",
    "VmfsDatastoresHandler",
    "NodeDeviceHandler",
    "NodeDevicesHandler",
    "NodeResultsHandler",
    "NetworkHandler",
    "NetworksHandler",
    "VmClusterHandler",
    "VmClustersHandler",
    "SSLKeyHandler",
    "SSLKeysHandler",
    "FileHandler",
    "FilesHandler",
    "CommissioningScriptHandler",
    "DHCPSnippetHandler",
    "DNSResourceRecordHandler",
    "DeviceHandler",
    "DiscoveryHandler",
    "LicenseKeyHandler",
    "NodeScriptHandler",
    "NotificationHandler",
    "PackageRepositoryHandler",
    "StaticRouteHandler",
    "ReservedIpHandler",
}
# Operations that the lab does not have, by handler.
WITHOUT: dict[str, set[str]] = {
    "BlockDevicesHandler": {"create"},
    "BootResourcesHandler": {"create"},
    "CommissioningScriptsHandler": {"create"},
    "DHCPSnippetsHandler": {"create"},
    "DNSResourceRecordsHandler": {"create"},
    "DevicesHandler": {"create"},
    "DiscoveriesHandler": {"by_unknown_ip", "by_unknown_ip_and_mac", "by_unknown_mac", "clear", "clear_by_mac_and_ip", "scan"},
    "IPAddressesHandler": {"release", "reserve"},
    "LicenseKeysHandler": {"create"},
    "MachineHandler": {"mount_special", "unmount_special"},
    "MachinesHandler": {"add_chassis", "clone"},
    "NodeScriptResultHandler": {"delete", "update"},
    "NodeScriptsHandler": {"create"},
    "NotificationsHandler": {"create"},
    "PackageRepositoriesHandler": {"create"},
    "RackControllerHandler": {"abort", "delete", "override_failed_testing", "power_off", "power_on", "test"},
    "RackControllersHandler": {"power_parameters"},
    "RegionControllerHandler": {"delete"},
    "ReservedIpsHandler": {"create"},
    "StaticRoutesHandler": {"create"},
}


def real(version: str) -> dict[str, Any]:
    return json.loads(gzip.decompress((HERE / "describe" / f"describe-{version}.json.gz").read_bytes()))


def bare(handler: dict[str, Any] | None) -> dict[str, Any] | None:
    """A handler without prose and addresses."""
    if handler is None:
        return None
    actions = [{name: action[name] for name in ("name", "method", "op", "restful")} for action in handler["actions"]]
    return {"name": handler["name"], "path": handler["path"], "params": handler["params"], "actions": sorted(actions, key=lambda action: action["name"])}


@pytest.mark.parametrize("version", ["3.5", "3.7"])
def test_describe(version: str) -> None:
    ours = {entry["name"]: entry for entry in REGISTRY.describe(BASE, version)["resources"]}
    theirs = {entry["name"]: entry for entry in real(version)["resources"]}
    assert set(ours) <= set(theirs)
    assert set(theirs) - set(ours) <= ABSENT
    for name, entry in ours.items():
        for side in ("auth", "anon"):
            left, right = bare(theirs[name][side]), bare(entry[side])
            if left is not None:
                left["actions"] = [action for action in left["actions"] if action["name"] not in WITHOUT.get(name, set())]
            assert left == right, f"{name} {side}"


def test_absolute_addresses_follow_the_request() -> None:
    entry = next(e for e in REGISTRY.describe("http://10.42.0.1:5240", "3.5")["resources"] if e["name"] == "MachineHandler")
    assert entry["auth"]["uri"] == "http://10.42.0.1:5240/MAAS/api/2.0/machines/{system_id}/"
