"""The modules as Ansible runs them, with a cloud of dictionaries behind the client: answers, faults as sentences, no secrets."""

from __future__ import annotations

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.nova import module as nova

from tests.support.run_module import run_module

from .fake import FakeCloud


@pytest.fixture
def cloud(monkeypatch):
    made = FakeCloud("c0", "c1")
    made.close = lambda: None
    # Fake time is for the waits; here they must end by themselves at once.
    made.behave = dict.fromkeys("abcd", {"seconds": 0})
    monkeypatch.setattr(nova, "Client", lambda options, read_only=False: made)
    return made


def test_nova_compute_service(cloud, tmp_path):
    done = run_module("nova_compute_service", {"hosts": "c1", "state": "disabled", "disabled_reason": "a fan"}, tmp_path)
    assert (done["changed"], done["services"][0]["status"]) == (True, "disabled")
    assert not run_module("nova_compute_service", {"hosts": "c1", "state": "disabled"}, tmp_path)["changed"]
    assert run_module("nova_compute_service", {"hosts": "c1"}, tmp_path).failed
    answer = run_module("nova_compute_service", {"hosts": "c9", "state": "disabled", "wait": False}, tmp_path)
    assert answer["msg"] == "There is no compute service on a host c9; there are c0, c1"
    assert answer["missing"] == ["c9"]


def test_nova_compute_service_info(cloud, tmp_path):
    cloud.add("a", "c0", vcpus=8)
    found = run_module("nova_compute_service_info", {}, tmp_path, check=True)
    assert [(one["host"], one["load"]) for one in found["services"]] == [("c0", 50.0), ("c1", 0.0)]


def test_nova_live_migration(cloud, tmp_path):
    cloud.add("a", "c0")
    told = run_module("nova_live_migration", {"from_host": "c0"}, tmp_path, check=True)
    assert (told["changed"], told["plan"][0]["to"], cloud.writes) == (True, "c1", [])
    done = run_module("nova_live_migration", {"from_host": "c0", "wait_interval": 0.01}, tmp_path)
    assert (done["changed"], done["migrations"][0]["state"]) == (True, "completed")
    assert not run_module("nova_live_migration", {"from_host": "c0"}, tmp_path)["changed"]


def test_nova_rebalance(cloud, tmp_path):
    for name in "abcd":
        cloud.add(name, "c0", vcpus=4)
    told = run_module("nova_rebalance", {}, tmp_path, check=True)
    assert told["diff"]["before"]["hosts"]["c0"].startswith("100.0 % (VCPU 16/16")
    assert told["diff"]["after"]["moves"] == ["1. a: c0 -> c1", "2. b: c0 -> c1"]
    assert cloud.writes == []
    done = run_module("nova_rebalance", {"wait_interval": 0.01}, tmp_path)
    assert [one["state"] for one in done["migrations"]] == ["completed", "completed"]
    assert sorted(cloud.host_of(name) for name in "abcd") == ["c0", "c0", "c1", "c1"]
    assert not run_module("nova_rebalance", {}, tmp_path)["changed"]


def test_a_cloud_that_is_not_known_is_a_sentence(tmp_path):
    (tmp_path / "clouds.yaml").write_text("clouds: {}\n")
    options = {"cloud": "nowhere", "clouds_file": str(tmp_path / "clouds.yaml")}
    answer = run_module("nova_compute_service_info", options, tmp_path)
    assert answer.failed
    assert "Cloud nowhere was not found" in answer["msg"]
    answer = run_module("nova_compute_service_info", {**options, "clouds_file": str(tmp_path / "none.yaml")}, tmp_path)
    assert "There is no file" in answer["msg"]


@pytest.mark.parametrize(
    "how",
    [
        {"auth": {"auth_url": "http://127.0.0.1:9/v3", "username": "u", "password": "hush-hush", "project_name": "p"}},
        {"cloud": {"auth": {"auth_url": "http://127.0.0.1:9/v3", "username": "u", "password": "hush-hush", "project_name": "p"}}},
    ],
)
def test_no_answer_is_a_sentence_without_the_password(how, tmp_path, monkeypatch):
    monkeypatch.setattr("ansible_collections.stratus.cloud.plugins.module_utils.nova.client.RETRY_FOR", 0.0)
    answer = run_module("nova_compute_service_info", how, tmp_path)
    assert answer.failed
    assert answer["msg"].startswith("Cannot read the compute services")
    assert "hush-hush" not in answer.text
