"""show: lines for people as they are, for programs in the result only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
TEXT = "The cloud is ready.\n\nTry it   openstack --os-cloud 'a b' token issue # a line that is longer than eighty characters, to be copied as it is"


def play(tmp_path, callback):
    tasks = [{"name": "Show", "stratus.cloud.show": {"text": TEXT}}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"name": "Show", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_STDOUT_CALLBACK": callback}
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(tmp_path / "play.yml")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_people_see_the_lines_as_they_are(tmp_path):
    assert f"\n{TEXT}\n" in play(tmp_path, "ansible.builtin.default")


def test_programs_find_them_in_the_result(tmp_path):
    answer = json.loads(play(tmp_path, "ansible.posix.json"))
    assert answer["plays"][0]["tasks"][0]["hosts"]["localhost"]["lines"] == TEXT.splitlines()
