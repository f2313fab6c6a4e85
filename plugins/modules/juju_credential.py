# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: juju_credential
short_description: Keep a cloud's credential with the juju client or with a controller
description:
  - Adds, updates or removes a credential, on the client's side with the juju command or on a controller.
  - The secret goes to the command in a file that only the user can read and that is removed at once.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  cloud:
    description: Name of the cloud.
    type: str
    required: true
  name:
    description: Name of the credential.
    type: str
    required: true
  state:
    description: Whether the credential shall exist.
    type: str
    choices: [present, absent]
    default: present
  scope:
    description: V(client) is the client on the host that the module runs on; V(controller) is the controller at O(endpoint).
    type: str
    choices: [client, controller]
    default: client
  auth_type:
    description: Kind of the credential.
    type: str
    default: oauth1
  maas_oauth:
    description: The MAAS API key, for V(oauth1).
    type: str
  attributes:
    description: Any attributes of the credential, by their names in Juju.
    type: dict
    default: {}
  owner:
    description: User of the controller that owns the credential, with O(scope=controller); the one who logs in when not given.
    type: str
extends_documentation_fragment:
  - stratus.cloud.juju.cli
  - stratus.cloud.juju.optional_connection
"""

EXAMPLES = r"""
- name: Give the client the key of the region
  stratus.cloud.juju_credential:
    cloud: maas-one
    name: admin
    maas_oauth: "{{ maas_api_key }}"
"""

RETURN = r"""
credential:
  description: Cloud, name and kind of the credential, and the names of its attributes.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.juju import arguments, cli, clouds


def main():
    module = AnsibleModule(
        argument_spec={
            "cloud": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "scope": {"type": "str", "choices": ["client", "controller"], "default": "client"},
            "auth_type": {"type": "str", "default": "oauth1"},
            "maas_oauth": {"type": "str", "no_log": True},
            "attributes": {"type": "dict", "default": {}, "no_log": True},
            "owner": {"type": "str"},
            **cli.OPTIONS,
            **arguments.optional_connection(),
        },
        required_if=[("scope", "controller", ["endpoint", "username", "password"])],
        supports_check_mode=True,
    )
    if module.params["state"] == "present" and not (module.params["maas_oauth"] or module.params["attributes"]):
        module.fail_json(msg="one of maas_oauth and attributes is needed")
    arguments.run_either(module, clouds.credential_client_side, clouds.credential_controller_side)


if __name__ == "__main__":
    main()
