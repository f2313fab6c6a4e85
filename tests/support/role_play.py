"""Plays the entry points of a role, in a copy of the collection in which some modules answer from a script instead of a server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]

# Stands for a module that speaks to a server: notes what it is asked for, and answers from a file.
STUB = """
import json, os, sys
from ansible.module_utils.basic import AnsibleModule, _load_params
import ansible.module_utils.basic as basic

basic._ANSIBLE_ARGS = basic._ANSIBLE_ARGS or None
given = _load_params()
options = {key: {"type": "raw"} for key in given if not key.startswith("_ansible")}
module = AnsibleModule(argument_spec=options, supports_check_mode=True)
folder = "@FOLDER@"
with open(os.path.join(folder, "asked.jsonl"), "a") as stream:
    stream.write(json.dumps({"module": "@NAME@", **{key: module.params[key] for key in options}}) + "\\n")
with open(os.path.join(folder, "answers.json")) as stream:
    answers = json.load(stream)
if answers.get("@NAME@:" + str(module.params.get("action"))) == "fail":
    module.fail_json(msg="no such action")
answer = answers.get("@NAME@:" + str(module.params.get("action")), answers.get("@NAME@", {}))
if isinstance(answer, list):
    answer = next((said for asked, said in answer if all(module.params.get(key) == value for key, value in asked.items())), {})
wanted = module.params.get("machines")
if "@NAME@" == "maas_machine_info" and wanted is not None:
    answer = {**answer, "machines": [row for row in answer["machines"] if {row["hostname"], row["system_id"]} & set(wanted)]}
module.exit_json(**{"changed": False, **answer})
"""


class RolePlay:
    """``answers``: {module or module:action: its answer, or [(options, answer)] of which the first that fits counts}, for the ``stubbed`` modules."""

    role = ""
    stubbed: tuple[str, ...] = ()
    hosts = "[controller]\nhere ansible_connection=local\n"

    def __init__(self, folder: Path):
        self.folder = folder
        self.out = folder / "out"
        self.answers: dict[str, Any] = {}
        collection = folder / "collections/ansible_collections/stratus/cloud"
        for part in ("plugins", "roles", "meta", "bundles"):
            shutil.copytree(ROOT / part, collection / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "galaxy.yml", collection)
        for name in self.stubbed:
            (collection / f"plugins/modules/{name}.py").write_text(STUB.replace("@NAME@", name).replace("@FOLDER@", str(folder)))
            (collection / f"plugins/action/{name}.py").unlink(missing_ok=True)
        (folder / "ansible.cfg").write_text("")
        (folder / "hosts").write_text(self.hosts)

    def play(self, *entry_points, arguments=(), first=(), then=(), **variables):
        """Run entry points of the role, and tasks before and after them: (process, sum of changes, what the stubbed modules were asked for)."""
        (self.folder / "answers.json").write_text(json.dumps(self.answers))
        (self.folder / "asked.jsonl").write_text("")
        role = f"stratus.cloud.{self.role}"
        tasks = [{"name": entry, "ansible.builtin.include_role": {"name": role, "tasks_from": entry}} for entry in entry_points]
        play = [{"name": "Role", "hosts": "controller", "gather_facts": False, "tasks": [*first, *tasks, *then]}]
        (self.folder / "play.yml").write_text(yaml.safe_dump(play))
        variables = {
            "ansible_python_interpreter": sys.executable,
            "stratus_cloud_name": "trial",
            "stratus_state_dir": str(self.out),
            "maas_url": "http://127.0.0.1/MAAS",
            "maas_api_key": "a:b:c",
            "juju_connection": {"endpoint": ["127.0.0.1:17070"], "username": "admin", "password": "p", "ca_cert": "c"},
            **variables,
        }
        # An ellipsis takes a variable away.
        variables = {name: value for name, value in variables.items() if value is not ...}
        done = subprocess.run(
            [
                str(Path(sys.executable).parent / "ansible-playbook"),
                "-i",
                str(self.folder / "hosts"),
                "-e",
                json.dumps(variables),
                *arguments,
                str(self.folder / "play.yml"),
            ],
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=240,
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_COLLECTIONS_PATH": f"{self.folder}/collections:{ROOT}/.venv/collections",
            },
        )
        asked = [json.loads(line) for line in (self.folder / "asked.jsonl").read_text().splitlines()]
        changed = int((done.stdout.rpartition("changed=")[2].split() or ["-1"])[0])
        return done, changed, asked


def told(done):
    return done.stdout + done.stderr
