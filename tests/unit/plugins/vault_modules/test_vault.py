"""Vault: keys that cannot be lost. The run is killed at every step, and the next one must know what happened."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.vault import client, steps
from ansible_collections.stratus.cloud.plugins.module_utils.vault import keys as keyfiles
from ansible_collections.stratus.cloud.plugins.module_utils.vault.errors import Unreachable, VaultFault

from tests.support.run_module import run_module


class Vault:
    """A unit of Vault that can lose answers."""

    address = "http://127.0.0.1:8200"

    def __init__(self):
        self.made, self.sealed_, self.given, self.lose = None, True, [], None
        # (words of a refusal, whether Vault is initialised all the same)
        self.refuse = None
        self.asked = []

    def initialized(self):
        return self.made is not None

    def initialize(self, shares, threshold):
        self.asked.append((shares, threshold))
        if self.lose == "request":
            raise Unreachable("no answer")
        assert self.made is None, "initialised twice"
        self.made = {"keys": [f"{number:02x}" * 33 for number in range(1, shares + 1)], "root_token": "hvs.root", "n": shares, "t": threshold}
        if self.lose == "answer":
            raise Unreachable("no answer")
        if self.refuse:
            words, done = self.refuse
            self.made = self.made if done else None
            raise VaultFault(f"Vault at {self.address} refuses (initialisation): {words}")
        return {"keys": self.made["keys"], "root_token": self.made["root_token"]}

    def seal(self):
        made = self.made or {"n": 0, "t": 0}
        about = {"sealed": self.sealed_, "initialized": self.initialized(), "threshold": made["t"], "shares": made["n"]}
        return {**about, "progress": len(self.given), "version": "1.8"}

    def forget_progress(self):
        self.given.clear()

    def unseal(self, key):
        self.given.append(key)
        content = keyfiles.content(self.made, 0, 0, "")
        if len(set(self.given)) >= self.made["t"]:
            self.sealed_ = not set(self.given) <= {*content["keys_base64"], *content["keys"]}
            self.given.clear()
        return self.sealed_


class Killed(BaseException):
    pass


@pytest.fixture
def kept(tmp_path):
    return keyfiles.KeysFile(str(tmp_path / "private" / "keys.json"))


def mode(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


def beside(kept):
    return sorted(path.name for path in Path(kept.path).parent.iterdir())


def secrets(vault):
    return [*vault.made["keys"], vault.made["root_token"]]


def test_once_for_ever(kept):
    vault = Vault()
    assert steps.initialize(vault, kept, 5, 3, check_mode=True)["changed"] and not Path(kept.path).parent.exists()
    answer = steps.initialize(vault, kept, 5, 3)
    assert answer == {"changed": True, "initialized": True, "recovered": False}
    assert kept.read()["root_token"] == "hvs.root" and len(kept.read()["keys_base64"]) == 5
    assert mode(kept.path) == 0o600 and mode(Path(kept.path).parent) == 0o700
    assert beside(kept) == ["keys.json"]
    assert not steps.initialize(vault, kept, 5, 3)["changed"] and len(vault.asked) == 1


def calls_of_a_run(tmp_path, monkeypatch):
    """Every system call of a run that touches files, in order."""
    made = []
    for name in ("open", "write", "fsync", "close", "ftruncate", "replace", "unlink", "makedirs"):
        real = getattr(os, name)

        def spy(*arguments, __name=name, __real=real, **more):
            made.append(__name)
            return __real(*arguments, **more)

        monkeypatch.setattr(keyfiles.os, name, spy)
    steps.initialize(Vault(), keyfiles.KeysFile(str(tmp_path / "count" / "keys.json")), 1, 1)
    monkeypatch.undo()
    return made


def test_killed_at_every_step(tmp_path, monkeypatch):
    total = len(calls_of_a_run(tmp_path, monkeypatch))
    assert total > 10
    outcomes = set()
    for number in range(total):
        vault, kept = Vault(), keyfiles.KeysFile(str(tmp_path / f"run{number}" / "keys.json"))
        count = [0]
        for name in ("open", "write", "fsync", "close", "ftruncate", "replace", "unlink", "makedirs"):
            real = getattr(os, name)

            def killed(*arguments, __real=real, __count=count, __number=number, **more):
                if __count[0] == __number:
                    raise Killed
                __count[0] += 1
                return __real(*arguments, **more)

            monkeypatch.setattr(keyfiles.os, name, killed)
        with pytest.raises(Killed):
            steps.initialize(vault, kept, 1, 1)
        monkeypatch.undo()
        # The next run either goes on, or knows that the keys are lost and says so. It never asks Vault a second time.
        try:
            steps.initialize(vault, kept, 1, 1)
            assert kept.read()["root_token"] == vault.made["root_token"]
            assert beside(kept) == ["keys.json"]
            outcomes.add("kept")
        except VaultFault as error:
            assert "shown once and are lost" in str(error) and vault.initialized() and not kept.exists()
            assert not [secret for secret in secrets(vault) if secret in str(error)]
            outcomes.add("lost")
        assert len(vault.asked) <= 1 or not vault.initialized() or len(vault.asked) == 1
    assert outcomes == {"kept", "lost"}


def test_keys_that_were_written_and_not_put_in_place(kept):
    """The file of a run that ended before the rename may be the only one: check mode knows it, and no password is no loss."""
    vault = Vault()
    kept.password = "pass phrase"
    steps.initialize(vault, kept, 1, 1)
    Path(kept.path).rename(kept.new)
    Path(kept.marker).write_text("{}")
    assert steps.initialize(vault, kept, 1, 1, check_mode=True) == {"changed": True, "initialized": True, "recovered": True}
    assert not kept.exists()
    for wrong in (None, "other"):
        kept.password = wrong
        with pytest.raises(VaultFault, match="password"):
            steps.initialize(vault, kept, 1, 1)
    # Nor are they overwritten by those of another Vault.
    kept.password = "pass phrase"
    with pytest.raises(VaultFault, match="holds the keys of another one"):
        steps.initialize(Vault(), kept, 1, 1)
    assert steps.initialize(vault, kept, 1, 1)["recovered"] and kept.read()["root_token"] == vault.made["root_token"]


SINK = """#!/bin/sh
# Stands for a safe: takes what it is given, when it is open.
test -e "$1/open" || { cat; exit 3; }
cat > "$1/taken"
"""


def test_a_command_gets_the_keys_until_it_has_taken_them(tmp_path, monkeypatch):
    vault = Vault()
    monkeypatch.setattr(client, "unit", lambda options: vault)
    command = tmp_path / "sink"
    command.write_text(SINK)
    command.chmod(0o755)
    keys = tmp_path / "private" / "keys.json"
    options = {"vault_addr": vault.address, "keys_file": str(keys), "sink_command": [str(command), str(tmp_path)], "key_shares": 1, "key_threshold": 1}
    first = run_module("vault_init", options, tmp_path)
    assert first.failed and "did not take them" in first["msg"] and keys.exists()
    assert run_module("vault_init", options, tmp_path, check=True)["changed"]
    (tmp_path / "open").touch()
    # A run that was killed before the command looks the same to the next one.
    second = run_module("vault_init", options, tmp_path)
    assert second["changed"] and second["diff"]["before"]["initialized"]
    assert json.loads((tmp_path / "taken").read_text()) == json.loads(keys.read_text())
    assert not run_module("vault_init", options, tmp_path)["changed"] and len(vault.asked) == 1
    assert sorted(path.name for path in keys.parent.iterdir()) == ["keys.json"]
    for answer in (first, second):
        assert not [secret for secret in secrets(vault) if secret in answer.text]


def test_an_answer_that_was_lost_is_explained(kept):
    vault = Vault()
    vault.lose = "answer"
    with pytest.raises(VaultFault, match="its keys were shown once and are lost"):
        steps.initialize(vault, kept, 1, 1)
    vault.lose = None
    with pytest.raises(VaultFault, match="by a run that ended between the request and the writing"):
        steps.initialize(vault, kept, 1, 1)


def test_a_refusal_after_the_deed_is_not_called_somebody_elses(kept):
    """Vault stores its keys' own key first; what it does then may fail, and the answer is a refusal without keys."""
    vault = Vault()
    vault.refuse = "post-unseal setup failed", True
    with pytest.raises(VaultFault, match=r"post-unseal setup failed\. .*its keys were shown once and are lost"):
        steps.initialize(vault, kept, 1, 1)
    with pytest.raises(VaultFault, match="its keys were shown once and are lost"):
        steps.initialize(vault, kept, 1, 1)
    assert len(vault.asked) == 1


