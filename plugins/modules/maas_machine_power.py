# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_machine_power
short_description: Power machines of MAAS on and off
version_added: 0.1.0
description:
  - Powers a set of machines on or off through MAAS, and waits until their BMCs say so.
  - MAAS powers on only machines that are allocated, deployed or under way; commissioning and deploying do it by themselves.
  - The BMC is asked first, because what MAAS remembers may be minutes old. One that does not answer is asked again twice within 20 seconds, after the
    machines with another one were switched. When some machines cannot be switched, the module fails without waiting for the rest, and says which were.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
  - stratus.cloud.wait
options:
  machines:
    description: Hostnames, FQDNs, system_ids or MAC addresses.
    type: list
    elements: str
    required: true
  state:
    description: Where the power shall be.
    type: str
    choices: ["on", "off"]
    required: true
  stop_mode:
    description: V(soft) asks the operating system to shut down, V(hard) does not.
    type: str
    choices: [hard, soft]
    default: hard
  wait_timeout:
    default: 300
"""

EXAMPLES = r"""
- name: Off for the night
  stratus.cloud.maas_machine_power:
    machines: [compute3, compute4]
    state: "off"
    stop_mode: soft
"""

RETURN = r"""
power:
  description: Power state of each machine, by hostname; where its BMC gave none, why.
  returned: success, and when some machines could not be switched
  type: dict
  sample: {"compute3": "off", "compute4": "off"}
switched:
  description: Hostnames of the machines that were told to switch; the others had been there already, or could not be.
  returned: always
  type: list
  elements: str
  sample: ["compute3"]
failed_machines:
  description: Why a machine could not be switched, by hostname.
  returned: when some could not be
  type: dict
  sample: {"compute4": "Cannot ask the BMC of compute4 for its power state: the region failed (500): Could not contact node's BMC"}
waited:
  description: Seconds spent waiting.
  returned: success
  type: float
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run, wait_spec
from ansible_collections.stratus.cloud.plugins.module_utils.maas.power import ensure_power


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            machines=dict(type="list", elements="str", required=True),
            state=dict(type="str", choices=["on", "off"], required=True),
            stop_mode=dict(type="str", choices=["hard", "soft"], default="hard"),
            **wait_spec(300),
        ),
        supports_check_mode=True,
    )
    run(module, lambda module, client: ensure_power(client, module.params))


if __name__ == "__main__":
    main()
