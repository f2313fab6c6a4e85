"""The event source for ansible-rulebook: what is new, what is remembered, and what happens when the region is away."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from tests.support.lab import MaasLab

SOURCE = Path(__file__).resolve().parents[3] / "extensions/eda/plugins/event_source/maas_machines.py"
spec = importlib.util.spec_from_file_location("maas_machines", SOURCE)
source = importlib.util.module_from_spec(spec)
spec.loader.exec_module(source)


def machine(number: int, status: str = "New") -> dict:
    return {"system_id": f"id{number}", "hostname": f"node{number}", "status": status, "mac_addresses": [f"52:54:00:00:00:0{number}"], "owner": "admin"}


def names(machines: list[dict]) -> list[str]:
    return [machine["hostname"] for machine in machines]


def test_only_what_is_new_is_told_and_only_the_fields_that_are_promised():
    tell, after = source.look({"id1": None}, [machine(3), machine(1), machine(2)], 100, 60, 3)
    assert names(tell) == ["node2", "node3"] and after == {"id1": None}
    assert set(source.event(tell[0])["machine"]) == set(source.FIELDS)


@pytest.mark.parametrize(
    ("status", "since", "times", "again"),
    [
        ("New", 60, 1, True),
        ("Ready", 61, 2, True),
        ("Ready", 59, 1, False),
        ("Ready", 60, 3, False),
        ("Commissioning", 999, 1, False),
        ("Failed commissioning", 999, 1, False),
        ("Deploying", 999, 1, False),
        ("Deployed", 999, 1, False),
    ],
)
def test_what_still_waits_is_told_again_after_a_while_and_not_for_ever(status, since, times, again):
    tell, _after = source.look({"id1": {"told": times, "at": 1000}}, [machine(1, status)], 1000 + since, 60, 3)
    assert names(tell) == (["node1"] if again else [])


def test_what_has_come_to_its_end_is_settled(caplog):
    """A machine that remove-node gave back is Ready as well: it must not come again by itself."""
    pending = {"told": 3, "at": 1000}
    _tell, after = source.look(
        {"id1": pending, "id2": pending, "id3": pending}, [machine(1, "Deployed"), machine(2, "Ready"), machine(3, "Deploying")], 1060, 60, 3
    )
    assert after == {"id1": None, "id2": None, "id3": pending}
    assert "node2 was told 3 times and is still Ready: run add-node.yml" in caplog.text
    assert source.look(after, [machine(1, "Ready"), machine(2, "Ready")], 9999, 60, 3) == ([], after)


def test_telling_counts():
    memory = source.told(source.told({"id2": None}, machine(1), 5), machine(1), 7)
    assert memory == {"id1": {"told": 2, "at": 7}, "id2": None}


def test_memory_is_private_and_says_what_is_wrong_with_it(tmp_path):
    file = tmp_path / "deep" / "seen.json"
    assert source.remembered(file) is None
    memory = {"b": None, "a": {"told": 1, "at": 1764236000.5}}
    source.remember(file, memory)
    assert file.stat().st_mode & 0o077 == 0
    assert source.remembered(file) == memory
    for text in ("{", '{"a": 1}', "[1]", '{"a": {"told": 1}}'):
        file.write_text(text)
        with pytest.raises(ValueError, match="seen.json is no record of machines.*remove it"):
            source.remembered(file)
    # A file where the directory should be: root may write anywhere else.
    with pytest.raises(ValueError, match="cannot be written .*name another file"):
        source.remember(file / "seen.json", memory)


class Source:
    """The source at work against a region, and what it told."""

    def __init__(self, lab: MaasLab, file: Path, **args):
        self.queue: asyncio.Queue = asyncio.Queue()
        self.args = {"maas_url": lab.url, "maas_api_key": lab.api_key, "state_file": str(file), "interval": 0.05, **args}

    async def __aenter__(self):
        self.task = asyncio.create_task(source.main(self.queue, self.args))
        return self

    async def __aexit__(self, *_exception):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def told(self, seconds: float = 10) -> str:
        return (await asyncio.wait_for(self.queue.get(), seconds))["machine"]["hostname"]


async def until(predicate, seconds: float = 10):
    async with asyncio.timeout(seconds):
        while not predicate():
            await asyncio.sleep(0.02)


async def test_a_restart_repeats_nothing_and_misses_nothing(tmp_path):
    file = tmp_path / "seen.json"
    with MaasLab() as lab:
        await asyncio.to_thread(lab.declare, "compute0")
        async with Source(lab, file) as at_work:
            await until(file.exists)
            await asyncio.to_thread(lab.declare, "compute1")
            assert await at_work.told() == "compute1"
            await until(lambda: len(source.remembered(file)) == 2)
        await asyncio.to_thread(lab.declare, "compute2")
        async with Source(lab, file) as at_work:
            assert await at_work.told() == "compute2"
            assert at_work.queue.empty()
        assert not [request for request in lab.requests if request["method"] != "GET"], "the source only reads"


async def test_a_machine_whose_addition_failed_is_told_again_also_after_a_restart(tmp_path):
    file = tmp_path / "seen.json"
    with MaasLab() as lab:
        async with Source(lab, file) as at_work:
            await until(file.exists)
            await asyncio.to_thread(lab.declare, "compute0")
            assert await at_work.told() == "compute0"
            await until(lambda: len(source.remembered(file)) == 1)
        async with Source(lab, file, retry_interval=0.2, tries=3) as at_work:
            assert [await at_work.told(), await at_work.told()] == ["compute0", "compute0"]
            await until(lambda: list(source.remembered(file).values()) == [None])
            assert at_work.queue.empty()


async def test_a_region_that_is_away_is_asked_again(tmp_path):
    with MaasLab() as lab:
        lab.fault("http_error", status=503, times=3)
        async with Source(lab, tmp_path / "seen.json") as at_work:
            await until((tmp_path / "seen.json").exists, 30)
            await asyncio.to_thread(lab.declare, "compute0")
            assert await at_work.told() == "compute0"


async def test_a_key_that_is_refused_ends_it_with_the_reason(tmp_path):
    with MaasLab() as lab:
        wrong = Source(lab, tmp_path / "seen.json", maas_api_key="a:b:c")
        with pytest.raises(Exception, match="(?i)key"):
            await asyncio.wait_for(source.main(wrong.queue, wrong.args), 10)


async def test_a_missing_state_file_is_named():
    with pytest.raises(ValueError, match="state_file"):
        await source.main(asyncio.Queue(), {})


def test_the_collections_beside_the_file_become_importable(monkeypatch):
    monkeypatch.setattr(source.sys, "path", ["/elsewhere"])
    file = "/opt/c/ansible_collections/stratus/cloud/extensions/eda/plugins/event_source/maas_machines.py"
    source.beside(file)
    source.beside(file)
    assert source.sys.path == ["/elsewhere", "/opt/c"]
    source.beside("/somewhere/maas_machines.py")
    assert source.sys.path == ["/elsewhere", "/opt/c"]
