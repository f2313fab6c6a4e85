#!/usr/bin/python
# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nova_host_probe
short_description: Prove that compute hosts serve, with a server booted on each or migrated among them
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
description:
  - Boots a server on exactly each of the given hosts, waits until all are active there, and takes everything away again, also when it fails.
  - An image (an empty disk), a flavor and a network are made for it unless they are given. All is named C(stratus-probe), in the project of
    the credentials; what a run left that was killed is taken away first.
  - The hosts are asked for as the administrator may, through the scheduler. A host that is disabled or full is therefore refused.
options:
  hosts:
    description: The hosts, by the names of their compute services; a short name does where it is the only one.
    type: list
    elements: str
    required: true
  migrate:
    description:
      - Boot one server only, on the first host, and migrate it live to the second, and so on until it is back on the first.
    type: bool
    default: false
  image:
    description: Name or id of an image that exists, to use in place of an empty disk.
    type: str
  flavor:
    description: Name or id of a flavor that exists, for clouds whose hosts take only certain ones.
    type: str
  network:
    description: Name or id of a network that exists.
    type: str
  wait_timeout:
    description: Seconds within which all servers must be active, and seconds for each migration.
    type: float
    default: 300
  wait_interval:
    description: The longest pause between two looks, in seconds.
    type: float
    default: 5
attributes:
  check_mode:
    support: full
    description: Only looks whether the hosts are known; no request other than GET leaves.
  diff_mode:
    support: N/A
    description: It leaves the cloud as it was, and is never reported as a change.
  action_group:
    support: full
    description: Use C(group/stratus.cloud.nova) in C(module_defaults) to set the connection once.
    membership:
      - stratus.cloud.nova
extends_documentation_fragment:
  - stratus.cloud.nova
"""

EXAMPLES = r"""
- name: The new hosts serve
  stratus.cloud.nova_host_probe:
    cloud: mycloud
    hosts: [compute2, compute3]

- name: Servers can move between these two, both ways
  stratus.cloud.nova_host_probe:
    cloud: mycloud
    hosts: [compute0, compute1]
    migrate: true
"""

RETURN = r"""
hosts:
  description: The hosts, as nova names them.
  returned: success
  type: list
  elements: str
servers:
  description: The servers that ran, with the seconds until each was active. They are gone by now.
  returned: success
  type: list
  elements: dict
  sample: [{"host": "compute2", "id": "6f9c0e6e-6f0e-4d5c-8a3b-0d6a4f1b2c3d", "seconds": 6.2}]
migrations:
  description: What came of each migration, as M(stratus.cloud.nova_live_migration) tells it.
  returned: success
  type: list
  elements: dict
  sample: [{"server": "stratus-probe", "id": "6f9c...", "from": "compute0", "to": "compute1", "state": "completed", "reason": "", "seconds": 5.1}]
faults:
  description: For hosts that failed, what nova says.
  returned: on failure
  type: dict
waited:
  description: Seconds that were waited.
  returned: success
  type: float
"""

from ansible_collections.stratus.cloud.plugins.module_utils.nova import module as nova
from ansible_collections.stratus.cloud.plugins.module_utils.nova import probe


def main():
    options = {
        "hosts": {"type": "list", "elements": "str", "required": True},
        "migrate": {"type": "bool", "default": False},
        "image": {"type": "str"},
        "flavor": {"type": "str"},
        "network": {"type": "str"},
        "wait_timeout": {"type": "float", "default": 300},
        "wait_interval": {"type": "float", "default": 5},
    }
    nova.run(nova.module(options), probe.work)


if __name__ == "__main__":
    main()
