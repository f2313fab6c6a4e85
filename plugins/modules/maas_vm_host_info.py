# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_vm_host_info
short_description: What a MAAS region knows of VM hosts
version_added: 0.1.0
description:
  - Reads VM hosts, all or one.
  - Connection parameters, which hold keys, are not among what is returned.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  name:
    description: Only the VM host of this name.
    type: str
"""

EXAMPLES = r"""
- name: All VM hosts
  stratus.cloud.maas_vm_host_info:
  register: found

- name: One of them
  stratus.cloud.maas_vm_host_info:
    name: lxd-controller
"""

RETURN = r"""
vm_hosts:
  description: The VM hosts, as the region describes them.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 1, "name": "lxd-controller", "total": {"cores": 32}, "state": "discovered"}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.info import listing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(argument_spec=maas_spec(name=dict(type="str")), supports_check_mode=True)
    run(module, listing("vm_hosts", "name"))


if __name__ == "__main__":
    main()
