# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters from the machines of a bundle to those of MAAS."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.stratus.cloud.plugins.module_utils import placement


def _told(function, *arguments):
    try:
        return function(*arguments)
    except placement.PlacementError as error:
        raise AnsibleFilterError(str(error)) from error


def bundle_vms(machines, prefix="os-", metal_tag="compute", default=None, disks=None):
    default = {"cores": 2, "memory": 4096, "disk": 20, **(default or {})}
    return _told(placement.virtual, machines, prefix, metal_tag, default, disks)


def bundle_machine_map(machines, known, hosts=None, prefix="os-", metal_tag="compute"):
    return _told(placement.mapping, machines, prefix, metal_tag, hosts or [], known)


def bundle_disk_problems(machines, disks=None):
    return placement.too_small(machines, disks)


def cloud_machines(machines, ids, names, hosts, controller=None, models=None):
    return placement.of_cloud(machines, ids, names, hosts, controller, models)


class FilterModule:
    def filters(self):
        return {
            "bundle_vms": bundle_vms,
            "bundle_machine_map": bundle_machine_map,
            "bundle_disk_problems": bundle_disk_problems,
            "cloud_machines": cloud_machines,
        }
