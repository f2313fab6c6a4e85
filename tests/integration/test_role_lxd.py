"""What the role lxd asks of LXD's API, and that check mode counts it: a script stands for LXD's command, and writes down what it is asked for."""

from __future__ import annotations

import json
import sys

import pytest

from tests.support.role_play import RolePlay, told

LXC = """#!{python}
import json, sys
words = sys.argv[1:]
answers = json.load(open("{folder}/lxd.json"))
if words[:-1] == ["query"]:
    print(json.dumps(answers.get(words[-1], [])))
else:
    open("{folder}/written", "a").write(" ".join(words) + "\\n")
"""
EMPTY = {"/1.0": {"config": {}}, "/1.0/projects": ["/1.0/projects/default"]}
OURS = {
    "/1.0": {"config": {"core.https_address": "[::]:8443"}},
    "/1.0/projects": ["/1.0/projects/default", "/1.0/projects/tst-project"],
    "/1.0/storage-pools": ["/1.0/storage-pools/default"],
    "/1.0/certificates?recursion=1": [{"name": "maas@lxd-controller", "fingerprint": "abc"}, {"name": "maas@another", "fingerprint": "def"}],
}
BEFORE = {"certificate": "absent", "https_address": "", "project": "absent", "pool": "absent"}


class Lxd(RolePlay):
    role = "lxd"
    stubbed = ("host_record",)

    def __init__(self, folder):
        super().__init__(folder)
        (folder / "lxc").write_text(LXC.format(python=sys.executable, folder=folder))
        (folder / "lxc").chmod(0o755)
        self.answers["host_record"] = {"record": {"snaps": [], "packages": [], "kept": {"lxd": BEFORE}}}

    def run(self, entry, knows, *arguments):
        """(how many tasks changed something, what LXD was asked to change)"""
        written = self.folder / "written"
        written.write_text("")
        (self.folder / "lxd.json").write_text(json.dumps(knows))
        given = {"ansible_become": False, "lxd_api_host": "here", "__lxd_bin": str(self.folder), "__lxd_noted": self.answers["host_record"]}
        done, changed, _asked = self.play(entry, arguments=arguments, **given)
        assert done.returncode == 0, told(done)
        return changed, written.read_text().splitlines()


@pytest.mark.parametrize(("entry", "knows", "tasks", "words"), [
    ("init", EMPTY, 1, ["PATCH", "/1.0/storage-pools", "/1.0/projects"]),
    ("init", OURS, 0, []),
    ("teardown_settings", OURS, 3, ["/1.0/certificates/abc", "config set core.https_address", "/1.0/projects/tst-project", "/1.0/storage-pools/default"]),
    ("teardown_settings", EMPTY, 0, []),
])  # fmt: skip
def test_check_mode_counts_what_a_run_would_have_lxd_change(tmp_path, entry, knows, tasks, words):
    site = Lxd(tmp_path)
    assert site.run(entry, knows, "--check") == (tasks, [])
    changed, written = site.run(entry, knows)
    assert changed == tasks and len(written) == len(words)
    assert all(word in line for word, line in zip(words, written, strict=True))


def test_check_mode_counts_the_certificate_that_lxd_does_not_trust_yet(tmp_path):
    site = Lxd(tmp_path)
    _changed, written = site.run("certificate", EMPTY)
    assert len(written) == 1 and "/1.0/certificates" in written[0]
    assert site.run("certificate", EMPTY, "--check") == (1, [])
