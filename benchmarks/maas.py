"""What waiting costs a region, and what a module call costs the operator: `make bench`, or `python benchmarks/maas.py [SIZE...]`.

Waits run against the lab's region in virtual time: a sleep moves the lab's clock, and so does every request, by what it would
have cost a real region (the model below, measured on MAAS 3.7.3). So requests and answers are real, seconds are modelled, and
a wait for a thousand machines takes half a minute. Three ways to wait for the same rack:

ours         maas_machine_wait, as it is
cli          one process of MAAS' command line for each machine in each round, as the thesis did (4.5 s of client each)
per_machine  one module call for each machine, five at a time, which lists the region to find it and then reads it every 10 s
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / ".venv/collections")]

from ansible_collections.stratus.cloud.plugins.module_utils.maas.client import Client, HttpTransport  # noqa: E402
from ansible_collections.stratus.cloud.plugins.module_utils.maas.waits import wait_for_machines  # noqa: E402

from tests.support.lab import MaasLab, rack_of  # noqa: E402

SIZES = (3, 30, 300, 1000)
TICK = 10.0
FORKS = 5
# Seconds of one region process.
LIST_FIXED, PER_MACHINE, SINGLE, EVENTS, OTHER = 0.25, 0.024, 0.13, 0.03, 0.1
CLI_CLIENT = 4.5
# Seconds between the first machine and the last.
SPREAD = 60.0
OUT = ROOT / "build/bench/maas.json"


def cost(path: str, returned: int) -> float:
    """Modelled server seconds of a request."""
    path = path.removeprefix("/MAAS/api/2.0")
    if path == "/machines/":
        return LIST_FIXED + PER_MACHINE * returned
    if path.startswith("/machines/"):
        return SINGLE
    return EVENTS if path in ("/events/", "/describe/") else OTHER


class Metered:
    """A transport that counts, and lets the time pass that a real region would have taken."""

    def __init__(self, lab: MaasLab):
        self.lab = lab
        self.inner = HttpTransport(lab.url.removesuffix("/MAAS"))
        self.requests = self.returned = self.polls = 0
        self.seconds = 0.0

    def request(self, method: str, uri: str, body: Any, headers: Any, timeout: float) -> Any:
        answer = self.inner.request(method, uri, body, headers, timeout)
        path = urlsplit(uri).path
        found = 0
        if path.endswith("/machines/"):
            parsed = json.loads(answer[2])
            found = len(parsed) if isinstance(parsed, list) else 0
        elif "/machines/" in path:
            found = 1
        seconds = cost(path, found)
        self.requests += 1
        self.returned += found
        self.seconds += seconds
        self.lab.advance(seconds)
        return answer

    def close(self) -> None:
        self.inner.close()


class NoCache:
    def load(self) -> None:
        return None

    def store(self, description: Any) -> None:
        pass


def commissioning(size: int) -> tuple[MaasLab, list[str]]:
    """A region whose machines began commissioning one after the other within a minute."""
    lab = MaasLab(rack_of(size), dhcp=True).start()
    names = list(lab.world.maas.rack.machines)
    lab.declare(*names)
    machines = lab.world.maas.machines.all()

    def begin(some: list[Any]) -> None:
        from lab.world.maas.base import Fields

        for machine in some:
            lab.world.maas.lifecycle.commission(machine, Fields(), "admin")

    groups = min(size, 30)
    for number in range(groups):
        lab.call(begin, machines[number::groups])
        lab.advance(SPREAD / groups)
    return lab, names


def now(lab: MaasLab) -> float:
    return lab.call(lab.engine.clock.now)


def last_ready(lab: MaasLab) -> float:
    """When the last machine became Ready, told by the world itself."""
    return max(event["at"] for event in lab.world.maas.events.rows if event["description"].endswith("to 'Ready'"))


def ours(size: int) -> dict[str, Any]:
    lab, names = commissioning(size)
    try:
        meter = Metered(lab)
        client = Client(lab.url, lab.api_key, transport=meter, cache=NoCache())
        start = now(lab)
        params = {
            "machines": names,
            "status": ["Ready"],
            "appear": False,
            "wait": True,
            "wait_timeout": 7200,
            "wait_interval": TICK,
            "min_ready": None,
            "stuck_after": None,
        }
        ticks = [0]

        def sleep(seconds: float) -> None:
            ticks[0] += 1
            lab.advance(seconds)

        result = wait_for_machines(client, params, clock=lambda: now(lab), sleep=sleep)
        end = now(lab)
        assert len(result["ready"]) == size
        return summary(size, meter.requests / max(1, ticks[0] + 1), meter.returned, meter.seconds, end - start, end - last_ready(lab), rss(size))
    finally:
        lab.stop()


def summary(size: int, per_tick: float, returned: int, seconds: float, waited: float, reaction: float, memory: float | None) -> dict[str, Any]:
    return {
        "requests_per_tick": round(per_tick, 2),
        "machines_returned": returned,
        "returned_per_machine": round(returned / size, 2),
        "modelled_server_s": round(seconds, 1),
        "modelled_load_percent": round(100 * seconds / waited, 1),
        # Without what the region pays for the machines themselves: what the looking costs.
        "modelled_tick_percent": round(100 * (seconds - PER_MACHINE * returned) / waited, 1),
        "waited_s": round(waited, 1),
        "reaction_s": round(reaction, 2),
        "rss_mib": None if memory is None else round(memory, 1),
    }


def finish_times(size: int) -> list[float]:
    """When each machine becomes Ready, seconds after the start, in the lab without anybody watching."""
    lab, names = commissioning(size)
    try:
        start = now(lab)
        lab.until(lambda: all(row["status"] == 4 for row in lab.world.maas.machines.all()), step=5)
        return sorted(event["at"] - start for event in lab.world.maas.events.rows if event["description"].endswith("to 'Ready'"))
    finally:
        lab.stop()


def cli(size: int, ready: list[float]) -> dict[str, Any]:
    """Rounds of one process each, one after the other, until a round has seen every machine Ready."""
    clock, rounds, seconds = 0.0, 0, 0.0
    while True:
        rounds += 1
        begun = clock
        seen = 0
        for moment in ready:
            clock += CLI_CLIENT + SINGLE
            seconds += SINGLE
            seen += clock >= moment
        if seen == size:
            break
        clock = max(clock, begun + TICK)
    return summary(size, size, rounds * size, seconds, clock, clock - ready[-1], None)


def per_machine(size: int, ready: list[float]) -> dict[str, Any]:
    """Five workers; each finds its machine in a list of the region and reads it every 10 s. The region answers one after the other."""
    workers = [(0.0, worker) for worker in range(FORKS)]
    queue, free, seconds, requests, returned, end = list(ready), 0.0, 0.0, 0, 0, 0.0
    current: dict[int, float] = {}
    while workers:
        moment, worker = heapq.heappop(workers)
        moment = max(moment, free)
        if worker not in current:
            if not queue:
                end = max(end, moment)
                continue
            current[worker] = queue.pop(0)
            price, found = LIST_FIXED + PER_MACHINE * size, size
        else:
            price, found = SINGLE, 1
        free = moment + price
        seconds += price
        requests += 1
        returned += found
        if free >= current[worker]:
            del current[worker]
            heapq.heappush(workers, (free, worker))
        else:
            heapq.heappush(workers, (free + TICK, worker))
    return summary(size, requests / max(1.0, end / TICK), returned, seconds, end, end - ready[-1], None)


CHILD = """
import json, resource, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.stratus.cloud.plugins.modules import maas_machine_wait
with patch_module_args(json.loads(sys.stdin.read())):
    try:
        maas_machine_wait.main()
    except SystemExit:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)
