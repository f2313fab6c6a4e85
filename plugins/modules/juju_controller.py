# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: juju_controller
short_description: Bootstrap a Juju controller
description:
  - Bootstraps a controller with the juju command on the host that the module runs on, and registers it with that client.
  - A controller that the client knows and that answers is left alone. One that is known and silent is not bootstrapped again.
  - What a failed or interrupted try left behind is cleaned up, and the bootstrap is tried once more.
  - Takes ten minutes and more; works with C(async) and C(poll), so that other tasks can run meanwhile.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  name:
    description: Name of the controller.
    type: str
    required: true
  state:
    description: V(present) bootstraps; V(absent) destroys the controller with everything on it.
    type: str
    choices: [present, absent]
    default: present
  cloud:
    description: The cloud, as the client knows it. Needed with O(state=present).
    type: str
  region:
    description: Region of the cloud.
    type: str
  credential:
    description: Name of the client's credential for the cloud.
    type: str
  system_id:
    description: MAAS C(system_id) of the machine that becomes the controller. Excludes O(placement).
    type: str
  placement:
    description: Any other placement, such as V(zone=default) or the name of a machine.
    type: str
  bootstrap_base:
    description: Base of the controller's machine, such as V(ubuntu@22.04).
    type: str
  constraints:
    description: Constraints of the controller's machine, such as V(tags=juju).
    type: str
  agent_version:
    description: Version of the controller; that of the command when not given.
    type: str
  config:
    description:
      - Configuration of the controller and its model, such as C(bootstrap-timeout).
      - Handed over in a file; it may hold secrets.
    type: dict
    default: {}
  retries:
    description: How many times to try again after a failed bootstrap has been cleaned up.
    type: int
    default: 1
  release_timeout:
    description:
      - Seconds for the machine that a failed try had taken to be free for the next one; MAAS powers it off first.
      - Give it more where MAAS erases disks on release.
    type: float
    default: 300
  answer_timeout:
    description: Seconds within which a controller that is known must answer.
    type: float
    default: 60
extends_documentation_fragment:
  - stratus.cloud.juju.cli
"""

EXAMPLES = r"""
- name: Bootstrap on a machine of MAAS, in the background
  stratus.cloud.juju_controller:
    name: maas-controller
    cloud: maas-one
    credential: admin
    system_id: "{{ juju_machine.system_id }}"
    bootstrap_base: ubuntu@22.04
    config:
      bootstrap-timeout: 1800
  async: 5400
  poll: 0
  register: bootstrap
"""

RETURN = r"""
controller:
  description: Name, uuid, endpoint, cloud, region and version of the controller. Nothing secret; see M(stratus.cloud.juju_controller_info).
  returned: when the controller exists
  type: dict
tries:
  description: How many bootstraps were run.
  returned: success
  type: int
cleaned:
  description: Whether remains of an earlier or a failed try were cleaned up.
  returned: success
  type: bool
seconds:
  description: How long it took.
  returned: success
  type: float
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils import plain
from ansible_collections.stratus.cloud.plugins.module_utils.juju import bootstrap, cli
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import JujuFault


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "cloud": {"type": "str"},
            "region": {"type": "str"},
            "credential": {"type": "str", "no_log": False},
            "system_id": {"type": "str"},
            "placement": {"type": "str"},
            "bootstrap_base": {"type": "str"},
            "constraints": {"type": "str"},
            "agent_version": {"type": "str"},
            "config": {"type": "dict", "default": {}, "no_log": True},
            "retries": {"type": "int", "default": 1},
            "release_timeout": {"type": "float", "default": 300},
            "answer_timeout": {"type": "float", "default": 60},
            **cli.OPTIONS,
        },
        required_if=[("state", "present", ["cloud"])],
        mutually_exclusive=[("system_id", "placement")],
        supports_check_mode=True,
    )
    work = bootstrap.present if module.params["state"] == "present" else bootstrap.absent
    try:
        answer = work(module, cli.Command(module))
    except JujuFault as error:
        plain.fail(module, str(error), error.result)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
