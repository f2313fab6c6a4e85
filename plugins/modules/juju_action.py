# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: juju_action
short_description: Run an action of a charm
description:
  - Runs an action on a unit, waits for its end and returns its results as data, in RV(output).
  - A command that V(juju-exec) runs fails with any code but 0, which Juju itself calls completed.
  - Actions are not idempotent by themselves. O(unless_action) and O(unless_status) say when there is nothing left to do.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  unit:
    description: The unit, as V(vault/0), as V(vault/leader), or as V(vault) for the leader.
    type: str
    required: true
  action:
    description: Name of the action.
    type: str
    required: true
  params:
    description: Parameters of the action.
    type: dict
    default: {}
  secret_params:
    description: Parameters that are secret; they appear in no output.
    type: dict
    default: {}
  read_only:
    description: The action only reads. It is never reported as a change.
    type: bool
    default: false
  unless_action:
    description:
      - An action that only reads, run first on the same unit. When it completes, and its results match, the action is not run.
      - In check mode it is not run either, as Juju has no action without a record of it, and a change is reported.
    type: dict
    suboptions:
      action:
        description: Its name.
        type: str
        required: true
      params:
        description: Its parameters.
        type: dict
        default: {}
      results:
        description: For results by name, regular expressions that they must match. A result that is not named may be anything.
        type: dict
        default: {}
  unless_status:
    description: A state of the unit in which the action is not run.
    type: dict
    suboptions:
      workload:
        description: States of the workload; all when not given.
        type: list
        elements: str
        default: []
      matches:
        description: A regular expression that the message of the workload matches somewhere.
        type: str
  wait:
    description: Whether to wait for the end of the action.
    type: bool
    default: true
  wait_timeout:
    description: Seconds after which the wait fails; the action goes on.
    type: float
    default: 600
  wait_interval:
    description: The longest time between two looks, in seconds.
    type: float
    default: 5
notes:
  - In check mode no action is run, not even one that only reads.
  - When the connection breaks while the action is being asked for, the module looks for the action before it says that it is not known
    whether it runs.
extends_documentation_fragment:
  - stratus.cloud.juju
  - stratus.cloud.juju.model
"""

EXAMPLES = r"""
- name: Have Vault make its root certificate, once
  stratus.cloud.juju_action:
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    model: openstack
    unit: vault/leader
    action: generate-root-ca
    unless_action:
      action: get-root-ca
      results:
        output: BEGIN CERTIFICATE
"""

RETURN = r"""
unit:
  description: The unit that the action ran on.
  returned: success
  type: str
id:
  description: Number of the action.
  returned: when an action was run
  type: str
status:
  description: How the action ended.
  returned: when an action was run
  type: str
message:
  description: The action's message.
  returned: when an action was run
  type: str
output:
  description: The action's results by name; those of O(unless_action) when the action was not run because of it.
  returned: when an action was run
  type: dict
waited:
  description: Seconds that were waited.
  returned: success
  type: float
"""

from ansible_collections.stratus.cloud.plugins.module_utils.juju import actions, arguments


def main():
    module = arguments.module(
        {
            "unit": {"type": "str", "required": True},
            "action": {"type": "str", "required": True},
            "params": {"type": "dict", "default": {}},
            "secret_params": {"type": "dict", "default": {}, "no_log": True},
            "read_only": {"type": "bool", "default": False},
            "unless_action": {
                "type": "dict",
                "options": {
                    "action": {"type": "str", "required": True},
                    "params": {"type": "dict", "default": {}},
                    "results": {"type": "dict", "default": {}},
                },
            },
            "unless_status": {
                "type": "dict",
                "options": {"workload": {"type": "list", "elements": "str", "default": []}, "matches": {"type": "str"}},
            },
            **arguments.waits(600, 5),
        }
    )
    arguments.run(module, actions.work)


if __name__ == "__main__":
    main()
