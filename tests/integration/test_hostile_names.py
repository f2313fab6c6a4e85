"""Names and texts that somebody else wrote: shown as they are, never executed, never a template, nothing for the terminal to obey.

A region's descriptions, messages, machines and tags, a unit's status, a bundle's values; through ansible-playbook with the collection's own callback, read back
in the lab. What a region or a controller would refuse is put into the lab's world past it: a name is what the other side says it is.
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


# A short run takes what would run something, and what would talk to the terminal.
@pytest.fixture(params=[name if name in ("template", "terminal") else pytest.param(name, marks=pytest.mark.long) for name in TEXTS])
def text(request, tmp_path):
    return TEXTS[request.param].replace("CANARY", str(tmp_path / "canary"))


def play(folder: Path, tasks: list[dict], hosts: str = "localhost", source: str = "localhost,", **variables) -> subprocess.CompletedProcess:
    """The tasks as a playbook. What is hostile comes from the lab alone, or from a file that a task reads."""
    book = folder / "book.yml"
    book.write_text(yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "tasks": tasks}], sort_keys=False))
    settings = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PYTHON_INTERPRETER": str(ROOT / ".venv/bin/python"), "ANSIBLE_CALLBACKS_ENABLED": "stratus.cloud.progress",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
    }  # fmt: skip
    argv = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", source, "-c", "local", str(book), "-e", json.dumps(variables), "--diff"]
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


# The label is one's own: ansible-core prints an item as it is.
EACH = {"ansible.builtin.debug": {"msg": "{{ item }}"}, "loop": "{{ again }}", "loop_control": {"label": "one of them"}}


def said(folder: Path):
    return json.loads((folder / "kept.json").read_text())


def connection(lab) -> dict:
    return {"endpoint": lab.endpoint, "username": lab.username, "password": lab.password, "ca_cert": lab.ca_cert, "model": "openstack"}


def blocked(lab, text: str) -> dict:
    """A model with one unit, whose message is the text."""
    model = lab.call(lab.model, "openstack")
    glance = {"charm": "glance", "channel": "2023.1/stable", "base": "ubuntu@22.04", "num_units": 1, "to": ["0"]}
    lab.call(lab.deploy, model, yaml.safe_dump({"machines": {"0": {}}, "applications": {"glance": glance}}))
    lab.call(lab.settle)
    lab.call(model["units"]["glance/0"]["workload"].update, {"status": "blocked", "message": text})
    return model


def test_a_units_message(text, tmp_path):
    with JujuLabThread(speed=0) as lab:
        blocked(lab, text)
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


def named(lab: MaasLab, text: str) -> str:
    """A machine of a region that has the text for its name, its tag and its description; its system_id."""
    (row,) = lab.declare("compute0")
    lab.call(row.update, {"hostname": text, "tags": [text], "description": text})
    return row["system_id"]


def test_a_machines_name_and_tag(text, tmp_path):
    with MaasLab(speed=0, dhcp=True) as lab:
        settings = {"maas_url": lab.url, "maas_api_key": lab.api_key}
        wait = {**settings, "machines": [named(lab, text)], "status": ["Deployed"], "wait_timeout": 1, "wait_interval": 0.2}
        done = play(tmp_path, [
            {"name": "Read it", "stratus.cloud.maas_machine_info": settings, "register": "found"},
            {"name": "Show", "ansible.builtin.debug": {"var": "found"}},
            {"name": "Wait", "stratus.cloud.maas_machine_wait": wait, "register": "waited", "ignore_errors": True},
            {"name": "Show why", "ansible.builtin.debug": {"msg": "{{ waited.msg }}"}},
            {"name": "Make a fact of it", "ansible.builtin.set_fact": {"again": "{{ [found.machines[0].hostname] + found.machines[0].tags }}"}},
            {"name": "Go through them", **EACH},
            {"name": "Keep it", **kept(tmp_path, "[again, waited is failed, waited.msg]")},
        ])  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    again, failed, message = said(tmp_path)
    assert again == [text, text] and failed
    words = [word for word in re.split(r"[^ -~]+", text) if word.strip()]
    assert all(word in message for word in words), "the name itself is there to be read"


def seen(folder: Path, shown: str, again: str) -> list[dict]:
    """Tasks that show what an inventory made, go through some of it, and keep that."""
    return [
        {"name": "Show", "ansible.builtin.debug": {"var": shown}},
        {"name": "Show groups", "ansible.builtin.debug": {"var": "groups"}},
        {"name": "Make a fact of it", "ansible.builtin.set_fact": {"again": "{{ " + again + " }}"}},
        {"name": "Go through them", **EACH},
        {"name": "Keep it", **kept(folder, "again")},
    ]


def test_the_inventory_of_a_region(text, tmp_path, monkeypatch):
    source = tmp_path / "rack.maas.yml"
    groups = "keyed_groups: [{key: maas_tags, prefix: has}, {key: maas_hostname, prefix: is}]\ngroups: {plain: maas_status == 'New'}\n"
    source.write_text("plugin: stratus.cloud.maas\ncompose: {composed: maas_description}\nstrict: true\n" + groups)
    with MaasLab(speed=0, dhcp=True) as lab:
        named(lab, text)
        monkeypatch.setenv("MAAS_URL", lab.url)
        monkeypatch.setenv("MAAS_API_KEY", lab.api_key)
        tasks = seen(tmp_path, "hostvars[inventory_hostname]", "[maas_hostname, maas_description, composed] + maas_tags")
        done = play(tmp_path, tasks, hosts="plain", source=str(source))
    assert done.returncode == 0, done.stdout + done.stderr
    assert said(tmp_path) == [text] * 4


def test_the_inventory_of_a_controller(text, tmp_path, monkeypatch):
    source = tmp_path / "cloud.juju.yml"
    source.write_text("plugin: stratus.cloud.juju\nmodel: openstack\ncompose: {composed: juju_message}\nkeyed_groups: [{key: juju_message, prefix: says}]\n")
    with JujuLabThread(speed=0) as lab:
        model = blocked(lab, text)
        lab.call(model["machines"]["0"].update, {"hostname": text})
        for name in ("endpoint", "username", "password", "ca_cert"):
            monkeypatch.setenv(f"JUJU_{name.upper()}", getattr(lab, name))
        tasks = seen(tmp_path, "hostvars", "[juju_message, composed, hostvars['machine-0'].juju_hostname]")
        done = play(tmp_path, tasks, hosts="glance", source=str(source))
    assert done.returncode == 0, done.stdout + done.stderr
    assert said(tmp_path) == [text] * 3
