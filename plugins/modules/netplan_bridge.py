# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A bridge that takes over an interface, in netplan's files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: netplan_bridge
short_description: Let a bridge take over an interface and its addresses, in netplan's files
version_added: 0.1.0
description:
  - Moves addresses, routes and name servers of an ethernet interface to a bridge that has the interface as its port.
    What belongs to the interface itself (matching, name, MTU, MAC address) stays with it.
  - Keeps the file as it was, byte for byte, and brings it back with O(state=absent).
  - Writes files only. C(netplan apply) is up to the caller, who knows what happens when the host cannot be reached afterwards.
author:
  - The stratus.cloud developers (@stratus-cloud)
requirements:
  - PyYAML on the target (netplan itself brings it)
attributes:
  check_mode:
    description: Says what would change and writes nothing.
    support: full
  diff_mode:
    description: Shows the file before and after.
    support: full
options:
  bridge:
    description: Name of the bridge.
    type: str
    required: true
  interface:
    description: Name of the interface, as under C(network.ethernets). Needed for O(state=present) while no file has the bridge.
    type: str
  state:
    description: Whether the bridge shall be there; V(absent) brings the kept file back, and refuses when somebody else changed the file meanwhile.
    type: str
    choices: [present, absent]
    default: present
  directory:
    description: Where netplan's files lie.
    type: path
    default: /etc/netplan
  backup_dir:
    description:
      - Where the original is kept (0700), as it is at the moment when the bridge is made.
      - One that an earlier run left, whose bridge is in no file any more, is replaced; O(state=absent) removes it if it is what the file says.
    type: path
    default: /var/lib/stratus/netplan
"""

EXAMPLES = r"""
- name: Let br0 take over eno3
  stratus.cloud.netplan_bridge:
    bridge: br0
    interface: eno3

- name: Bring the original network back
  stratus.cloud.netplan_bridge:
    bridge: br0
    state: absent
"""

RETURN = r"""
path:
  description: The file that has the bridge, or that had it; empty when there is none.
  returned: success
  type: str
backup:
  description: Where the original is kept; empty when nothing was.
  returned: success
  type: str
"""

import os
import stat

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.stratus.cloud.plugins.module_utils import durable, netplan


def read(directory):
    """path -> (text, content) of every file."""
    found = {}
    if os.path.isdir(directory):
        for name in sorted(os.listdir(directory)):
            if name.endswith(".yaml"):
                path = os.path.join(directory, name)
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                found[path] = (text, netplan.load(text) or {})
    return found


def put(path, content, like):
    """Write a file (bytes) with the mode and owner of the file ``like``; OSError. What it is called meanwhile netplan reads at no time."""
    known = os.stat(like)
    durable.put(path, content, stat.S_IMODE(known.st_mode), (known.st_uid, known.st_gid))


def whole(path):
    with open(path, "rb") as file:
        return file.read()


def present(module, files, backup_dir):
    path, content = netplan.plan({path: parsed for path, (_text, parsed) in files.items()}, module.params["interface"] or "", module.params["bridge"])
    backup = os.path.join(backup_dir, os.path.basename(path))
    if content is None:
        return {"changed": False, "path": path, "backup": backup if os.path.exists(backup) else ""}
    text = netplan.dump(content)
    if not module.check_mode:
        os.makedirs(backup_dir, mode=0o700, exist_ok=True)
        # No file has the bridge, so this one is the original, also where an older one is kept: a change-over that was rolled back leaves it.
        put(backup, whole(path), path)
        put(path, text.encode(), path)
    return {"changed": True, "path": path, "backup": backup, "diff": {"before": files[path][0], "after": text, "before_header": path, "after_header": path}}


def forget(backup_dir, backups):
    """Remove what is kept, and the directory when nothing else is in it."""
    for backup in backups:
        os.unlink(backup)
    if not os.listdir(backup_dir):
        os.rmdir(backup_dir)


def leftovers(files, backup_dir):
    """What runs left that were cut short or rolled back: originals that are in their place, and parts of some."""
    kept = {os.path.join(backup_dir, os.path.basename(path)): path for path in files}
    same = [backup for backup, path in kept.items() if os.path.exists(backup) and whole(backup) == whole(path)]
    return same + [part for part in map(durable.part, kept) if os.path.exists(part)]


def absent(module, files, backup_dir):
    bridge = module.params["bridge"]
    path = netplan.find({path: parsed for path, (_text, parsed) in files.items()}, "bridges", bridge)
    if not path:
        # It is gone already.
        left = leftovers(files, backup_dir)
        changed = bool(left) or (os.path.isdir(backup_dir) and not os.listdir(backup_dir))
        if changed and not module.check_mode:
            forget(backup_dir, left)
        return {"changed": changed, "path": "", "backup": ""}
    backup = os.path.join(backup_dir, os.path.basename(path))
    if not os.path.exists(backup):
        # It was there before us.
        return {"changed": False, "path": path, "backup": ""}
    with open(backup, encoding="utf-8") as file:
        text = file.read()
    if not netplan.is_ours(netplan.load(text), files[path][1], bridge):
        raise netplan.NetplanError(
            f"{path} was changed by somebody else since, and the original would undo that too; take the bridge out of it by hand and remove {backup}"
        )
    if not module.check_mode:
        put(path, whole(backup), backup)
        forget(backup_dir, [backup])
    return {"changed": True, "path": path, "backup": "", "diff": {"before": files[path][0], "after": text, "before_header": path, "after_header": path}}


def main():
    module = AnsibleModule(
        argument_spec={
            "bridge": {"type": "str", "required": True},
            "interface": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "directory": {"type": "path", "default": "/etc/netplan"},
            "backup_dir": {"type": "path", "default": "/var/lib/stratus/netplan"},
        },
        supports_check_mode=True,
    )
    if netplan.yaml is None:
        module.fail_json(msg=missing_required_lib("PyYAML"))
    try:
        files = read(module.params["directory"])
        work = present if module.params["state"] == "present" else absent
        module.exit_json(**work(module, files, module.params["backup_dir"]))
    except netplan.NetplanError as error:
        done = "made in" if module.params["state"] == "present" else "taken out of"
        module.fail_json(msg=f"The bridge {module.params['bridge']} cannot be {done} {module.params['directory']}: {error}.")
    except (OSError, netplan.yaml.YAMLError) as error:
        module.fail_json(msg=f"The files in {module.params['directory']} cannot be used: {error}")


if __name__ == "__main__":
    main()
