# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: juju_application
short_description: Deploy, configure, scale, expose, refresh or remove one application
description:
  - Keeps one application of a model as described. What is not described is left alone.
  - Works by the same plan as M(stratus.cloud.juju_bundle), and can be repeated like it.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  name:
    description: Name of the application.
    type: str
    required: true
  state:
    description: Whether the application shall exist.
    type: str
    choices: [present, absent]
    default: present
  charm:
    description: Name of the charm on Charmhub. Needed when the application is not in the model yet.
    type: str
  channel:
    description: Channel of the charm, such as V(2024.1/stable). Another one than the application's refreshes it.
    type: str
  revision:
    description: Revision of the charm.
    type: int
  base:
    description: Base of the application, such as V(ubuntu@22.04). A running application's base is left alone.
    type: str
  num_units:
    description: How many units. A new application gets one for each placement, one at least; a subordinate has none of its own.
    type: int
  scale_down:
    description: Whether units beyond O(num_units) are removed, the youngest first.
    type: bool
    default: false
  to:
    description:
      - Placements of units, one for each, as V(3), V(lxd:3), V(app/1), V(new) or V(system-id=4y3h7n). Numbers are the model's own.
    type: list
    elements: str
  options:
    description:
      - Options of the charm. Values keep their types; null puts an option back to the charm's default.
      - Those that are secret by their names, such as C(ssl_key), and passwords inside addresses are not shown.
    type: dict
    default: {}
  constraints:
    description: Constraints of the application's machines.
    type: str
  bindings:
    description: Spaces by endpoint; the empty name is the default.
    type: dict
    default: {}
  resources:
    description: Revisions of the charm's resources, by name.
    type: dict
    default: {}
  expose:
    description: Whether the application is exposed.
    type: bool
  trust:
    description: Whether the application may use the cloud's credential.
    type: bool
    default: false
  destroy_storage:
    description: Whether storage goes with what is removed.
    type: bool
    default: false
  force:
    description: Remove the application without waiting for its charm's way out.
    type: bool
    default: false
  wait:
    description: Whether to wait until a removed application is gone.
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
- name: Give the hypervisors more memory to themselves
  stratus.cloud.juju_application:
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    model: openstack
    name: nova-compute
    options:
      reserved-host-memory: 8192
"""

RETURN = r"""
plan:
  description: What was done, or would be done.
  returned: success
  type: list
  elements: str
notes:
  description: What is different and is left alone.
  returned: O(state=present)
  type: list
  elements: str
application:
  description: The application, as M(stratus.cloud.juju_status_info) has it.
  returned: O(state=present)
  type: dict
waited:
  description: Seconds that were waited.
  returned: O(state=absent)
  type: float
"""

from ansible_collections.stratus.cloud.plugins.module_utils import secrecy
from ansible_collections.stratus.cloud.plugins.module_utils.juju import arguments, changes


def main():
    module = arguments.module(
        {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "charm": {"type": "str"},
            "channel": {"type": "str"},
            "revision": {"type": "int"},
            "base": {"type": "str"},
            "num_units": {"type": "int"},
            "scale_down": {"type": "bool", "default": False},
            "to": {"type": "list", "elements": "str"},
            "options": {"type": "dict", "default": {}, "no_log": True},
            "constraints": {"type": "str"},
            "bindings": {"type": "dict", "default": {}},
            "resources": {"type": "dict", "default": {}},
            "expose": {"type": "bool"},
            "trust": {"type": "bool", "default": False},
            "destroy_storage": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            **arguments.waits(1800),
        }
    )
    secrecy.hide(module, ["options"])
    arguments.run(module, changes.application_present if module.params["state"] == "present" else changes.application_absent)


if __name__ == "__main__":
    main()