def test_a_refusal_of_which_nobody_knows_what_it_did_keeps_the_marker(kept, monkeypatch):
    vault = Vault()
    vault.refuse = "internal error", True
    answers = iter([False, Unreachable("no answer")])

    def initialized():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(vault, "initialized", initialized)
    with pytest.raises(Unreachable):
        steps.initialize(vault, kept, 1, 1)
    assert kept.intended() is not None
    monkeypatch.undo()
    with pytest.raises(VaultFault, match="its keys were shown once and are lost"):
        steps.initialize(vault, kept, 1, 1)


def test_a_refusal_before_the_deed_leaves_no_marker(kept):
    vault = Vault()
    vault.refuse = "permission denied", False
    with pytest.raises(VaultFault, match="permission denied$"):
        steps.initialize(vault, kept, 1, 1)
    assert kept.intended() is None
    # Somebody else came between the look and the request: these are his keys.
    vault.refuse = "Vault is already initialized", True
    with pytest.raises(VaultFault, match="already initialized$"):
        steps.initialize(vault, kept, 1, 1)
    assert kept.intended() is None
    with pytest.raises(VaultFault, match="somebody else holds its keys"):
        steps.initialize(vault, kept, 1, 1)


def test_a_request_that_was_lost_may_be_sent_again(kept):
    vault = Vault()
    vault.lose = "request"
    with pytest.raises(Unreachable):
        steps.initialize(vault, kept, 1, 1)
    vault.lose = None
    assert steps.initialize(vault, kept, 1, 1)["changed"] and kept.exists()


