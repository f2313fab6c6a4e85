# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_vm_host
short_description: VM hosts of a MAAS region
version_added: 0.1.0
description:
  - Makes an LXD (or virsh) host known to MAAS, so that virtual machines can be composed on it; changes or deletes it.
  - MAAS saves a VM host also when it cannot reach it, and such a one is empty. The module waits until processors and storage pools are listed, asks for a
    refresh, makes an empty one anew, and says what to look at when nothing helps.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
  - stratus.cloud.wait
options:
  name:
    description: Name of the VM host. One known by the same address and project under another name is renamed.
    type: str
    required: true
  type:
    description: Kind of host.
    type: str
    choices: [lxd, virsh]
    default: lxd
  power_address:
    description: Address, for example V(https://10.42.0.1:8443) or V(qemu+ssh://user@10.42.0.1/system).
    type: str
  power_user:
    description: User (virsh).
    type: str
  power_pass:
    description: Password (virsh).
    type: str
  project:
    description: LXD project that MAAS works in.
    type: str
  certificate:
    description: Client certificate in PEM that LXD trusts.
    type: str
  key:
    description: The certificate's key in PEM.
    type: str
  password:
    description: LXD trust password. A certificate is better, LXD 5.21 and later know no password.
    type: str
  pool:
    description: Resource pool.
    type: str
  zone:
    description: Zone.
    type: str
  tags:
    description: Tags that it carries; others stay.
    type: list
    elements: str
  cpu_over_commit_ratio:
    description: How many times its processors may be promised.
    type: float
  memory_over_commit_ratio:
    description: How many times its memory may be promised.
    type: float
  default_macvlan_mode:
    description: Default macvlan mode.
    type: str
    choices: [bridge, passthru, private, vepa]
  decompose:
    description: With O(state=absent), delete the virtual machines on it too.
    type: bool
    default: false
  state:
    description: Whether the VM host is known.
    type: str
    choices: [present, absent]
    default: present
  wait_timeout:
    default: 300
"""

EXAMPLES = r"""
- name: The controller composes virtual machines
  stratus.cloud.maas_vm_host:
    name: lxd-controller
    power_address: https://10.42.0.1:8443
    project: tst-project
    certificate: "{{ lookup('ansible.builtin.file', 'maas-lxd.crt') }}"
    key: "{{ lookup('ansible.builtin.file', 'maas-lxd.key') }}"
    cpu_over_commit_ratio: 4
"""

RETURN = r"""
vm_host:
  description: The VM host with what it has.
  returned: success
  type: dict
  sample: {"id": 1, "name": "lxd-controller", "total": {"cores": 32, "memory": 131072}, "storage_pools": [{"name": "default"}], "state": "discovered"}
waited:
  description: Seconds spent waiting.
  returned: success
  type: float
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run, wait_spec
from ansible_collections.stratus.cloud.plugins.module_utils.maas.vmhosts import ensure_host


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            name=dict(type="str", required=True),
            type=dict(type="str", choices=["lxd", "virsh"], default="lxd"),
            power_address=dict(type="str"),
            power_user=dict(type="str"),
            power_pass=dict(type="str", no_log=True),
            project=dict(type="str"),
            certificate=dict(type="str"),
            key=dict(type="str", no_log=True),
            password=dict(type="str", no_log=True),
            pool=dict(type="str"),
            zone=dict(type="str"),
            tags=dict(type="list", elements="str"),
            cpu_over_commit_ratio=dict(type="float"),
            memory_over_commit_ratio=dict(type="float"),
            default_macvlan_mode=dict(type="str", choices=["bridge", "passthru", "private", "vepa"]),
            decompose=dict(type="bool", default=False),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            **wait_spec(300),
        ),
        required_together=[("certificate", "key")],
        supports_check_mode=True,
    )
    run(module, lambda module, client: ensure_host(client, module.params))


if __name__ == "__main__":
    main()
