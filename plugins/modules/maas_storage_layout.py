# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_storage_layout
short_description: Storage layouts of MAAS machines
version_added: 0.1.0
description:
  - Gives a set of machines a storage layout. Only machines that are Ready can be changed.
  - MAAS does not remember which layout a machine has; it is told from its disks.
    Sizes and names within a layout are applied when the layout changes, or with O(force=true).
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
attributes:
  idempotent:
    support: partial
    details: With O(force=true) the layout is applied in every run.
options:
  machines:
    description: Hostnames, FQDNs, system_ids or MAC addresses.
    type: list
    elements: str
    required: true
  layout:
    description: The layout.
    type: str
    choices: [flat, lvm, bcache, blank, vmfs6]
    required: true
  root_device:
    description: Disk for the root file system, by name, for example V(sda). By default the boot disk.
    type: str
  root_size:
    description: Size of the root partition, for example V(100G). By default all of the disk.
    type: str
  boot_size:
    description: Size of a boot partition.
    type: str
  vg_name:
    description: Name of the volume group (V(lvm)).
    type: str
  lv_name:
    description: Name of the logical volume (V(lvm)).
    type: str
  lv_size:
    description: Size of the logical volume (V(lvm)).
    type: str
  cache_device:
    description: Disk for the cache, by name (V(bcache)).
    type: str
  cache_mode:
    description: Mode of the cache (V(bcache)).
    type: str
    choices: [writeback, writethrough, writearound]
  force:
    description: Apply the layout also to machines that have it already.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Logical volumes everywhere
  stratus.cloud.maas_storage_layout:
    machines: "{{ groups.compute }}"
    layout: lvm
"""

RETURN = r"""
layouts:
  description: Layout of each machine, by hostname.
  returned: success
  type: dict
  sample: {"compute0": "lvm"}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run
from ansible_collections.stratus.cloud.plugins.module_utils.maas.storage import ensure_layout


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            machines=dict(type="list", elements="str", required=True),
            layout=dict(type="str", choices=["flat", "lvm", "bcache", "blank", "vmfs6"], required=True),
            root_device=dict(type="str"),
            root_size=dict(type="str"),
            boot_size=dict(type="str"),
            vg_name=dict(type="str"),
            lv_name=dict(type="str"),
            lv_size=dict(type="str"),
            cache_device=dict(type="str"),
            cache_mode=dict(type="str", choices=["writeback", "writethrough", "writearound"]),
            force=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
    )
    run(module, lambda module, client: ensure_layout(client, module.params))


if __name__ == "__main__":
    main()
