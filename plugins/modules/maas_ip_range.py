# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_ip_range
short_description: Dynamic and reserved address ranges of a MAAS subnet
version_added: 0.1.0
description:
  - Creates, changes or deletes a range of addresses. A V(dynamic) one is for DHCP; MAAS gives out no address of a V(reserved) one.
  - A range of the same type that shares one end with what is asked for is moved. A deletion needs both ends.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
options:
  type:
    description: What the range is for.
    type: str
    choices: [dynamic, reserved]
    required: true
  start_ip:
    description: First address.
    type: str
    required: true
  end_ip:
    description: Last address.
    type: str
    required: true
  subnet:
    description: The subnet, by CIDR, name or id. Without it the region finds the one that holds the addresses.
    type: str
  comment:
    description: What it is for.
    type: str
  state:
    description: Whether the range is there.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Addresses for machines that boot from the network
  stratus.cloud.maas_ip_range:
    type: dynamic
    subnet: 10.42.0.0/16
    start_ip: 10.42.191.255
    end_ip: 10.42.255.254

- name: Infrastructure
  stratus.cloud.maas_ip_range:
    type: reserved
    start_ip: 10.42.0.1
    end_ip: 10.42.0.99
    comment: controller, BMCs, switches
"""

RETURN = r"""
ip_range:
  description: The range as the region describes it.
  returned: success
  type: dict
  sample: {"id": 1, "type": "dynamic", "start_ip": "10.42.191.255", "end_ip": "10.42.255.254", "comment": ""}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.kinds import ensure_ip_range
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            type=dict(type="str", choices=["dynamic", "reserved"], required=True),
            start_ip=dict(type="str", required=True),
            end_ip=dict(type="str", required=True),
            subnet=dict(type="str"),
            comment=dict(type="str"),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        supports_check_mode=True,
    )
    run(module, lambda module, client: ensure_ip_range(client, module.params).exit("ip_range"))


if __name__ == "__main__":
    main()
