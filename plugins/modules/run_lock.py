# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lock
short_description: Let one run at a time work on a cloud
version_added: 0.1.0
description:
  - Writes on the target (the controller host) which run works on its cloud, and stops a second run with a sentence that names the first.
  - A lock belongs to the process of C(ansible-playbook) that took it. When that process is gone, however it ended, the next run from the same
    control node takes the lock over; a restart of the target ends it, too. A run may take it any number of times.
  - A run that has come to its end gives it back with O(state=absent), so that another control node is not told of a run that is over.
    Whoever has no lock, or finds somebody else's, gives nothing back, and that is no failure.
  - A part of a run (O(part)) takes it when it is played alone, and gives it back then. Under the lock of the whole run it leaves it as it is.
  - A control node is known by its name and its machine id. Two that are both called C(ubuntu) do not take each other's lock.
  - In check mode nothing is taken and a run that is at work is only told of, since nothing that is read disturbs it.
  - The file is no part of what the target is set up with, so taking the lock counts as no change.
author:
  - The stratus.cloud developers (@stratus-cloud)
attributes:
  check_mode:
    description: Looks only.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  state:
    description: Whether this run takes the lock, or gives it back.
    type: str
    choices: [present, absent]
    default: present
  path:
    description: The lock on the target; in a directory that a restart empties.
    type: path
    default: /run/stratus-cloud.lock
  force:
    description: Take it even from a run on another control node, which cannot be looked at from here. Make sure that it is over.
    type: bool
    default: false
  part:
    description: The part of a run that takes it or gives it back. What one part has taken, another does not give back.
    type: str
  owner:
    description: Who takes it or gives it back. The action plugin fills it in.
    type: dict
  instead_of:
    description: A holder whose run is over. The action plugin fills it in.
    type: dict
"""

EXAMPLES = r"""
- name: One run at a time
  stratus.cloud.run_lock:
    force: "{{ stratus_lock_force | default(false) }}"

- name: The run is over
  stratus.cloud.run_lock:
    state: absent

- name: One run at a time, also of this part alone
  stratus.cloud.run_lock:
    part: cloud
"""

RETURN = r"""
holder:
  description: Who has the lock now; null when nobody has it any more.
  returned: success
  type: dict
  sample: {"user": "ops", "control": "bastion", "pid": 4711, "what": "site.yml", "since": "2026-11-26T08:00:00Z"}
taken_over:
  description: Whose lock it was, when that run was over.
  returned: when there was one
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils import run_lock


def main():
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(type="str", choices=["present", "absent"], default="present"),
            path=dict(type="path", default="/run/stratus-cloud.lock"),
            force=dict(type="bool", default=False),
            part=dict(type="str"),
            owner=dict(type="dict"),
            instead_of=dict(type="dict"),
        ),
        supports_check_mode=True,
    )
    if not module.params["owner"]:
        module.fail_json(msg="owner is missing: run_lock works through its action plugin, which fills it in")
    path, me = module.params["path"], {**module.params["owner"], "part": module.params["part"]}
    write, over = not module.check_mode, module.params["state"] == "absent"
    try:
        holder = run_lock.give_back(path, me, write) if over else run_lock.take(path, me, module.params["instead_of"], write)
    except OSError as error:
        module.fail_json(msg=f"The lock {path} cannot be written: {error.strerror}. Set path to a place where this user may write.")
    module.exit_json(changed=False, holder=holder)


if __name__ == "__main__":
    main()
