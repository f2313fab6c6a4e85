"""What waiting for a model costs: juju_wait against libjuju's own wait_for_idle, on the same model, in the same run.

    python benchmarks/juju.py [--bundle bundles/thesis-jammy-2023.1.yaml] [--speed 60]

The lab's controller carries the thesis' bundle with Vault opened, so that what is left is the way to all active. Both wait at
the same time on the same model; the lab's clock runs `speed` times as fast as real time, so one real second of polling costs
`speed` virtual ones, for both alike. Requests are counted on the wire: each client's own connection, logging in included.
Each client notices `active` so many seconds after the lab's world says that the last unit became so.
Both are left at their defaults; wait_for_idle wants 15 quiet seconds, juju_wait three agreeing readings. Writes build/bench/juju.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Instead of this file's own directory: in there `juju` is this file.
sys.path[:1] = [str(ROOT), str(ROOT / ".venv/collections")]

from ansible_collections.stratus.cloud.plugins.module_utils.juju import apply, bundle, client, expect, model, status, watch  # noqa: E402

from tests.support.juju_lab import JujuLabThread  # noqa: E402

MODEL = "openstack"
# Both as they are when nothing is said: juju_wait's options, and wait_for_idle's 15 quiet seconds.
INTERVAL, SUCCESSES = 10.0, 3


def account(lab):
    return {"endpoint": lab.endpoint, "username": lab.username, "password": lab.password}


def prepare(lab, path):
    """The bundle, settled as far as it goes before Vault; then Vault is opened, and the rest is still to come."""
    for number in range(2):
        lab.call(lambda host: lab.world.maas.machine(host).update(tags=["compute"]), f"compute{number}")
    made = lab.call(lab.model, MODEL)
    desired = bundle.normal(bundle.load(path))
    with client.Client(ca_cert=lab.ca_cert, model=MODEL, **account(lab)) as link:
        apply.Application(link, desired).apply(model.read(link, desired))
    lab.call(lab.settle)
    lab.call(lab.open_vault, made)
    return made


def settled(found):
    return all(unit["workload"] == "active" and unit["agent"] == "idle" for unit in found["units"].values())


class World(threading.Thread):
    """Notes when the lab's own world is settled, without a request to its controller."""

    def __init__(self, lab, made, began):
        super().__init__(daemon=True)
        self.lab, self.made, self.began, self.at = lab, made, began, None

    def run(self):
        while self.at is None:
            states = self.lab.call(self.lab.statuses, self.made)
            if states and all(state[0] == "active" and state[2] == "idle" for state in states.values()):
                self.at = time.monotonic() - self.began
            time.sleep(0.05)


def ours(lab, began, results):
    with client.Client(ca_cert=lab.ca_cert, model=MODEL, **account(lab)) as link:
        waiting = watch.Watch(link, expect.Rules())
        options = {"model": MODEL, "wait_timeout": 600, "wait_interval": INTERVAL, "successes": SUCCESSES, "fail_fast": True}
        watch.wait(link, waiting, options)
        # Logging in, to the controller and to the model, is theirs as well.
        results["ours"] = {"seconds": time.monotonic() - began, "requests": link.requests + 2}


def official(lab, made, began, results):
    from juju.client.connection import Connection
    from juju.model import Model

    counted = [0]
    real = Connection.rpc

    async def rpc(self, message, encoder=None):
        if getattr(asyncio.current_task().get_loop(), "official", False):
            counted[0] += 1
        return await real(self, message, encoder)

    async def main():
        asyncio.get_running_loop().official = True
        found = Model()
        await found.connect(uuid=made["uuid"], cacert=lab.ca_cert, **account(lab))
        try:
            await found.wait_for_idle(status="active", timeout=600, raise_on_error=False)
            results["wait_for_idle"] = {"seconds": time.monotonic() - began, "requests": counted[0]}
        finally:
            await found.disconnect()

    Connection.rpc = rpc
    try:
        asyncio.run(main())
    finally:
        Connection.rpc = real


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", default=str(ROOT / "bundles/thesis-jammy-2023.1.yaml"))
    parser.add_argument("--speed", type=float, default=20.0)
    parser.add_argument("--out", default=str(ROOT / "build/bench/juju.json"))
    options = parser.parse_args()
    results = {}
    with JujuLabThread(speed=0) as lab:
        made = prepare(lab, options.bundle)
        with client.Client(ca_cert=lab.ca_cert, model=MODEL, **account(lab)) as link:
            assert not settled(status.read(link)), "nothing is left to wait for"
        began = time.monotonic()
        world = World(lab, made, began)
        pace = lab.running(options.speed)
        asyncio.run_coroutine_threadsafe(pace.__aenter__(), lab._loop).result(10)
        threads = [threading.Thread(target=ours, args=(lab, began, results)), threading.Thread(target=official, args=(lab, made, began, results))]
        world.start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asyncio.run_coroutine_threadsafe(pace.__aexit__(None, None, None), lab._loop).result(10)
        world.join(5)
        after = world.at or 0.0
    requests = {name: results[name]["requests"] for name in ("ours", "wait_for_idle")}
    minutes = {name: results[name]["seconds"] / 60 for name in requests}
    summary = {
        "bundle": Path(options.bundle).name,
        "requests": {**requests, "ratio": round(requests["wait_for_idle"] / requests["ours"], 1)},
        "per_minute": {name: round(requests[name] / minutes[name], 1) for name in requests},
        "notice_s": {name: round(results[name]["seconds"] - after, 2) for name in requests},
        "waited_s": {name: round(results[name]["seconds"], 1) for name in requests},
        "world_settled_s": round(after, 1),
        "speed": options.speed,
        "settings": {"ours": {"interval_s": INTERVAL, "successes": SUCCESSES}, "wait_for_idle": {"idle_period_s": 15, "check_freq_s": 0.5}},
    }
    out = Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main()
