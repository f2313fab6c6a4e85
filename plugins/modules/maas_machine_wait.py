# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_machine_wait
short_description: Wait until a set of machines is in a status
version_added: 0.1.0
description:
  - Waits for a whole set of machines with one request for each look, whatever their number, and returns as soon as the last one is there.
  - Fails when a machine reaches a status from which it does not come back by itself, vanishes, or stays longer in one status than it ever should;
    the error names the machine, its status, its last events, the scripts that failed, and what to do next.
  - Reads only. It watches the region's events and reads only machines that arrived, so that waiting for a thousand machines
    costs the region about what waiting for ten does.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
  - stratus.cloud.wait
options:
  machines:
    description: Hostnames, FQDNs, system_ids or MAC addresses.
    type: list
    elements: str
    required: true
  status:
    description: Where they have to arrive; any of these will do.
    type: list
    elements: str
    default: [Ready]
  fail_status:
    description:
      - Statuses that end the wait for a machine as failed. By default all failed ones, V(Broken), V(Missing) and V(Retired), except those in O(status).
    type: list
    elements: str
  appear:
    description: Whether machines that the region does not know yet are waited for, for example until they boot from the network. Otherwise they are an error.
    type: bool
    default: false
  min_ready:
    description: So many are enough; the wait still goes on until none is under way, or the deadline passes.
    type: int
  on_failure:
    description: Whether a machine that failed fails the task, or is only reported.
    type: str
    choices: [fail, continue]
    default: fail
  details:
    description:
      - Read every machine once more when it has arrived. Otherwise, of more than 20 machines that arrive at the same moment,
        and of sets of more than 500, RV(machines) may tell the hardware as it was known before the wait; their status is always right.
    type: bool
    default: false
  stuck_after:
    description: Seconds in one transitional status after which a machine counts as failed. By default 40 minutes for commissioning, an hour for deploying.
    type: float
  wait_timeout:
    default: 1800
seealso:
  - module: stratus.cloud.maas_machine_state
"""

EXAMPLES = r"""
- name: Machines that were powered on show up
  stratus.cloud.maas_machine_wait:
    machines: ["52:54:00:10:00:01", "52:54:00:10:01:01"]
    status: [New, Ready]
    appear: true
    wait_timeout: 900

- name: At least 38 of 40 machines have to be ready
  stratus.cloud.maas_machine_wait:
    machines: "{{ groups.compute }}"
    min_ready: 38
    wait_timeout: 3600
  register: rack

- name: Those that did not make it
  ansible.builtin.debug:
    var: rack.failed_machines
"""

RETURN = r"""
machines:
  description: The machines as they are now, as in M(stratus.cloud.maas_machine_info).
  returned: success
  type: list
  elements: dict
ready:
  description: Names of those that arrived.
  returned: always
  type: list
  elements: str
failed_machines:
  description: Those that did not, with status, failed scripts, last events and what to do next.
  returned: always
  type: dict
  sample:
    compute3:
      status: Failed testing
      failed_scripts: [smartctl-validate]
      events: ["Running test smartctl-validate on sda"]
      next: replace the part that failed
waited:
  description: Seconds spent waiting.
  returned: success
  type: float
progress:
  description: The lines that the wait produced.
  returned: success
  type: list
  elements: str
timeline:
  description: The same as data, the first look included; seconds since the wait began, kind of thing, name, state.
  returned: success
  type: list
  elements: list
  sample: [[0.0, machine, compute0, Commissioning], [31.5, machine, compute0, Ready]]
requests:
  description: How many requests the wait cost the region.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run, wait_spec
from ansible_collections.stratus.cloud.plugins.module_utils.maas.waits import wait_for_machines


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            machines=dict(type="list", elements="str", required=True),
            status=dict(type="list", elements="str", default=["Ready"]),
            fail_status=dict(type="list", elements="str"),
            appear=dict(type="bool", default=False),
            min_ready=dict(type="int"),
            on_failure=dict(type="str", choices=["fail", "continue"], default="fail"),
            details=dict(type="bool", default=False),
            stuck_after=dict(type="float"),
            **wait_spec(1800),
        ),
        supports_check_mode=True,
    )
    run(module, lambda module, client: wait_for_machines(client, module.params))


if __name__ == "__main__":
    main()
