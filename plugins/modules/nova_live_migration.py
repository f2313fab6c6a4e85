# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nova_live_migration
short_description: Move running servers to other hosts
version_added: "0.1.0"
description:
  - Migrates servers live, one, many or all of a host, so many at a time, and waits for the record of each migration to end.
  - Before the first one is asked for, every server is judged by what nova and Placement say. With a server that cannot move nothing is
    begun, unless O(on_unmovable=skip).
  - In check mode it returns that judgement, with the host that each server would probably go to, in RV(plan).
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  servers:
    description:
      - The servers, by id or by name. With O(from_host) only those of them that are on it, so that a second run leaves them alone.
      - With neither O(host) nor O(from_host) they move with every run.
    type: list
    elements: str
    aliases: [server]
  from_host:
    description: Move what is on this host. Without O(servers) that is everything. Disable it first, or nova may send servers there again.
    type: str
  host:
    description: Where to. Servers that are there already are left alone. Without it nova's scheduler chooses for each.
    type: str
    aliases: [to_host]
  on_unmovable:
    description: What to do about servers that cannot move. V(fail) begins nothing; V(skip) leaves them in RV(unmovable) and moves the others.
    type: str
    choices: [fail, skip]
    default: fail
  max_failures:
    description: After so many failed migrations no other is begun; those under way end. Without it all are tried.
    type: int
extends_documentation_fragment:
  - stratus.cloud.nova
  - stratus.cloud.nova.writes
  - stratus.cloud.nova.migrates
  - stratus.cloud.wait
seealso:
  - module: stratus.cloud.nova_compute_service
  - module: stratus.cloud.nova_rebalance
"""

EXAMPLES = r"""
- name: Two servers to a certain host
  stratus.cloud.nova_live_migration:
    cloud: stratus
    servers: [web-1, web-2]
    host: compute1

- name: Everything off a host, with at most ten minutes for each server
  stratus.cloud.nova_live_migration:
    cloud: stratus
    from_host: compute2
    migration_timeout: 600
    on_timeout: force_complete

- name: What could not leave compute2, and why
  stratus.cloud.nova_live_migration:
    cloud: stratus
    from_host: compute2
    on_unmovable: skip
  check_mode: true
  register: drain
- name: Show it
  ansible.builtin.debug:
    var: drain.unmovable
"""

RETURN = r"""
plan:
  description: The servers that move, and the host that was asked for or is foreseen. Nova's scheduler decides where no host was asked for.
  returned: always
  type: list
  elements: dict
  sample: [{"server": "web-1", "id": "6f70...", "from": "compute0", "to": "compute1", "needs": {"VCPU": 2, "MEMORY_MB": 4096}, "facts": ["config drive: ..."]}]
unmovable:
  description: The servers that cannot move, and why.
  returned: always
  type: list
  elements: dict
  sample: [{"server": "db-1", "id": "c1d2...", "from": "compute0", "reason": "is stopped, and only what runs is migrated live: start it, or migrate it cold"}]
already:
  description: Names of servers that are where they should be.
  returned: always
  type: list
  elements: str
migrations:
  description: What came of each migration.
  returned: when something was asked for
  type: list
  elements: dict
  sample: [{"server": "web-1", "id": "6f70...", "from": "compute0", "to": "compute1", "state": "completed", "reason": "", "seconds": 5.1}]
waited:
  description: Seconds that were waited.
  returned: always
  type: float
progress:
  description: The changes of state that were seen.
  returned: when something was asked for
  type: list
  elements: str
"""

from ansible_collections.stratus.cloud.plugins.module_utils.nova import drain
from ansible_collections.stratus.cloud.plugins.module_utils.nova import module as nova


def main():
    module = nova.module(
        {
            "servers": {"type": "list", "elements": "str", "aliases": ["server"]},
            "from_host": {"type": "str"},
            "host": {"type": "str", "aliases": ["to_host"]},
            "on_unmovable": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
            "max_failures": {"type": "int"},
            **nova.MIGRATES,
        },
        required_one_of=[("servers", "from_host")],
    )
    nova.run(module, drain.work)


if __name__ == "__main__":
    main()
