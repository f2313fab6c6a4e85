# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nova_compute_service
short_description: Enable, disable or deregister compute hosts
version_added: "0.1.0"
description:
  - Takes compute hosts in and out of scheduling, says that they are down, and removes what is registered of them when they are gone.
  - Disabling a service keeps its servers running; only new ones are sent elsewhere. M(stratus.cloud.nova_live_migration) moves them off.
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  hosts:
    description: The hosts, by the names of their compute services, or by short names that mean only one of these.
    type: list
    elements: str
    required: true
    aliases: [host]
  state:
    description:
      - V(enabled) and V(disabled) as the scheduler sees it. With V(enabled) and O(wait) the module waits until the host is registered and up.
      - V(absent) deregisters the host, with its network agents and its resource provider in Placement. It is refused while servers
        are on it, and while its services are alive, for these would register again.
      - Left out, only O(forced_down) is looked at.
    type: str
    choices: [enabled, disabled, absent]
  disabled_reason:
    description: Why, for those who look. Goes away when the service is enabled.
    type: str
  forced_down:
    description:
      - Say that the host is down without waiting for nova to notice, as evacuation needs it. Be sure that it is, or servers may run twice.
      - After an evacuation V(false) is refused until nova-compute on the host was restarted and has cleaned up.
    type: bool
  force:
    description: Deregister although the host's services are alive. Not although there are servers on it.
    type: bool
    default: false
  wait:
    description: Whether to wait for hosts to register, to come up, and to be listed as hypervisors. Hosts that are disabled or deregistered are not waited for.
    type: bool
    default: true
  wait_timeout:
    description: Seconds after which the wait fails, saying which hosts are not up.
    type: float
    default: 600
  wait_interval:
    description: The longest time between two looks, in seconds.
    type: float
    default: 5
extends_documentation_fragment:
  - stratus.cloud.nova
  - stratus.cloud.nova.writes
seealso:
  - module: stratus.cloud.nova_compute_service_info
"""

EXAMPLES = r"""
- name: No new servers on compute1
  stratus.cloud.nova_compute_service:
    cloud: stratus
    hosts: compute1
    state: disabled
    disabled_reason: a fan is to be replaced

- name: Back in service, once it is up
  stratus.cloud.nova_compute_service:
    cloud: stratus
    hosts: compute1
    state: enabled

- name: It lost its power and is not coming back soon
  stratus.cloud.nova_compute_service:
    cloud: stratus
    hosts: compute1
    forced_down: true

- name: Forget a host whose nova-compute is gone
  stratus.cloud.nova_compute_service:
    cloud: stratus
    hosts: [compute2]
    state: absent
"""

RETURN = r"""
services:
  description: The services as they are now; in check mode as they would be. Empty with O(state=absent).
  returned: success
  type: list
  elements: dict
  sample: [{"id": "f0e8...", "host": "compute1", "zone": "nova", "status": "disabled", "state": "up", "disabled_reason": "a fan", "forced_down": false}]
removed:
  description: What was there of each host and is gone, or would be, as C(service), C(servers), C(agents) and C(providers).
  returned: with O(state=absent)
  type: dict
waited:
  description: Seconds that were waited for hosts to come up.
  returned: success
  type: float
missing:
  description: Hosts that have no compute service.
  returned: when there are such
  type: list
  elements: str
"""

from ansible_collections.stratus.cloud.plugins.module_utils.nova import module as nova
from ansible_collections.stratus.cloud.plugins.module_utils.nova import services


def main():
    module = nova.module(
        {
            "hosts": {"type": "list", "elements": "str", "required": True, "aliases": ["host"]},
            "state": {"type": "str", "choices": ["enabled", "disabled", "absent"]},
            "disabled_reason": {"type": "str"},
            "forced_down": {"type": "bool"},
            "force": {"type": "bool", "default": False},
            **nova.waits(600),
        },
        required_one_of=[("state", "forced_down")],
    )
    nova.run(module, services.work)


if __name__ == "__main__":
    main()
