# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: juju_unit
short_description: Add a unit where none is, or remove units
description:
  - Sees that an application has a unit at each given place, or that given units are gone.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  application:
    description: The application. Needed with O(state=present).
    type: str
  to:
    description:
      - Where a unit shall be, one for each, as V(3), V(lxd:3), V(app/1) or V(system-id=4y3h7n). Numbers are the model's own.
    type: list
    elements: str
    default: []
  units:
    description: Names of the units to remove. Needed with O(state=absent).
    type: list
    elements: str
    default: []
  state:
    description: Whether the units shall exist.
    type: str
    choices: [present, absent]
    default: present
  destroy_storage:
    description: Whether storage goes with the units.
    type: bool
    default: false
  force:
    description: Remove the units without waiting for their charm's way out.
    type: bool
    default: false
  wait:
    description: Whether to wait until the units have a machine, or are gone.
    type: bool
    default: true
  wait_timeout:
    description: Seconds after which that fails.
    type: float
    default: 1800
  wait_interval:
    description: The longest time between two looks, in seconds.
    type: float
    default: 5
extends_documentation_fragment:
  - stratus.cloud.juju
  - stratus.cloud.juju.model
"""

EXAMPLES = r"""
- name: A hypervisor on one more machine
  stratus.cloud.juju_unit:
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    model: openstack
    application: nova-compute
    to: [system-id=4y3h7n]

- name: And away with it
  stratus.cloud.juju_unit:
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    model: openstack
    units: [nova-compute/2]
    state: absent
"""

RETURN = r"""
units:
  description: The units at the given places, or the units that were removed.
  returned: success
  type: list
  elements: str
plan:
  description: What was done, or would be done.
  returned: success
  type: list
  elements: str
waited:
  description: Seconds that were waited.
  returned: success
  type: float
"""

from ansible_collections.stratus.cloud.plugins.module_utils.juju import arguments, changes


def main():
    module = arguments.module(
        {
            "application": {"type": "str"},
            "to": {"type": "list", "elements": "str", "default": []},
            "units": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "destroy_storage": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            **arguments.waits(1800),
        },
        required_if=[("state", "present", ["application", "to"]), ("state", "absent", ["units"])],
    )
    arguments.run(module, changes.unit_present if module.params["state"] == "present" else changes.unit_absent)


if __name__ == "__main__":
    main()