"""


def rss(size: int) -> float:
    """Peak memory of the real module while it waits for that many machines."""
    lab, names = commissioning(size)
    try:
        args = {"maas_url": lab.url, "maas_api_key": lab.api_key, "machines": names, "wait_timeout": 600, "wait_interval": 1.0}
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / '.venv/collections'}"},
        )
        child.stdin.write(json.dumps(args))
        child.stdin.close()
        child.stdin = None
        time.sleep(3)
        lab.until(lambda: all(row["status"] == 4 for row in lab.world.maas.machines.all()), step=60)
        out, err = child.communicate(timeout=300)
        assert len(json.loads(out)["ready"]) == size, out[:400]
        return float(err.strip().splitlines()[-1])
    finally:
        lab.stop()


def module_call(rounds: int = 12) -> dict[str, Any]:
    """Seconds of one task: an empty module, one of ours that reads, and python-libmaas as it comes."""
    with MaasLab() as lab, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "library").mkdir()
        (folder / "library" / "plain_libmaas.py").write_text(
            "import asyncio\nfrom ansible.module_utils.basic import AnsibleModule\n\n\n"
            "async def work(url, key):\n    from maas.client import connect\n\n"
            "    client = await connect(url, apikey=key)\n    return len(await client.zones.list())\n\n\n"
            "def main():\n    module = AnsibleModule(argument_spec=dict(url=dict(), key=dict(no_log=True)))\n"
            "    module.exit_json(zones=asyncio.run(work(module.params['url'], module.params['key'])))\n\n\n"
            "if __name__ == '__main__':\n    main()\n"
        )
        bodies = {
            "empty": {"ansible.builtin.ping": {}},
            "ours": {"stratus.cloud.maas_zone_info": {"maas_url": lab.url, "maas_api_key": lab.api_key}},
            "libmaas": {"plain_libmaas": {"url": lab.url, "key": lab.api_key}},
        }
        # Side by side in one play, so that whatever else this machine does slows all of them alike.
        tasks = [{"name": name, **body} for _round in range(rounds) for name, body in bodies.items()]
        file = folder / "play.yml"
        file.write_text(json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]))
        env = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"),
            "ANSIBLE_LIBRARY": str(folder / "library"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}"]
        done = subprocess.run([*command, str(file)], env=env, check=True, capture_output=True, text=True, cwd=folder)
        times: dict[str, list[float]] = {name: [] for name in bodies}
        for task in json.loads(done.stdout)["plays"][0]["tasks"]:
            span = task["task"]["duration"]
            times[task["task"]["name"]].append((datetime.fromisoformat(span["end"]) - datetime.fromisoformat(span["start"])).total_seconds())
    # The first call of each fills the caches.
    best = {name: statistics.median(values[1:]) for name, values in times.items()}
    return {
        "empty_s": round(best["empty"], 3),
        "ours_s": round(best["ours"], 3),
        "ratio": round(best["ours"] / best["empty"], 2),
        "libmaas_s": round(best["libmaas"], 3),
        "libmaas_ratio": round(best["libmaas"] / best["empty"], 2),
    }


def rack(size: int) -> dict[str, Any]:
    """A whole rack declared, commissioned and bridged: three tasks, whatever its size. Wall time on the lab, ten virtual minutes in one second."""
    from tests.integration.maas_runner import run

    with MaasLab(rack_of(size), speed=600, dhcp=True) as lab:
        connection = {"maas_url": lab.url, "maas_api_key": lab.api_key}
        entries = [
            {
                "hostname": spec["hostname"],
                "mac_addresses": [spec["nics"][0]["mac"]],
                "power_type": "ipmi",
                "power_parameters": {"power_address": spec["bmc"]["address"], "power_user": "root", "power_pass": "root"},
            }
            for spec in lab.rack["machines"]
        ]
        names = [entry["hostname"] for entry in entries]
        bridge = {"type": "bridge", "name": "br-ex", "parent": "boot", "bridge_type": "ovs", "links": [{"subnet": "10.42.0.0/16"}]}
        tasks = [
            ("maas_machine", {"machines": entries}),
            ("maas_machine_state", {"machines": names, "state": "ready", "wait_interval": 1, "wait_timeout": 1800}),
            ("maas_interface", {"machines": names, **bridge}),
        ]
        result: dict[str, Any] = {"tasks": len(tasks)}
        for again in ("", "_again"):
            for module, options in tasks:
                lab.forget()
                begun = time.perf_counter()
                done = run(module, {**connection, **options}, diff=False)
                assert done["changed"] is (not again)
                result[module + again] = {
                    "seconds": round(time.perf_counter() - begun, 1),
                    "reads": sum(entry["method"] == "GET" for entry in lab.requests),
                    "writes": len(lab.writes()),
                }
        return result


COLUMNS = (
    "requests_per_tick",
    "machines_returned",
    "returned_per_machine",
    "modelled_server_s",
    "modelled_load_percent",
    "modelled_tick_percent",
    "waited_s",
    "reaction_s",
    "rss_mib",
)


def table(sizes: dict[str, Any]) -> None:
    print(f"{'machines':>8} {'way':<12}" + "".join(f"{name:>22}" for name in COLUMNS))
    for size, ways in sizes.items():
        for way, values in ways.items():
            print(f"{size:>8} {way:<12}" + "".join(f"{'-' if values[name] is None else values[name]:>22}" for name in COLUMNS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--rack", type=int, default=1000, help="machines of the rack that is declared, commissioned and bridged; 0 for none")
    parser.add_argument("--no-call", action="store_true", help="leave the module call out")
    options = parser.parse_args()
    result: dict[str, Any] = {"sizes": {}}
    for size in options.sizes:
        ready = finish_times(size)
        result["sizes"][str(size)] = {"ours": ours(size), "cli": cli(size, ready), "per_machine": per_machine(size, ready)}
    table(result["sizes"])
    if not options.no_call:
        result["module_call"] = module_call()
        print("\none module call: " + ", ".join(f"{name} {value}" for name, value in result["module_call"].items()))
    if options.rack:
        result["rack"] = {str(options.rack): rack(options.rack)}
        print(f"\n{options.rack} machines declared, commissioned and bridged in {result['rack'][str(options.rack)]['tasks']} tasks:")
        for name, values in result["rack"][str(options.rack)].items():
            if isinstance(values, dict):
                print(f"  {name:<28} {values['seconds']:>8} s {values['reads']:>6} reads {values['writes']:>6} writes")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nwritten to {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
