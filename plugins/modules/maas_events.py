# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_events
short_description: Events of MAAS machines
version_added: 0.1.0
description:
  - Reads what happened to machines, and why something failed; the newest event comes last.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  machines:
    description: Only events of these machines, by hostname, system_id or MAC address.
    type: list
    elements: str
  level:
    description: The least important level that is returned. Changes of status are V(DEBUG).
    type: str
    choices: [AUDIT, CRITICAL, DEBUG, ERROR, INFO, WARNING]
    default: INFO
  after:
    description: Only events after the one with this id.
    type: int
  limit:
    description: At most so many, the newest ones; with O(after) the first ones after it.
    type: int
    default: 100
"""

EXAMPLES = r"""
- name: Why did it fail?
  stratus.cloud.maas_events:
    machines: [compute3]
    level: DEBUG
  register: log
"""

RETURN = r"""
events:
  description: The events.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 71, "hostname": "compute3", "level": "DEBUG", "type": "Node changed status", "description": "From 'Testing' to 'Ready'"}]
last_id:
  description: Id of the newest event, to go on from with O(after).
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.info import events
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            machines=dict(type="list", elements="str"),
            level=dict(type="str", choices=["AUDIT", "CRITICAL", "DEBUG", "ERROR", "INFO", "WARNING"], default="INFO"),
            after=dict(type="int"),
            limit=dict(type="int", default=100),
        ),
        supports_check_mode=True,
    )
    run(module, lambda module, client: events(client, module.params))


if __name__ == "__main__":
    main()
