# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_machine_state
short_description: Commission, test, allocate, deploy, release machines of MAAS
version_added: 0.1.0
description:
  - Brings a set of machines to one desired state, whatever state each is in now, and waits for all of them together.
  - What cannot be done from the status that a machine is in is refused before anything is done, for all machines together, with what to do about it.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
  - stratus.cloud.wait
attributes:
  idempotent:
    support: partial
    details: With O(force=true) machines are commissioned or tested again in every run.
options:
  machines:
    description: Hostnames, FQDNs, system_ids or MAC addresses.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(ready) (or V(commissioned)) commissions machines that are New or failed their commissioning, tests again those that failed their tests,
        waits for those under way, and leaves alone those that are Ready or in use, also those of Juju whose deployment failed.
      - V(tested) runs the tests on machines that did not pass them yet.
      - V(allocated) reserves machines for the user of the API key; V(deployed) installs them, allocating them if need be; V(released) gives them back.
      - V(broken) and V(fixed) mark machines; V(locked) and V(unlocked) protect deployed machines from release and deletion.
      - V(rescue) boots machines into rescue mode, V(rescued) leads them out of it.
      - V(aborted) stops what is under way.
    type: str
    required: true
    choices: [ready, commissioned, tested, allocated, deployed, released, broken, fixed, locked, unlocked, rescue, rescued, aborted]
  force:
    description: With O(state=ready) commission machines that are Ready again; with O(state=tested) test those that passed.
    type: bool
    default: false
  fix_broken:
    description: With O(state=ready), commission broken machines, which makes them good again.
    type: bool
    default: false
  override_failed_testing:
    description: With O(state=ready), accept machines that failed their tests instead of testing them again.
    type: bool
    default: false
  redeploy:
    description: With O(state=deployed), release machines whose deployment failed, wait for the end of that, and deploy them again.
    type: bool
    default: false
  unlock:
    description: With O(state=released) or O(state=broken), unlock locked machines first.
    type: bool
    default: false
  enable_ssh:
    description: Keep a machine that is commissioned or tested reachable by ssh, and powered on.
    type: bool
    default: false
  skip_bmc_config:
    description:
      - Commissioning leaves the BMC as it is. Without this MAAS makes a user of its own on every BMC that it finds, and works with that one from then on,
        whatever was declared.
    type: bool
    default: false
  skip_bmc_config_of:
    description: The same for these machines only, by their hostnames.
    type: list
    elements: str
    default: []
  skip_networking:
    description: Commissioning keeps the network configuration that the machine has in MAAS.
    type: bool
    default: false
  skip_storage:
    description: Commissioning keeps the storage configuration that the machine has in MAAS.
    type: bool
    default: false
  commissioning_scripts:
    description: Only these commissioning scripts (or tags of scripts).
    type: list
    elements: str
  testing_scripts:
    description: Only these tests (or tags of tests); an empty list for none.
    type: list
    elements: str
  distro_series:
    description: What is deployed, for example V(jammy). By default the region's default.
    type: str
  hwe_kernel:
    description: Kernel, for example V(ga-22.04).
    type: str
  user_data:
    description: Cloud-init user data, encoded as base64.
    type: str
  install_kvm:
    description: Make the deployed machine a KVM host.
    type: bool
  register_vmhost:
    description: Make the deployed machine an LXD VM host.
    type: bool
  ephemeral_deploy:
    description: Deploy into memory, leaving the disks alone.
    type: bool
  enable_hw_sync:
    description: Keep hardware information up to date after the deployment.
    type: bool
  agent_name:
    description: Name of who allocates, kept with the machine.
    type: str
  comment:
    description: Comment for the event log.
    type: str
  erase:
    description: With O(state=released), erase the disks.
    type: bool
  secure_erase:
    description: Use the disks' own secure erase if they have it.
    type: bool
  quick_erase:
    description: Erase only the beginning and the end of the disks.
    type: bool
  min_ready:
    description: So many machines are enough; the others may fail or be late.
    type: int
  on_failure:
    description:
      - V(fail) fails the task after all machines came to an end.
      - V(continue) reports what failed and goes on.
      - V(retry) stops a machine that failed or is stuck, powers it off and starts over, O(retries) times.
    type: str
    choices: [fail, continue, retry]
    default: fail
  retries:
    description: How often each machine is tried again with O(on_failure=retry).
    type: int
    default: 1
  stuck_after:
    description: Seconds in one transitional status after which a machine counts as failed. By default 40 minutes for commissioning, an hour for deploying.
    type: float
  wait_timeout:
    default: 3600
seealso:
  - module: stratus.cloud.maas_machine_wait
"""

EXAMPLES = r"""
- name: The rack is ready for use
  stratus.cloud.maas_machine_state:
    machines: "{{ groups.compute }}"
    state: ready
    on_failure: retry
    wait_timeout: 2700

- name: Start commissioning, and wait later
  stratus.cloud.maas_machine_state:
    machines: [compute0, compute1]
    state: ready
    testing_scripts: []
    wait: false

- name: Give a machine back with empty disks
  stratus.cloud.maas_machine_state:
    machines: [compute1]
    state: released
    erase: true
    quick_erase: true
"""

RETURN = r"""
machines:
  description: The machines as they are now, as in M(stratus.cloud.maas_machine_info).
  returned: success
  type: list
  elements: dict
ready:
  description: Hostnames of the machines that are where they shall be, or beyond.
  returned: success
  type: list
  elements: str
left_alone:
  description: Machines for which nothing was done, and why.
  returned: success
  type: dict
  sample: {"compute0": "it is Deployed"}
failed_machines:
  description: Machines that failed, with status, failed scripts, last events and what to do next, or the region's words.
  returned: always
  type: dict
retried:
  description: Machines that were tried again, and how often.
  returned: when there were any
  type: dict
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
from ansible_collections.stratus.cloud.plugins.module_utils.maas.transitions import STATES, bring


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            machines=dict(type="list", elements="str", required=True),
            state=dict(type="str", required=True, choices=list(STATES)),
            force=dict(type="bool", default=False),
            fix_broken=dict(type="bool", default=False),
            override_failed_testing=dict(type="bool", default=False),
            redeploy=dict(type="bool", default=False),
            unlock=dict(type="bool", default=False),
            enable_ssh=dict(type="bool", default=False),
            skip_bmc_config=dict(type="bool", default=False),
            skip_bmc_config_of=dict(type="list", elements="str", default=[]),
            skip_networking=dict(type="bool", default=False),
            skip_storage=dict(type="bool", default=False),
            commissioning_scripts=dict(type="list", elements="str"),
            testing_scripts=dict(type="list", elements="str"),
            distro_series=dict(type="str"),
            hwe_kernel=dict(type="str"),
            user_data=dict(type="str"),
            install_kvm=dict(type="bool"),
            register_vmhost=dict(type="bool"),
            ephemeral_deploy=dict(type="bool"),
            enable_hw_sync=dict(type="bool"),
            agent_name=dict(type="str"),
            comment=dict(type="str"),
            erase=dict(type="bool"),
            secure_erase=dict(type="bool"),
            quick_erase=dict(type="bool"),
            min_ready=dict(type="int"),
            on_failure=dict(type="str", choices=["fail", "continue", "retry"], default="fail"),
            retries=dict(type="int", default=1),
            stuck_after=dict(type="float"),
            **wait_spec(3600),
        ),
        supports_check_mode=True,
    )
    run(module, lambda module, client: bring(client, module.params))


if __name__ == "__main__":
    main()
