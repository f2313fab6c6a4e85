# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: juju_relation
short_description: Relate two applications, or end their relation
description:
  - Relates two endpoints. An endpoint that is not named is found, when only one fits.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  endpoints:
    description: Two of V(application:endpoint) or V(application).
    type: list
    elements: str
    required: true
  state:
    description: Whether the relation shall exist.
    type: str
    choices: [present, absent]
    default: present
  force:
    description: End the relation without waiting for the charms' way out.
    type: bool
    default: false
  wait:
    description: Whether to wait until the relation is there, or gone.
    type: bool
    default: true
  wait_timeout:
    description: Seconds after which that fails.
    type: float
    default: 300
  wait_interval:
    description: The longest time between two looks, in seconds.
    type: float
    default: 5
extends_documentation_fragment:
  - stratus.cloud.juju
  - stratus.cloud.juju.model
"""

EXAMPLES = r"""
- name: Give Keystone its certificates
  stratus.cloud.juju_relation:
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    model: openstack
    endpoints: [vault:certificates, keystone:certificates]
"""

RETURN = r"""
endpoints:
  description: Both endpoints by name.
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
            "endpoints": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "force": {"type": "bool", "default": False},
            **arguments.waits(300),
        }
    )
    if len(module.params["endpoints"]) != 2:
        module.fail_json(msg="a relation has two endpoints")
    arguments.run(module, changes.relation)


if __name__ == "__main__":
    main()
