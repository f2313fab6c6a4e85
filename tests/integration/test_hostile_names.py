"""Names and texts that somebody else wrote: shown as they are, never executed, never a template, nothing for the terminal to obey.

A region's descriptions and messages, a unit's status, a bundle's values; through ansible-playbook with the collection's own callback, read back in the lab.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.juju_lab import JujuLabThread
from tests.support.lab import MaasLab

ROOT = Path(__file__).parents[2]
# What would be made of it if anything made something of it: a product, a file, another colour, a line of its own.
TEXTS = {
    "template": "{{ 7331 * 1009 }}{{ lookup('ansible.builtin.pipe', 'touch CANARY') }}",
    "block": "{% for n in [1] %}{{ lookup('ansible.builtin.pipe', 'touch CANARY') }}{% endfor %}",
    "shell": "'; touch CANARY; $(touch CANARY) `touch CANARY` \" '",
    "terminal": "\x1b[2Jred\x1b[31m\x07end",
    "lines": "first\nok: [localhost]\r\nlast",
    "yaml": "!unsafe &a {b: [*a, '",
}


@pytest.fixture(params=TEXTS)
def text(request, tmp_path):
    return TEXTS[request.param].replace("CANARY", str(tmp_path / "canary"))


def play(folder: Path, tasks: list[dict], **variables) -> subprocess.CompletedProcess:
    """The tasks as a playbook. What is hostile comes from the lab alone, or from a file that a task reads."""
    book = folder / "book.yml"
    book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], sort_keys=False))
    settings = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PYTHON_INTERPRETER": str(ROOT / ".venv/bin/python"), "ANSIBLE_CALLBACKS_ENABLED": "stratus.cloud.progress",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    }  # fmt: skip
    argv = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", "localhost,", "-c", "local", str(book), "-e", json.dumps(variables), "--diff"]
    done = subprocess.run(argv, cwd=folder, env={**os.environ, **settings}, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
    printed = done.stdout + done.stderr
    assert not (folder / "canary").exists(), "it was executed"
    bad = [line for line in printed.splitlines() if any(ord(char) < 32 and char != "\t" for char in line)]
    assert not bad, f"the terminal is told something: {bad!r}"
    assert str(7331 * 1009) not in printed, "it was a template"
    return done


def kept(folder: Path, what: str) -> dict:
    """A task that writes a value down as it is; the value is read in the test."""
    return {"ansible.builtin.copy": {"content": "{{ " + what + " | to_json }}", "dest": str(folder / "kept.json"), "mode": "0600"}}


def said(folder: Path):
    return json.loads((folder / "kept.json").read_text())


def connection(lab) -> dict:
    return {"endpoint": lab.endpoint, "username": lab.username, "password": lab.password, "ca_cert": lab.ca_cert, "model": "openstack"}


def test_a_units_message(text, tmp_path):
    with JujuLabThread(speed=0) as lab:
        model = lab.call(lab.model, "openstack")
        glance = {"charm": "glance", "channel": "2023.1/stable", "base": "ubuntu@22.04", "num_units": 1, "to": ["0"]}
        lab.call(lab.deploy, model, yaml.safe_dump({"machines": {"0": {}}, "applications": {"glance": glance}}))
        lab.call(lab.settle)
        lab.call(model["units"]["glance/0"]["workload"].update, {"status": "blocked", "message": text})
        wait = {**connection(lab), "wait_timeout": 1, "wait_interval": 0.2}
        done = play(tmp_path, [
            {"name": "Wait", "stratus.cloud.juju_wait": wait, "register": "waited", "ignore_errors": True},
            {"name": "Show", "ansible.builtin.debug": {"msg": "{{ waited.msg }}"}},
            {"name": "Make a fact of it", "ansible.builtin.set_fact": {"again": "{{ waited.held_up_by['glance/0'] }}"}},
            {"name": "Show the fact", "ansible.builtin.debug": {"var": "again"}},
            {"name": "Keep it", **kept(tmp_path, "again")},
        ])  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "glance/0" in done.stdout
    words = [word for word in re.split(r"[^ -~]+", text) if word.strip()]
    assert words and all(word in said(tmp_path) for word in words), "the message itself is there to be read"


def test_a_bundles_values(text, tmp_path):
    keystone = {"charm": "keystone", "channel": "2023.1/stable", "base": "ubuntu@22.04", "num_units": 1, "to": ["0"], "options": {"region": text}}
    bundle = tmp_path / "bundle.yaml"
    bundle.write_text(yaml.safe_dump({"machines": {"0": {}}, "applications": {"keystone": keystone}}))
    with JujuLabThread(speed=0) as lab:
        model = lab.call(lab.model, "openstack")
        apply = {**connection(lab), "bundle": "{{ file | stratus.cloud.bundle_load }}"}
        done = play(tmp_path, [
            {"name": "Look", "stratus.cloud.juju_bundle": apply, "check_mode": True},
            {"name": "Apply it", "stratus.cloud.juju_bundle": apply},
            {"name": "Again", "stratus.cloud.juju_bundle": apply, "register": "again", "failed_when": "again is changed"},
            {"name": "Make a fact of it", "ansible.builtin.set_fact": {"loaded": "{{ file | stratus.cloud.bundle_load }}"}},
            {"name": "Keep it", **kept(tmp_path, "loaded.applications.keystone.options.region")},
        ], file=str(bundle))  # fmt: skip
        options = lab.call(lambda: model["applications"]["keystone"]["config"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert options["region"] == text == said(tmp_path)


def test_a_regions_texts(text, tmp_path):
    (tmp_path / "given.txt").write_text(text, newline="")
    with MaasLab(speed=0) as lab:
        settings = {"maas_url": lab.url, "maas_api_key": lab.api_key}
        zone = {**settings, "name": "north", "description": "{{ file.content | b64decode }}"}
        done = play(tmp_path, [
            {"name": "Read it", "ansible.builtin.slurp": {"src": str(tmp_path / "given.txt")}, "register": "file"},
            {"name": "Make a zone", "stratus.cloud.maas_zone": zone},
            {"name": "Again", "stratus.cloud.maas_zone": zone, "register": "again", "failed_when": "again is changed"},
            {"name": "Read the zones", "stratus.cloud.maas_zone_info": settings, "register": "zones"},
            {"name": "Show", "ansible.builtin.debug": {"var": "zones"}},
            {"name": "Make a fact of it", "ansible.builtin.set_fact": {"again": "{{ (zones.zones | selectattr('name', 'eq', 'north') | first).description }}"}},
            {"name": "Keep it", **kept(tmp_path, "again")},
        ])  # fmt: skip
        stored = lab.call(lambda: [row["description"] for row in lab.world.maas.state["tables"]["zones"].values() if row["name"] == "north"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert stored == [said(tmp_path)]
