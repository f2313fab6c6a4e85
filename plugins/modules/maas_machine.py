# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_machine
short_description: Declare machines to MAAS
version_added: 0.1.0
description:
  - Declares a set of machines with their BMCs, changes them, or deletes them, in one call.
  - A machine is adopted when the region knows it already by system_id, by one of its MAC addresses, or by its hostname, so that none is ever there twice.
    One that was enlisted over the network under a name of its own gets the hostname, power parameters, pool, zone and tags given here.
  - Does not commission; M(stratus.cloud.maas_machine_state) does. Machines are created with C(commission=false).
  - Contradictions (one MAC for two entries, a hostname that another machine has) are errors, all told together, before anything is changed.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
options:
  machines:
    description: The machines.
    type: list
    elements: dict
    required: true
    suboptions:
      hostname:
        description: Hostname. A machine known under another one, by MAC or system_id, is renamed.
        type: str
      system_id:
        description: Id of a machine that the region knows already.
        type: str
      mac_addresses:
        description: MAC addresses of its NICs; at least one for a machine that does not exist yet.
        type: list
        elements: str
      architecture:
        description: Architecture; V(amd64) stands for any of its sub-architectures. A new machine without one becomes V(amd64/generic).
        type: str
      power_type:
        description: How it is powered on and off, for example V(ipmi), V(redfish), V(lxd), V(virsh), V(manual).
        type: str
      default_power_type:
        description:
          - The same for a machine whose power MAAS knows nothing of, if O(machines[].power_type) is not given. One whose BMC MAAS found by itself keeps it.
          - MAAS commissions no machine without a power type; with V(manual) somebody has to switch it on.
        type: str
      power_parameters:
        description:
          - Parameters of the BMC or driver. Only those given are compared and written; the region keeps its own values for the rest.
          - They are compared with what the region has stored, passwords too; secrets are never shown.
        type: dict
        suboptions:
          blade_id:
            description: Blade (msftocs).
            type: str
          certificate:
            description: Client certificate, PEM (lxd).
            type: str
          cipher_suite_id:
            description: Cipher suite (ipmi).
            type: str
          instance_name:
            description: Name of the instance (lxd).
            type: str
          k_g:
            description: BMC key (ipmi).
            type: str
          key:
            description: Client key, PEM (lxd).
            type: str
          lpar:
            description: Logical partition (hmc).
            type: str
          mac_address:
            description: MAC address of the BMC (ipmi).
            type: str
          node_id:
            description: Node (redfish, mscm, recs_box).
            type: str
          node_outlet:
            description: Outlet (apc, eaton, raritan).
            type: str
          nova_id:
            description: Instance (nova).
            type: str
          os_authurl:
            description: Authentication URL (nova).
            type: str
          os_password:
            description: Password (nova).
            type: str
          os_tenantname:
            description: Project (nova).
            type: str
          os_username:
            description: User (nova).
            type: str
          outlet_id:
            description: Outlet (dli).
            type: str
          password:
            description: Trust password (lxd).
            type: str
          pdu_type:
            description: Type of the PDU (apc).
            type: str
          power_address:
            description: Address of the BMC or host.
            type: str
          power_boot_type:
            description: Boot firmware (ipmi), V(auto), V(legacy) or V(efi).
            type: str
          power_control:
            description: Kind of control (sm15k).
            type: str
          power_driver:
            description: Protocol (ipmi), V(LAN) or V(LAN_2_0).
            type: str
          power_hwaddress:
            description: Hardware address (moonshot).
            type: str
          power_id:
            description: Name of the virtual machine (virsh).
            type: str
          power_off_mode:
            description: How it is powered off (ipmi), V(soft) or V(hard).
            type: str
          power_off_regex:
            description: What says that it is off (webhook).
            type: str
          power_off_uri:
            description: Address that powers it off (webhook).
            type: str
          power_on_delay:
            description: Seconds between off and on (apc, eaton, raritan).
            type: str
          power_on_regex:
            description: What says that it is on (webhook).
            type: str
          power_on_uri:
            description: Address that powers it on (webhook).
            type: str
          power_partition_name:
            description: Partition (hmcz).
            type: str
          power_pass:
            description: Password of the BMC or host.
            type: str
          power_port:
            description: Port (recs_box, msftocs, vmware).
            type: str
          power_protocol:
            description: Protocol (vmware).
            type: str
          power_query_uri:
            description: Address that tells its power state (webhook).
            type: str
          power_token:
            description: Token (webhook).
            type: str
          power_token_name:
            description: Name of the token (proxmox).
            type: str
          power_token_secret:
            description: Secret of the token (proxmox).
            type: str
          power_user:
            description: User of the BMC or host.
            type: str
          power_uuid:
            description: UUID (vmware).
            type: str
          power_verify_ssl:
            description: Whether certificates are verified (hmcz, proxmox, webhook), V(y) or V(n).
            type: str
          power_vm_name:
            description: Name of the virtual machine (vmware, proxmox).
            type: str
          privilege_level:
            description: Privilege level (ipmi).
            type: str
          project:
            description: Project (lxd).
            type: str
          server_name:
            description: Server (hmc).
            type: str
          system_id:
            description: Id of the system (sm15k).
            type: str
          uuid:
            description: UUID of the server (ucsm).
            type: str
          workaround_flags:
            description: Workarounds for faulty BMCs (ipmi).
            type: list
            elements: str
      pool:
        description: Resource pool.
        type: str
      zone:
        description: Zone.
        type: str
      domain:
        description: DNS domain.
        type: str
      description:
        description: A description.
        type: str
      tags:
        description: Tags that it carries, made if they do not exist. Tags that it has beside these stay.
        type: list
        elements: str
  state:
    description: Whether the machines are declared.
    type: str
    choices: [present, absent]
    default: present
  force:
    description:
      - With O(state=absent), delete also machines that are allocated, deployed or locked; those that are locked are unlocked first.
      - A virtual machine's disk goes with it.
    type: bool
    default: false
