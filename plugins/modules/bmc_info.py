# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Are the BMCs there, and do they take the password."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_info
short_description: Tell whether BMCs answer and accept a user's password
version_added: 0.1.0
description:
  - Asks every BMC at once, over IPMI 2.0 (RMCP+), with the first half of its login handshake. That proves user and password without opening a session.
  - Needs no package and no library, so it runs on a bare controller before anything is installed there.
author:
  - The stratus.cloud developers (@stratus-cloud)
attributes:
  check_mode:
    description: Reads only, in check mode too.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  bmcs:
    description: The BMCs to ask.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: How to call it in the result; the machine's host name.
        type: str
        required: true
      address:
        description: Address or name of the BMC.
        type: str
        required: true
      port:
        description: UDP port of the BMC.
        type: int
        default: 623
      user:
        description: User to log in as.
        type: str
        required: true
      password:
        description: The user's password. It is neither sent nor shown.
        type: str
        required: true
  timeout:
    description: Seconds to wait for each answer.
    type: float
    default: 2.0
  tries:
    description: How often a question is sent before a BMC counts as silent.
    type: int
    default: 3
"""

EXAMPLES = r"""
- name: Ask two BMCs
  stratus.cloud.bmc_info:
    bmcs:
      - {name: compute0, address: 10.42.0.20, user: root, password: "{{ secret_bmc_password }}"}
      - {name: compute1, address: 10.42.0.21, user: root, password: "{{ secret_bmc_password }}"}
  register: rack
"""

RETURN = r"""
bmcs:
  description: One entry for each BMC, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name given.
      type: str
    address:
      description: The address given.
      type: str
    reachable:
      description: Whether it answered.
      type: bool
    authenticated:
      description: Whether it accepts user and password; null when it offers no cipher suite that this module speaks.
      type: bool
    error:
      description: What is wrong; empty when nothing is.
      type: str
"""

from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.rmcp import probe


def main():
    module = AnsibleModule(
        argument_spec={
            "bmcs": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "address": {"type": "str", "required": True},
                    "port": {"type": "int", "default": 623},
                    "user": {"type": "str", "required": True},
                    "password": {"type": "str", "required": True, "no_log": True},
                },
            },
            "timeout": {"type": "float", "default": 2.0},
            "tries": {"type": "int", "default": 3},
        },
        supports_check_mode=True,
    )

    def ask(bmc):
        answer = probe(bmc["address"], bmc["user"], bmc["password"], bmc["port"], module.params["timeout"], module.params["tries"])
        return {"name": bmc["name"], "address": bmc["address"], **answer}

    with ThreadPoolExecutor(max_workers=32) as pool:
        module.exit_json(changed=False, bmcs=list(pool.map(ask, module.params["bmcs"])))


if __name__ == "__main__":
    main()
