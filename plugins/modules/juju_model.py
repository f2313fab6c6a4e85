# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: juju_model
short_description: Make, configure or destroy a Juju model
description:
  - Makes a model on a cloud with a credential that the controller has, and keeps its configuration as given.
  - Destroys a model by a ladder of ever stronger means, each with its own share of the time.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  name:
    description: The model's name, or owner/name.
    type: str
    required: true
    aliases: [model]
  state:
    description: Whether the model shall exist.
    type: str
    choices: [present, absent]
    default: present
  cloud:
    description: The cloud that the model is made on; the controller's own when not given. A model's cloud cannot be changed.
    type: str
  region:
    description: Region of the cloud.
    type: str
  credential:
    description: Name of the credential, as the controller knows it; left to the controller when not given.
    type: str
  owner:
    description: User that owns the model; the one who logs in when not given.
    type: str
  config:
    description:
      - Configuration of the model, such as C(default-base) and C(authorized-keys).
      - Keys that are not named are left alone; null puts a key back to its default.
    type: dict
    default: {}
  constraints:
    description: Constraints of the model, such as V(mem=4G arch=amd64). Left alone when not given.
    type: str
  destroy_storage:
    description: Whether storage of the model goes with it.
    type: bool
    default: false
  force:
    description: Whether the last rungs of the ladder may be climbed, which do not wait for the charms' own way out.
    type: bool
    default: false
  accept_machine_loss:
    description:
      - Destroy the model although the controller is Juju 3.6.24, which deletes every virtual machine from MAAS that leaves a model, also those that
        Juju did not make. Without this such a controller is not asked to.
    type: bool
    default: false
  wait:
    description: Whether to wait until a destroyed model is gone. The ladder is only climbed while waiting.
    type: bool
    default: true
  wait_timeout:
    description: Seconds after which the wait for a destroyed model fails.
    type: float
    default: 1800
  wait_interval:
    description: The longest time between two looks, in seconds.
    type: float
    default: 10
extends_documentation_fragment:
  - stratus.cloud.juju
"""

EXAMPLES = r"""
- name: A model for the cloud
  stratus.cloud.juju_model:
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    name: openstack
    cloud: maas-one
    credential: admin
    config:
      default-base: ubuntu@22.04/stable
      authorized-keys: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"

- name: Give it back, with its storage
  stratus.cloud.juju_model:
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    name: openstack
    state: absent
    destroy_storage: true
"""

RETURN = r"""
model:
  description: Name, uuid, owner, cloud and state of the model.
  returned: when the model exists
  type: dict
rungs:
  description: The means that were used to destroy the model.
  returned: O(state=absent)
  type: list
  elements: str
waited:
  description: Seconds that were waited.
  returned: O(state=absent)
  type: float
"""

from ansible_collections.stratus.cloud.plugins.module_utils.juju import arguments, lifecycle


def main():
    module = arguments.module(
        {
            "name": {"type": "str", "required": True, "aliases": ["model"]},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "cloud": {"type": "str"},
            "region": {"type": "str"},
            "credential": {"type": "str"},
            "owner": {"type": "str"},
            "config": {"type": "dict", "default": {}},
            "constraints": {"type": "str"},
            "destroy_storage": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "accept_machine_loss": {"type": "bool", "default": False},
            **arguments.waits(1800, 10),
        },
        model=False,
    )
    arguments.run(module, lifecycle.present if module.params["state"] == "present" else lifecycle.absent)


if __name__ == "__main__":
    main()
