# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A small file on a host that says how the host was before."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_record
short_description: Remember how a host was before it is changed
version_added: 0.1.0
description:
  - Keeps one small file on a host, from which a teardown learns what came with the roles, so that it takes that away and nothing else.
  - Is called before a change. What was noted once stays, so a run that was cut short and is run again does not take its own work for the host's.
author:
  - The stratus.cloud developers (@stratus-cloud)
attributes:
  check_mode:
    description: Says what would be noted and writes nothing.
    support: full
  diff_mode:
    description: Shows the record before and after.
    support: full
options:
  state:
    description:
      - V(present) notes what O(keep) and O(directories) say, and returns the record.
      - V(installing) also notes which packages, snaps, users, groups and subordinate ids there are, unless all of O(packages) and O(snaps) are installed.
      - V(installed) notes which have come since then of those that were asked for, of what they need or recommend, and of the system's own users and
        groups that they make. What somebody else has brought meanwhile is never noted.
      - V(absent) removes the record.
    type: str
    choices: [present, installing, installed, absent]
    default: present
  packages:
    description: The packages that are about to be installed.
    type: list
    elements: str
    default: []
  snaps:
    description: The snaps that are about to be installed.
    type: list
    elements: str
    default: []
  keep:
    description: Values as they are before a change, as a dictionary of sections with names and values. A name that has a value already keeps it.
    type: dict
    default: {}
  directories:
    description: Directories that are about to be made; the topmost missing one of each path is noted.
    type: list
    elements: path
    default: []
  path:
    description: The file (0600); its directory (0700) is made when it is missing, and goes with the file when nothing else is in it.
    type: path
    default: /var/lib/stratus/record.json
"""

EXAMPLES = r"""
- name: Note what is installed
  stratus.cloud.host_record:
    state: installing
    packages: [nftables]

- name: Install
  ansible.builtin.apt:
    name: nftables

- name: Note what came with it
  stratus.cloud.host_record:
    state: installed

- name: Note that packets were not forwarded
  stratus.cloud.host_record:
    keep:
      sysctl: {net.ipv4.ip_forward: "0"}
"""

RETURN = r"""
missing:
  description: Those of O(packages) and O(snaps) that are not installed.
  returned: success
  type: list
  elements: str
record:
  description: The record, with all its parts.
  returned: success
  type: dict
  sample: {packages: [nftables], snaps: [], users: [], groups: [], directories: [/root/.local], kept: {sysctl: {net.ipv4.ip_forward: "0"}}}
"""

import glob
import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils import durable
from ansible_collections.stratus.cloud.plugins.module_utils import host_record as records

QUERY = ["dpkg-query", "-W", f"-f={records.FORMAT}"]
# Where dpkg keeps what packages run when they are installed, and which files they have.
INFO = "/var/lib/dpkg/info"
SNAPS = "/snap/*/current"
PARTS = {"packages": [], "snaps": [], "users": [], "groups": [], "subuids": [], "subgids": [], "directories": [], "kept": {}}


def read(path):
    try:
        with open(path, encoding="utf-8") as stream:
            return json.load(stream)
    except FileNotFoundError:
        return {}


def write(path, record):
    """The whole record, or as it was: half of one would be worse than none."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    durable.put(path, json.dumps(record, indent=1, sort_keys=True).encode())


def remove(path):
    os.unlink(path)
    if not os.listdir(os.path.dirname(path)):
        os.rmdir(os.path.dirname(path))


def text_of(path):
    """What is in a file; one that is missing is as good as empty."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def scripts(packages):
    """What the packages run when they are installed, and what they have systemd make of users and groups."""
    paths = []
    for name in packages:
        paths += [f"{INFO}/{name}.preinst", f"{INFO}/{name}.postinst"]
        paths += [path for path in text_of(f"{INFO}/{name}.list").splitlines() if os.path.dirname(path) == "/usr/lib/sysusers.d"]
    return "\n".join(text_of(path) for path in paths)


def inventory(module):
    """(what is there now, of what an installation may bring; how packages and snaps need each other)"""
    snaps = {path.split("/")[2]: (set(), records.snap_needs(text_of(f"{path}/meta/snap.yaml"))) for path in glob.glob(SNAPS)}
    needs = {"packages": records.packages(module.run_command(QUERY, check_rc=True)[1]), "snaps": snaps}
    found = {kind: sorted(names) for kind, names in needs.items()}
    for kind, database in (("users", "/etc/passwd"), ("groups", "/etc/group")):
        found[kind] = records.accounts(text_of(database))
    for kind, database in (("subuids", "/etc/subuid"), ("subgids", "/etc/subgid")):
        found[kind] = sorted(line for line in text_of(database).split() if line.partition(":")[0] in found["users"])
    return found, needs


def noted(module, record):
    """(the record as it shall be, which packages are missing)"""
    options = module.params
    record = records.keep(record, options["keep"])
    record = records.note_directories(record, options["directories"])
    if options["state"] not in ("installing", "installed"):
        return record, []
    now, needs = inventory(module)
    lacking = records.missing(options["packages"], now["packages"]) + records.missing(options["snaps"], now["snaps"])
    if options["state"] == "installing" and lacking:
        return records.begin(record, now, {kind: options[kind] for kind in ("packages", "snaps")}), lacking
    manual = module.run_command(["apt-mark", "showmanual"], check_rc=True)[1].split() if "installing" in record else []
    return records.end(record, now, needs, manual, scripts), lacking


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "installing", "installed", "absent"], "default": "present"},
            "packages": {"type": "list", "elements": "str", "default": []},
            "snaps": {"type": "list", "elements": "str", "default": []},
            "keep": {"type": "dict", "default": {}},
            "directories": {"type": "list", "elements": "path", "default": []},
            "path": {"type": "path", "default": "/var/lib/stratus/record.json"},
        },
        supports_check_mode=True,
    )
    path = module.params["path"]
    try:
        before = read(path)
        after, lacking = ({}, []) if module.params["state"] == "absent" else noted(module, before)
        if after != before and not module.check_mode:
            write(path, after) if after else remove(path)
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"The record {path} of how this host was cannot be used: {error}")
    module.exit_json(changed=after != before, diff={"before": before, "after": after}, record={**PARTS, **after}, missing=lacking)


if __name__ == "__main__":
    main()
