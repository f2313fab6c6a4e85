# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: juju_cloud
short_description: Keep a cloud's definition with the juju client or with a controller
description:
  - Adds, updates or removes the definition of a cloud, on the client's side with the juju command or on a controller.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  name:
    description: Name of the cloud.
    type: str
    required: true
  state:
    description: Whether the definition shall exist.
    type: str
    choices: [present, absent]
    default: present
  scope:
    description: V(client) is the client on the host that the module runs on; V(controller) is the controller at O(endpoint).
    type: str
    choices: [client, controller]
    default: client
  type:
    description: Kind of the cloud.
    type: str
    default: maas
  cloud_endpoint:
    description: URL of the cloud's API, such as V(http://10.0.0.1:5240/MAAS). Needed with O(state=present).
    type: str
  auth_types:
    description: Kinds of credentials that the cloud takes.
    type: list
    elements: str
    default: [oauth1]
  regions:
    description: Regions by name, each with its C(endpoint).
    type: dict
    default: {}
  ca_certificates:
    description: Certificates of the authorities that the cloud's API is checked against, as PEM text.
    type: list
    elements: str
    default: []
  config:
    description: Configuration that every model on the cloud starts with.
    type: dict
    default: {}
extends_documentation_fragment:
  - stratus.cloud.juju.cli
  - stratus.cloud.juju.optional_connection
"""

EXAMPLES = r"""
- name: Tell the client about the region's API
  stratus.cloud.juju_cloud:
    name: maas-one
    cloud_endpoint: http://10.0.0.1:5240/MAAS
"""

RETURN = r"""
cloud:
  description: The definition.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.juju import arguments, cli, clouds


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "scope": {"type": "str", "choices": ["client", "controller"], "default": "client"},
            "type": {"type": "str", "default": "maas"},
            "cloud_endpoint": {"type": "str"},
            "auth_types": {"type": "list", "elements": "str", "default": ["oauth1"]},
            "regions": {"type": "dict", "default": {}},
            "ca_certificates": {"type": "list", "elements": "str", "default": []},
            "config": {"type": "dict", "default": {}},
            **cli.OPTIONS,
            **arguments.optional_connection(),
        },
        required_if=[("state", "present", ["cloud_endpoint"]), ("scope", "controller", ["endpoint", "username", "password"])],
        supports_check_mode=True,
    )
    arguments.run_either(module, clouds.client_side, clouds.controller_side)


if __name__ == "__main__":
    main()