def test_a_vault_of_somebody_else_and_a_file_of_another_vault(kept):
    vault = Vault()
    vault.initialize(1, 1)
    with pytest.raises(VaultFault, match="somebody else holds its keys"):
        steps.initialize(vault, kept, 1, 1)
    assert not steps.initialize(vault, kept, 1, 1, require_keys=False)["changed"]
    steps.initialize(Vault(), kept, 1, 1)
    before = kept.read()
    with pytest.raises(VaultFault, match="It is never overwritten"):
        steps.initialize(Vault(), kept, 1, 1)
    assert kept.read() == before


def test_a_directory_that_cannot_be_written_is_found_before_vault_is_asked(tmp_path):
    (tmp_path / "file").write_text("")
    vault = Vault()
    with pytest.raises(VaultFault, match="cannot be prepared"):
        steps.initialize(vault, keyfiles.KeysFile(str(tmp_path / "file" / "keys.json")), 1, 1)
    assert not vault.asked


def test_a_disk_that_fills_up_while_vault_answers(kept, tmp_path, monkeypatch):
    """Room was made before; and should even that fail, the keys go somewhere else and the operator hears where."""
    vault, real, room = Vault(), os.open, []

    def full(path, flags, *more):
        if vault.made and flags & os.O_CREAT and room == []:
            raise OSError(28, "No space left on device")
        return real(path, flags, *more)

    monkeypatch.setattr(keyfiles.os, "open", full)
    steps.initialize(vault, kept, 1, 1)
    assert kept.read()["root_token"] == vault.made["root_token"] and beside(kept) == ["keys.json"]

    other, room[:] = keyfiles.KeysFile(str(tmp_path / "other" / "keys.json")), ["elsewhere"]
    vault.made = None
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr(keyfiles.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(keyfiles.os, "replace", lambda *paths: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(VaultFault, match="the keys are in .*/vault-keys-.*json. Move them to") as error:
        steps.initialize(vault, other, 1, 1)
    (refuge,) = tmp_path.glob("vault-keys-*.json")
    assert str(refuge) in str(error.value) and mode(refuge) == 0o600
    assert json.loads(refuge.read_text())["root_token"] == vault.made["root_token"]
    assert not [secret for secret in secrets(vault) if secret in str(error.value)]


@pytest.mark.parametrize(("shares", "threshold"), [(5, 1), (3, 4), (1, 0)])
def test_thresholds_that_vault_does_not_take(kept, shares, threshold):
    with pytest.raises(VaultFault, match="is not a threshold"):
        steps.initialize(Vault(), kept, shares, threshold)


def test_loose_permissions_are_tightened(kept):
    vault = Vault()
    steps.initialize(vault, kept, 1, 1)
    Path(kept.path).chmod(0o644)
    assert steps.initialize(vault, kept, 1, 1)["changed"]
    assert mode(kept.path) == 0o600


def test_an_encrypted_file_opens_with_ansible_vault(kept):
    from ansible.parsing.vault import VaultLib, VaultSecret

    kept.password = "pass phrase"
    steps.initialize(Vault(), kept, 3, 2)
    text = Path(kept.path).read_text()
    assert text.startswith("$ANSIBLE_VAULT;1.1;AES256\n") and "hvs.root" not in text
    opened = VaultLib([("default", VaultSecret(b"pass phrase"))]).decrypt(text)
    assert json.loads(opened)["root_token"] == kept.read()["root_token"] == "hvs.root"
    kept.password = "wrong"
    with pytest.raises(VaultFault, match="cannot be decrypted"):
        kept.read()
    kept.password = None
    with pytest.raises(VaultFault, match="its password is needed"):
        kept.read()
    # And what ansible-vault encrypts, this opens.
    made = VaultLib([("default", VaultSecret(b"pass phrase"))]).encrypt("secret", VaultSecret(b"pass phrase"))
    assert keyfiles.decrypt(made.decode(), "pass phrase") == "secret"


def test_unsealing(kept):
    vault = Vault()
    with pytest.raises(VaultFault, match="is not initialised"):
        steps.unseal(vault, list)
    assert steps.unseal(vault, list, check_mode=True)["changed"]
    steps.initialize(vault, kept, 5, 3)
    given = kept.read()["keys_base64"]
    assert steps.unseal(vault, lambda: given, check_mode=True)["changed"] and vault.sealed_
    vault.given.append("somebody's")
    answer = steps.unseal(vault, lambda: given)
    assert answer["changed"] and not answer["sealed"] and not vault.sealed_
    assert not steps.unseal(vault, lambda: pytest.fail("no keys are needed"))["changed"]


def test_keys_that_do_not_fit(kept):
    vault = Vault()
    steps.initialize(vault, kept, 5, 3)
    with pytest.raises(VaultFault, match="needs 3 keys, and 2 were given"):
        steps.unseal(vault, lambda: ["a", "a", "b"])
    with pytest.raises(VaultFault, match="they are not its keys"):
        steps.unseal(vault, lambda: ["a", "b", "c"])


def test_certificates_are_checked():
    body = "MIIBAA=="
    text = f"  -----BEGIN CERTIFICATE-----\n  {body}\n  -----END CERTIFICATE-----\n"
    assert steps.pem({"output": text}) == f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    for bad in ({}, {"output": ""}, {"output": "Vault is sealed"}, None):
        assert steps.pem(bad) is None
