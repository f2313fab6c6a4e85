"""job_wait: an asynchronous task is waited for, with signs of life, and ends as the task ended."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def play(tmp_path):
    def run(command, until=None, **options):
        """``until``: (words, file): the file is made when the words are printed."""
        tasks = [
            {"name": "Start", "ansible.builtin.command": command, "async": 60, "poll": 0, "register": "started", "changed_when": True},
            {"name": "Wait", "stratus.cloud.job_wait": {"jid": "{{ started.ansible_job_id }}", "name": "The sleeper", **options}, "register": "ended"},
            {"name": "Show", "ansible.builtin.debug": {"msg": "said <{{ ended.stdout }}>, {{ ended.changed }}"}},
        ]
        (tmp_path / "play.yml").write_text(yaml.safe_dump([{"name": "Wait", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_ASYNC_DIR": str(tmp_path / "async"),
            "ANSIBLE_NOCOLOR": "1",
        }
        ansible = str(Path(sys.executable).parent / "ansible-playbook")
        argv = [ansible, "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", str(tmp_path / "play.yml")]
        printed = ""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
        with subprocess.Popen(argv, text=True, cwd=ROOT, env=environment, **pipes) as process:
            for line in process.stdout:
                printed += line
                if until and until[0] in line:
                    until[1].touch()
        return subprocess.CompletedProcess(argv, process.returncode, printed, ""), list((tmp_path / "async").glob("j*"))

    return run


def test_it_gives_the_result_of_the_job_and_forgets_it(play, tmp_path):
    enough = tmp_path / "enough"
    done, left = play(f"sh -c 'while ! [ -e {enough} ]; do sleep 0.1; done; echo awake'", until=("The sleeper still runs", enough), heartbeat=0.1)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "said <awake>, False" in done.stdout
    assert "The sleeper still runs" in done.stdout
    assert not left


def test_it_fails_as_the_job_failed(play):
    done, _left = play("sh -c 'echo broken >&2; exit 3'")
    assert done.returncode != 0
    assert re.search(r"The sleeper failed: .*non-zero return code", done.stdout)


def test_its_patience_ends(play):
    done, left = play("sleep 20", wait_timeout=2)
    assert done.returncode != 0
    assert "The sleeper has not ended within 00:02" in done.stdout
    assert left
