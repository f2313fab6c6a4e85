# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: juju_machine
short_description: Add, adopt, replace or remove a machine of a model
description:
  - Finds the machine by its number, by what it is recorded as, or by the MAAS machine that it is, and adds it when there is none.
  - A machine that failed to provision can be replaced; Juju itself does not try again when MAAS ran out of time.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  id:
    description: The machine's number in the model.
    type: str
  mark:
    description: Name of the bundle's machine that it stands for; M(stratus.cloud.juju_bundle) finds it by that.
    type: str
  system_id:
    description: C(system_id) of the MAAS machine.
    type: str
  state:
    description: Whether the machine shall exist.
    type: str
    choices: [present, absent]
    default: present
  constraints:
    description: Constraints of a machine that is added, such as V(tags=compute).
    type: str
  base:
    description: Base of a machine that is added; the model's when not given.
    type: str
  zone:
    description: Zone of a machine that is added.
    type: str
  annotations:
    description: Notes to keep with the machine, by name. Others stay; an empty text takes one away.
    type: dict
    default: {}
  replace_failed:
    description: Whether a machine that failed to provision is removed by force and added anew, on O(system_id) when given.
    type: bool
    default: false
  force:
    description: Remove the machine with the units on it.
    type: bool
    default: false
  keep_instance:
    description: Leave the removed machine running instead of giving it back to MAAS.
    type: bool
    default: false
  wait:
    description: Whether to wait until the machine has started, or is gone.
    type: bool
    default: true
  wait_timeout:
    description: Seconds after which that fails.
    type: float
    default: 3600
  wait_interval:
    description: The longest time between two looks, in seconds.
    type: float
    default: 5
notes:
  - A machine without O(id), O(mark) or O(system_id) would be added each time; one of them is needed.
extends_documentation_fragment:
  - stratus.cloud.juju
  - stratus.cloud.juju.model
"""

EXAMPLES = r"""
- name: Take a machine of MAAS into the model
  stratus.cloud.juju_machine:
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    model: openstack
    system_id: 4y3h7n

- name: Replace the bundle's machine 11 by another one
  stratus.cloud.juju_machine:
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    model: openstack
    mark: "11"
    system_id: b8k2pq
    replace_failed: true
"""

RETURN = r"""
machine:
  description: The machine, as M(stratus.cloud.juju_status_info) has it.
  returned: when it exists
  type: dict
plan:
  description: What was done, or would be done.
  returned: success
  type: list
  elements: str
replaced:
  description: Number of the machine that was replaced.
  returned: O(state=present)
  type: str
waited:
  description: Seconds that were waited.
  returned: success
  type: float
"""

from ansible_collections.stratus.cloud.plugins.module_utils.juju import arguments, changes


def main():
    module = arguments.module(
        {
            "id": {"type": "str"},
            "mark": {"type": "str"},
            "system_id": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "constraints": {"type": "str"},
            "base": {"type": "str"},
            "zone": {"type": "str"},
            "annotations": {"type": "dict", "default": {}},
            "replace_failed": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "keep_instance": {"type": "bool", "default": False},
            **arguments.waits(3600),
        },
        required_one_of=[("id", "mark", "system_id")],
        mutually_exclusive=[("system_id", "zone")],
    )
    arguments.run(module, changes.machine_present if module.params["state"] == "present" else changes.machine_absent)


if __name__ == "__main__":
    main()
