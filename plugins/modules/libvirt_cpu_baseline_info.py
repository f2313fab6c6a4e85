# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: libvirt_cpu_baseline_info
short_description: The CPU that all of several hypervisors can give to a guest
version_added: "0.1.0"
description:
  - Compares what QEMU on each host can give to a guest, and tells the CPU that all of them can, as settings for Nova.
  - A guest with that CPU can migrate between any two of the hosts. A guest with more can start on some of them and not get away from there.
  - Runs on one host with libvirt, which does the reckoning (C(virsh hypervisor-cpu-baseline)). Changes nothing.
author:
  - The stratus.cloud developers (@stratus-cloud)
attributes:
  check_mode:
    description: Changes nothing anyway.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  capabilities:
    description: What C(virsh domcapabilities) says on each host, by the host's name.
    type: dict
    required: true
  virt_type:
    description: What runs the guests. C(virsh domcapabilities --virttype) must have been asked for the same.
    type: str
    choices: [kvm, qemu]
    default: kvm
"""

EXAMPLES = r"""
- name: Ask every host what it can give
  ansible.builtin.command:
    argv: [virsh, --connect, qemu:///system, domcapabilities, --virttype, kvm]
  register: domcapabilities
  changed_when: false

- name: Find what all of them can give
  stratus.cloud.libvirt_cpu_baseline_info:
    capabilities: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, ['domcapabilities', 'stdout']))) }}"
  run_once: true
  register: cpu
"""

RETURN = r"""
identical:
  description: Whether all hosts can give the same CPU.
  returned: success
  type: bool
baseline:
  description: The CPU that all can give; null when there is none.
  returned: success
  type: dict
  sample: {"model": "Skylake-Server-IBRS", "vendor": "Intel", "require": ["md-clear", "ssbd"], "disable": ["avx512f"]}
nova:
  description: The same as settings of nova.conf, section C(libvirt); null when there is none.
  returned: success
  type: dict
  sample: {"cpu_mode": "custom", "cpu_models": ["Skylake-Server-IBRS"], "cpu_model_extra_flags": ["+md-clear", "+ssbd", "-avx512f"]}
reason:
  description: Why there is none, in libvirt's words; empty when there is one.
  returned: success
  type: str
hosts:
  description: Of each host its own model and maker, and the features that it has beyond the common CPU.
  returned: success
  type: dict
  sample: {"compute0": {"model": "Cascadelake-Server-noTSX", "vendor": "Intel", "beyond": ["avx512vnni"]}}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.libvirt import cpu


def main():
    module = AnsibleModule(
        argument_spec={
            "capabilities": {"type": "dict", "required": True},
            "virt_type": {"type": "str", "choices": ["kvm", "qemu"], "default": "kvm"},
        },
        supports_check_mode=True,
    )
    if not module.params["capabilities"]:
        module.fail_json(msg="There is no host to compare: capabilities is empty")
    try:
        answer = cpu.compare(module.params["capabilities"], cpu.virsh_baseline(module.run_command, module.params["virt_type"]))
    except cpu.CpuFault as error:
        module.fail_json(msg=f"The CPUs of {', '.join(module.params['capabilities'])} cannot be compared: {error}")
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
