"""The execution environment, the job templates and the playbook that puts them into an AWX, as far as they go without one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.role_play import STUB

ROOT = Path(__file__).resolve().parents[3]
AWX = ROOT / "extensions/awx"
BIN = Path(sys.executable).parent
VERSION = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
TEMPLATES = yaml.safe_load((AWX / "templates.yml").read_text())["awx_templates"]
MODULES = next(BIN.parent.glob("lib/python*/site-packages/ansible_collections/awx/awx/plugins/modules"), None)
GIVEN = {
    "awx_organization": "Default",
    "awx_project": "cloud",
    "awx_inventory": "rack",
    "awx_credentials": "key,vault",
    "awx_state_dir": "/srv/stratus",
}


def test_the_images_context_has_a_python_before_pip_and_the_collection(tmp_path):
    """As docs/automation.md has it, but for the building itself, which needs podman and registries."""
    if not (BIN / "ansible-builder").exists():
        pytest.skip("ansible-builder is not installed here (make venv)")
    shutil.copytree(AWX, tmp_path / "extensions/awx")
    tarball = f"stratus-cloud-{VERSION}.tar.gz"
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / tarball).touch()
    done = subprocess.run(
        [BIN / "ansible-builder", "create", "--file", "extensions/awx/execution-environment.yml", "--context", "build/ee"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    [recipe] = (tmp_path / "build/ee").glob("*file")
    steps = recipe.read_text()
    assert steps.index("RUN $PKGMGR install $PYPKG -y") < steps.index("RUN /output/scripts/pip_install $PYCMD")
    # ansible-core 2.17 runs on Python up to 3.12, 2.21 from 3.12 on.
    assert 'ARG PYPKG="python3.12"' in steps and 'ARG PYCMD="/usr/bin/python3.12"' in steps
    assert (tmp_path / "build/ee/_build" / tarball).exists()
    wanted = yaml.safe_load((tmp_path / "build/ee/_build/requirements.yml").read_text())
    assert wanted == {"collections": [{"name": tarball, "type": "file"}]}


def test_the_image_has_one_name():
    """The docs build it, the head of its definition does, and configure.yml asks AWX for it."""
    texts = [ROOT / "docs/automation.md", AWX / "execution-environment.yml", AWX / "configure.yml"]
    assert {tuple(set(re.findall(r"\bstratus-cloud:[\w.]+", path.read_text()))) for path in texts} == {(f"stratus-cloud:{VERSION}",)}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template["name"])
def test_template(template):
    playbook = ROOT / template["playbook"]
    assert playbook.is_file()
    asked = {question["variable"] for question in template.get("survey", [])}
    texts = "".join(path.read_text() for path in [playbook, *(ROOT / "roles").rglob("defaults/main.yml")])
    assert not [name for name in asked if not re.search(rf"\b{name}\b", texts)], "nobody reads what the survey asks"
    # A job has nobody to ask.
    assert ("confirm" in asked) == (template["name"].removeprefix("stratus ") in ("remove-node", "rebalance", "teardown"))


def test_the_certificates_are_looked_at_every_week():
    [rule] = [template["schedule"] for template in TEMPLATES if "schedule" in template]
    assert re.fullmatch(r"DTSTART:\d{8}T\d{6}Z RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=\w\w", rule)
    assert "stratus certs" in [template["name"] for template in TEMPLATES if "schedule" in template]


def configure(folder: Path, **given):
    """configure.yml with modules that note what they are asked for: (process, the notes)."""
    modules = folder / "collections/ansible_collections/awx/awx/plugins/modules"
    modules.mkdir(parents=True)
    for name in ("execution_environment", "job_template", "schedule"):
        (modules / f"{name}.py").write_text(STUB.replace("@NAME@", name).replace("@FOLDER@", str(folder)))
    (folder / "answers.json").write_text("{}")
    (folder / "asked.jsonl").touch()
    (folder / "ansible.cfg").touch()
    done = subprocess.run(
        [BIN / "ansible-playbook", AWX / "configure.yml", "-e", json.dumps(given)],
        cwd=folder, capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_CONFIG": f"{folder}/ansible.cfg", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_COLLECTIONS_PATH": f"{folder}/collections"},
    )  # fmt: skip
    return done, [json.loads(line) for line in (folder / "asked.jsonl").read_text().splitlines()]


def test_every_template_keeps_its_state_where_the_job_does_not_end_it(tmp_path):
    done, asked = configure(tmp_path, **GIVEN)
    assert done.returncode == 0, done.stdout + done.stderr
    templates = [entry for entry in asked if entry["module"] == "job_template"]
    assert [entry["name"] for entry in templates] == [template["name"] for template in TEMPLATES]
    assert {json.dumps(entry["extra_vars"], sort_keys=True) for entry in templates} == {'{"stratus_lock_force": true, "stratus_state_dir": "/srv/stratus"}'}
    [schedule] = [entry for entry in asked if entry["module"] == "schedule"]
    assert schedule["unified_job_template"] == "stratus certs" and "FREQ=WEEKLY" in schedule["rrule"]
    for entry in asked:
        # The package ansible brings awx.awx along; ansible-core alone does not.
        if MODULES:
            source = MODULES / f"{entry['module']}.py"
            options = yaml.safe_load(re.search(r"^DOCUMENTATION = '''(.*?)'''", source.read_text(), re.S | re.M)[1])["options"]
            assert set(entry) - {"module"} <= set(options), f"awx.awx.{entry['module']} knows no such option"


@pytest.mark.parametrize(
    ("state_dir", "says"),
    [(None, "awx_state_dir is not set: give it with -e awx_state_dir"), ("~/.stratus", "awx_state_dir is ~/.stratus: give an absolute path")],
)
def test_without_a_place_for_the_state_nothing_is_set_up(tmp_path, state_dir, says):
    done, asked = configure(tmp_path, **{key: value for key, value in {**GIVEN, "awx_state_dir": state_dir}.items() if value})
    assert done.returncode != 0 and says in done.stdout and asked == []