seealso:
  - module: stratus.cloud.maas_machine_state
  - module: stratus.cloud.maas_machine_wait
"""

EXAMPLES = r"""
- name: The rack
  stratus.cloud.maas_machine:
    machines:
      - hostname: compute0
        mac_addresses: ["52:54:00:10:00:01"]
        power_type: ipmi
        power_parameters:
          power_address: 10.42.0.20
          power_user: admin
          power_pass: "{{ vault_bmc_password }}"
        tags: [compute]
      - hostname: compute1
        mac_addresses: ["52:54:00:10:01:01"]
        power_type: ipmi
        power_parameters:
          power_address: 10.42.0.21
          power_user: admin
          power_pass: "{{ vault_bmc_password }}"
        tags: [compute]

- name: Leaves the rack
  stratus.cloud.maas_machine:
    machines:
      - hostname: compute1
    state: absent
"""

RETURN = r"""
machines:
  description: The machines, in the order given.
  returned: success
  type: list
  elements: dict
  sample: [{"hostname": "compute0", "system_id": "hqe4sm", "status": "New", "power_type": "ipmi", "mac_addresses": ["52:54:00:10:00:01"]}]
created:
  description: Hostnames of the machines that were created.
  returned: success
  type: list
  elements: str
updated:
  description: Hostnames of the machines that were adopted or changed.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import declare, power_options, remove, summary
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run

MACHINE = dict(
    hostname=dict(type="str"),
    system_id=dict(type="str"),
    mac_addresses=dict(type="list", elements="str"),
    architecture=dict(type="str"),
    power_type=dict(type="str"),
    default_power_type=dict(type="str"),
    power_parameters=dict(type="dict", no_log=False, options=power_options()),
    pool=dict(type="str"),
    zone=dict(type="str"),
    domain=dict(type="str"),
    description=dict(type="str"),
    tags=dict(type="list", elements="str"),
)


def work(module, client):
    entries = module.params["machines"]
    if module.params["state"] == "absent":
        gone = [summary(machine) for machine in remove(client, entries, module.params["force"])]
        before = {machine["hostname"]: dict(system_id=machine["system_id"], status=machine["status"]) for machine in gone}
        return dict(changed=bool(gone), diff=dict(before=before, after={}), machines=[], created=[], updated=[])
    before, after, machines, created, updated = declare(client, entries)
    return dict(
        changed=bool(created or updated),
        diff=dict(before=before, after=after),
        machines=[summary(machine) for machine in machines],
        created=created,
        updated=updated,
    )


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            machines=dict(type="list", elements="dict", required=True, options=MACHINE),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            force=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
