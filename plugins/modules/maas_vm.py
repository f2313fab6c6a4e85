# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_vm
short_description: Virtual machines composed by MAAS
version_added: 0.1.0
description:
  - Composes on a VM host those of a set of virtual machines that do not exist yet, tags them, and waits until all are Ready.
  - A machine with the hostname is adopted as it is, wherever it runs. Processors, memory and disks of an existing one are not changed.
  - A machine that failed its commissioning is commissioned again; one that is allocated or deployed is left alone.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
  - stratus.cloud.wait
options:
  vm_host:
    description: The VM host, by name or id.
    type: str
    required: true
  vms:
    description: The virtual machines.
    type: list
    elements: dict
    required: true
    suboptions:
      hostname:
        description: Hostname.
        type: str
        required: true
      cores:
        description: Processors.
        type: int
        default: 1
      memory:
        description: Memory in MiB.
        type: int
        default: 2048
      disks:
        description: Disks, the first is the root disk. Each is a size in GB, or a dictionary of C(size), C(pool) (storage pool) and C(tags).
        type: list
        elements: raw
        default: ["8"]
      tags:
        description: Tags that it carries, made if they do not exist.
        type: list
        elements: str
      pool:
        description: Resource pool, by name or id.
        type: str
      zone:
        description: Zone, by name or id.
        type: str
      domain:
        description: DNS domain, by name or id.
        type: str
      interfaces:
        description: Interfaces as MAAS' compose operation takes them, for example V(eth0:subnet_cidr=10.42.0.0/16). By default one on the network that boots.
        type: str
  state:
    description: Whether the virtual machines are there. Deleting one destroys its disks.
    type: str
    choices: [present, absent]
    default: present
  force:
    description: With O(state=absent), delete also those that are allocated, deployed or locked.
    type: bool
    default: false
  min_ready:
    description: So many are enough; the others may fail or be late.
    type: int
  on_failure:
    description: As in M(stratus.cloud.maas_machine_state).
    type: str
    choices: [fail, continue, retry]
    default: fail
  retries:
    description: How often each is tried again with O(on_failure=retry).
    type: int
    default: 1
  wait_timeout:
    default: 2400
seealso:
  - module: stratus.cloud.maas_vm_host
"""

EXAMPLES = r"""
- name: Where Juju's controller will live
  stratus.cloud.maas_vm:
    vm_host: lxd-controller
    vms:
      - hostname: juju-machine
        cores: 2
        memory: 4096
        disks: ["50"]
        tags: [juju]
"""

RETURN = r"""
machines:
  description: The machines in the order of O(vms), as in M(stratus.cloud.maas_machine_info).
  returned: success
  type: list
  elements: dict
composed:
  description: Hostnames of those that were composed.
  returned: success
  type: list
  elements: str
ready:
  description: Hostnames of those that are Ready, or in use already.
  returned: when waited for
  type: list
  elements: str
left_alone:
  description: Those for which nothing was done, and why.
  returned: when waited for
  type: dict
failed_machines:
  description: Those that failed, with status, failed scripts, last events and what to do next.
  returned: when waited for
  type: dict
waited:
  description: Seconds spent waiting.
  returned: success
  type: float
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run, wait_spec
from ansible_collections.stratus.cloud.plugins.module_utils.maas.vmhosts import ensure_vms


def main():
    vm = dict(
        hostname=dict(type="str", required=True),
        cores=dict(type="int", default=1),
        memory=dict(type="int", default=2048),
        disks=dict(type="list", elements="raw", default=["8"]),
        tags=dict(type="list", elements="str"),
        pool=dict(type="str"),
        zone=dict(type="str"),
        domain=dict(type="str"),
        interfaces=dict(type="str"),
    )
    module = AnsibleModule(
        argument_spec=maas_spec(
            vm_host=dict(type="str", required=True),
            vms=dict(type="list", elements="dict", required=True, options=vm),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            force=dict(type="bool", default=False),
            min_ready=dict(type="int"),
            on_failure=dict(type="str", choices=["fail", "continue", "retry"], default="fail"),
            retries=dict(type="int", default=1),
            **wait_spec(2400),
        ),
        supports_check_mode=True,
    )
    run(module, lambda module, client: ensure_vms(client, module.params))


if __name__ == "__main__":
    main()
