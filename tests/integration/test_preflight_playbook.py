"""The first looks of the verbs, as an operator meets them: no controller, one that does not answer, variables of a wrong shape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PHASES = {"controller", "network", "machines", "orchestrator", "cloud"}
"""Parts of site.yml that are no verbs."""
OTHERS = PHASES | {"init", "unlock"}
VERBS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml") if path.stem not in OTHERS)


def play(folder: Path, verb: str, *arguments: str) -> subprocess.CompletedProcess:
    """Without the checkout's settings: no record of the run is kept."""
    (folder / "ansible.cfg").write_text("")
    return subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), f"playbooks/{verb}.yml", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=240,
        stdin=subprocess.DEVNULL,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"),
            "ANSIBLE_NOCOLOR": "1",
        },
    )


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_begins_with_exactly_one_controller(verb):
    first = yaml.safe_load((ROOT / f"playbooks/{verb}.yml").read_text())[0]
    while "ansible.builtin.import_playbook" in first:
        name = first["ansible.builtin.import_playbook"].removeprefix("stratus.cloud.").removesuffix(".yml")
        first = yaml.safe_load((ROOT / f"playbooks/{name}.yml").read_text())[0]
    assert first["hosts"] == "localhost" and first["gather_facts"] is False
    assert [task["ansible.builtin.import_tasks"] for task in first["tasks"]] == ["tasks/one_controller.yml"]


@pytest.mark.parametrize("verb", ["site", "preflight", "add-node", "verify"])
def test_an_inventory_that_is_not_there_is_no_success(tmp_path, verb):
    done = play(tmp_path, verb, "-i", "/nonexistent")
    said = " ".join(done.stdout.split())
    assert done.returncode != 0 and "has no host, and has to have exactly one" in said and "(/nonexistent)" in said, said


def test_two_controllers_are_one_too_many(tmp_path):
    (tmp_path / "hosts").write_text("[controller]\none ansible_connection=local\ntwo ansible_connection=local\n")
    done = play(tmp_path, "preflight", "-i", str(tmp_path / "hosts"))
    assert done.returncode != 0 and "has one, two, and has to have exactly one" in " ".join(done.stdout.split())
    assert "Know where the controller is" not in done.stdout


def preflight(tmp_path: Path, connection: dict, variables: dict) -> tuple[str, dict[str, dict]]:
    """What preflight prints, and the problems in its report, with a controller that is reached so."""
    controller = {"ansible_python_interpreter": sys.executable, "ansible_become": False, **connection}
    hosts = {"controller": {"hosts": {"controller0": controller}}, "compute": {"hosts": {"compute0": {"mac_addresses": ["52:54:00:10:00:01"]}}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": hosts}}))
    site = {"stratus_state_dir": str(tmp_path / "state"), **variables}
    (tmp_path / "site.json").write_text(json.dumps(site))
    (tmp_path / "group_vars").symlink_to(ROOT / "inventories/example/group_vars")
    report = tmp_path / "found.json"
    done = play(tmp_path, "preflight", "-i", str(tmp_path / "hosts.yml"), "-e", f"@{tmp_path / 'site.json'}", "-e", f"stratus_preflight_report={report}")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and report.exists(), said
    assert not (tmp_path / "state").exists()
    return said, {entry["variable"]: entry for entry in json.loads(report.read_text())["problems"]}


WRONG = {"openstack_bundle_vm_disks": [20], "juju_vm": "big", "maas_compute_bridge": {"nme": "br"}, "lxd_bridge_interface": None}


def test_variables_of_a_wrong_shape_are_told_with_all_the_rest(tmp_path):
    said, problems = preflight(tmp_path, {"ansible_connection": "local"}, WRONG | {"lxd_bridge": "br-of-a-test"})
    assert {"openstack_bundle_vm_disks", "juju_vm", "maas_compute_bridge.nme"} <= {name for name, entry in problems.items() if entry["check"] == "types"}
    # The role lxd has looked: an interface that is empty is what its own remedy asks for.
    assert "no such bridge" in problems["lxd_bridge"]["problem"] and problems["maas_admin_email"]["check"] == "placeholders"
    assert "Error while resolving" not in said and "fatal:" in said and said.count("fatal:") == 1


def test_a_controller_that_does_not_answer_is_one_problem_of_all(tmp_path):
    (tmp_path / "state-is-a-file").touch()
    where = {"stratus_state_dir": str(tmp_path / "state-is-a-file/deeper")}
    _said, problems = preflight(tmp_path, {"ansible_host": "127.0.0.1", "ansible_port": 1}, where | {"maas_gateway_ip": "10.43.0.1"})
    assert {"ansible_host", "maas_gateway_ip", "maas_admin_email", "stratus_state_dir"} <= set(problems)
    assert "cannot be reached" in problems["ansible_host"]["problem"] and problems["ansible_host"]["remedy"]
    assert "state-is-a-file" in problems["stratus_state_dir"]["problem"] and problems["stratus_state_dir"]["check"] == "state"
