# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Stop before the first change, with every problem of the site at once
version_added: 0.1.0
description:
  - Looks at all variables of the collection (C(stratus_), C(postgres_), C(maas_), C(lxd_), C(juju_), C(openstack_) and so on) and at the machines of the
    inventory groups C(compute) and C(spare), and adds the problems that checks on the hosts found.
  - Every problem is shown with the variable, its value, what is wrong and what to do. Secret values are not shown.
  - The controller needs 8192 MiB of memory and 40 GB free, unless the variable C(stratus_preflight_minimum) (C(memory_mb), C(disk_gb)) says otherwise.
  - Runs on the control node; it reads nothing from the target.
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
  found:
    description: Problems found by other checks; each has C(check), C(variable), C(value), C(problem) and C(remedy).
    type: list
    elements: dict
    default: []
  skip:
    description: >-
      Checks to leave out, by name. Of this module: C(required), C(placeholders), C(types), C(names), C(secrets), C(network), C(machines), C(versions),
      C(releases), C(vips), C(control), C(libraries), C(controller), C(vms), C(images).
      Of the playbook: C(ports), C(netplan), C(nat), C(bmc), C(state), C(unreachable), C(bundle), C(vault), C(zun).
    type: list
    elements: str
    default: []
  only:
    description: Checks of this module to make, by name; all of them without it.
    type: list
    elements: str
    default: []
  controller:
    description: >-
      Facts of the controller host: C(distribution), C(distribution_version), C(codename), C(architecture), C(cores), C(memory_mb), C(disk_gb) (free) and
      C(disk_size_gb) (all of it) of /var, C(kvm) (whether it has F(/dev/kvm)), C(postgres), the major versions that it runs already, and C(snaps) and
      C(channels), the versions of the installed snaps and what they track, by name.
    type: dict
    default: {}
  vms:
    description: The virtual machines that the controller is to hold, each with C(cores), C(memory) (MiB) and C(disks) (GB).
    type: list
    elements: dict
    default: []
  bases:
    description: Bases that machines are deployed with, such as V(ubuntu@22.04).
    type: list
    elements: str
    default: []
  libraries:
    description: What M(stratus.cloud.python_packages_info) returned where the modules run. The versions that they need are in F(requirements/runtime.txt).
    type: dict
    default: {}
  matrix:
    description: File that says which versions go together; without it the collection's own C(bundles/versions.yml).
    type: path
  report:
    description: File on the control node (0600) to write the result to as JSON, C(problems), C(warnings) and C(skipped), whether there are problems or not.
    type: path
  fail:
    description: Whether to fail when there are problems; else they are only returned.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Check the variables of this inventory, and what the host checks found
  stratus.cloud.preflight:
    found: "{{ maas_problems + lxd_problems }}"
    skip: "{{ stratus_preflight_skip | default([]) }}"
"""

RETURN = r"""
problems:
  description: The problems, when the task does not fail because of them.
  returned: success
  type: list
  elements: dict
"""
