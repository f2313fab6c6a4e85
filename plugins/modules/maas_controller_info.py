# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_controller_info
short_description: Version, controllers and services of a MAAS region; wait until it is really ready
version_added: 0.1.0
description:
  - Reads the region's version, its region and rack controllers with their services, and whether all that is ready to work.
  - With O(wait=true) waits until it is. A fresh region answers long before its rack controller is registered and its services run, and its services
    come and go while it starts, so it has to be ready several times in a row.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
  - stratus.cloud.wait
options:
  wait:
    description: Whether to wait until the region is ready. Unlike in other modules the default is no. Under check mode it is waited for too.
    default: false
  successes:
    description: How many looks in a row have to find the region ready.
    type: int
    default: 3
  wait_timeout:
    default: 600
"""

EXAMPLES = r"""
- name: After the installation, until MAAS can really be used
  stratus.cloud.maas_controller_info:
    wait: true
    successes: 3
    wait_timeout: 300

- name: Which version is it?
  stratus.cloud.maas_controller_info:
  register: region
"""

RETURN = r"""
version:
  description: Version of the region.
  returned: success
  type: str
  sample: 3.5.13
ready:
  description: Whether API, region, rack controllers and their essential services are all there.
  returned: success
  type: bool
not_ready_because:
  description: What is lacking.
  returned: success
  type: list
  elements: str
  sample: ["no rack controller is registered yet"]
regions:
  description: Region controllers, with system_id, hostname, version, services and interfaces.
  returned: success
  type: list
  elements: dict
racks:
  description: Rack controllers, in the same shape.
  returned: success
  type: list
  elements: dict
  sample: [{"system_id": "ybacfr", "hostname": "controller", "version": "3.5.13", "services": {"rackd": "running"}}]
waited:
  description: Seconds spent waiting.
  returned: when O(wait=true)
  type: float
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.controllers import gather, wait_ready
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run, wait_spec


def work(module, client):
    if module.params["wait"]:
        return wait_ready(client, module.params)
    return dict(gather(client), changed=False)


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            successes=dict(type="int", default=3),
            **{**wait_spec(600), "wait": dict(type="bool", default=False)},
        ),
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
