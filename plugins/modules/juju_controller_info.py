# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: juju_controller_info
short_description: Read what the juju client knows of a controller
description:
  - Reads the client's files on the host that the module runs on and returns how to reach a controller and how to log in,
    so that modules that speak to the controller can run elsewhere.
  - The answer holds a password. Register it in a task with C(no_log=true).
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  name:
    description: Name of the controller; the client's current one when not given.
    type: str
  probe:
    description: Whether to look if the controller answers, with the certificate that the client knows.
    type: bool
    default: true
  juju_data:
    description:
      - The directory of the client's files.
      - Taken from E(JUJU_DATA) when not given, else C(~/.local/share/juju).
    type: path
attributes:
  check_mode:
    description: Changes nothing anyway.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Read how to reach the controller
  stratus.cloud.juju_controller_info:
    name: maas-controller
  register: juju
  no_log: true

- name: Read the model from the control node
  stratus.cloud.juju_status_info:
    endpoint: "{{ juju.controller.endpoint }}"
    username: "{{ juju.controller.username }}"
    password: "{{ juju.controller.password }}"
    ca_cert: "{{ juju.controller.ca_cert }}"
    model: openstack
  delegate_to: localhost
"""

RETURN = r"""
exists:
  description: Whether the client knows the controller.
  returned: success
  type: bool
answers:
  description: Whether something with the controller's certificate listens at one of its addresses.
  returned: when O(probe) and the controller is known
  type: bool
controller:
  description: Name, uuid, endpoint (a list of host:port), username, password, ca_cert, cloud, region and version; null when it is not known.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils import plain
from ansible_collections.stratus.cloud.plugins.module_utils.juju import cli
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import JujuFault


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            "probe": {"type": "bool", "default": True},
            "juju_data": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        about = cli.controller(cli.data_directory(module.params["juju_data"]), module.params["name"])
    except JujuFault as error:
        plain.fail(module, str(error), error.result)
    answer = {"changed": False, "exists": about is not None, "controller": about}
    if about and module.params["probe"]:
        answer["answers"] = cli.answers(about)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
