"""The thesis' sequence of steps, as its Table 1 lists them, one strictly after the other: what `make bench-site` compares site.yml with.

    python benchmarks/sequence.py [--speed 60]

It does what the thesis' script did, in the script's order, against a lab of its own on loopback: MAAS over its API, Juju over its websocket, Vault over
HTTP, and over the lab's control socket what the commands `snap`, `maas` and `juju` ask of the lab on a controller host. Each step is waited for to its end
before the next begins; that of the model when no agent has a hook to run, `active` or not. The end is looked for all the time (every 50 ms), so nothing is lost
to polling. What the lab has no duration for (the controller's own packages and network, a person at the web page) takes no time here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Without this file's own directory: in there `juju` and `site` are other files.
sys.path[:] = [str(ROOT), str(ROOT / ".venv/collections"), *(path for path in sys.path if path != str(ROOT / "benchmarks"))]

import yaml  # noqa: E402
from ansible_collections.stratus.cloud.plugins.module_utils.juju import actions, apply, bundle, client, model, status  # noqa: E402
from ansible_collections.stratus.cloud.plugins.module_utils.vault.client import Unit  # noqa: E402
from requests_oauthlib import OAuth1Session  # noqa: E402

from lab.__main__ import ask, start_daemon, stop_daemon  # noqa: E402
from lab.paths import Paths  # noqa: E402

TABLE = ROOT / "playbooks/vars/table1.yml"
BUNDLE = ROOT / "bundles/thesis-jammy-2023.1.yaml"
SPEED = 60.0
LOOK = 0.05
# As long as the longest step may take, in virtual seconds: a lab that stands is told, not waited for.
PATIENCE = 4 * 3600
ADMIN = {"username": "admin", "password": "bench-only", "email": "admin@bench.example"}
CONTROLLER, MODEL, TAG = "bench-controller", "openstack", "compute"
NEW, READY = 0, 4
# What the thesis deployed by itself, after the bundle.
METAL = ("nova-compute", "ovn-chassis")


class Stuck(Exception):
    """A step that does not end."""


def without(whole: dict[str, Any], applications: tuple[str, ...] = (), relations: tuple[str, ...] = ()) -> dict[str, Any]:
    """A bundle without some applications (and the machines that only they use), and without the relations that name any of ``relations``."""
    kept = {name: about for name, about in whole["applications"].items() if name not in applications}
    gone = {place for name in applications for place in whole["applications"][name].get("to", [])}
    named = set(applications) | set(relations)
    return {
        **whole,
        "applications": kept,
        "machines": {name: about for name, about in whole["machines"].items() if name not in gone},
        "relations": [pair for pair in whole["relations"] if not named & {end.partition(":")[0] for end in pair}],
    }


def at_rest(found: dict[str, Any]) -> bool:
    """Whether nothing goes on in a model: every unit has its agent, and no agent has a hook to run."""
    return all(unit["agent"] == "idle" for unit in found["units"].values()) and all(m["agent"] == "started" for m in found["machines"].values())


def all_active(found: dict[str, Any]) -> bool:
    return at_rest(found) and all(unit["workload"] == "active" for unit in found["units"].values())


class Sequence:
    """What the steps do (STEPS has them by the names of Table 1). Each returns when what it began is over."""

    def __init__(self, paths: Paths):
        self.paths = paths
        self.network = ask(paths, "GET", "/status")["network"].rpartition(".")[0]
        self.url = f"http://{self._address(1)}:5240/MAAS"
        self.region: OAuth1Session
        self.key = ""
        self.machines: dict[str, dict[str, Any]] = {}
        self.link: client.Client
        self.bundle = bundle.load(BUNDLE)

    def run(self, name: str) -> float:
        """Virtual seconds that a step took."""
        began = self.now()
        if name in STEPS:
            STEPS[name](self)
        return self.now() - began

    # -- the lab --------------------------------------------------------------------------------------------------------
    def _address(self, number: int) -> str:
        return f"{self.network}.{number}"

    def now(self) -> float:
        return ask(self.paths, "GET", "/clock")["now"]

    def control(self, path: str, **body: Any) -> Any:
        answer = ask(self.paths, "POST", path, body, timeout=PATIENCE)
        if answer is None or "error" in answer:
            raise Stuck(f"{path}: {answer}")
        return answer

    def until(self, what: str, reached: Callable[[], Any]) -> Any:
        end = self.now() + PATIENCE
        while not (value := reached()):
            if self.now() > end:
                raise Stuck(f"waited {PATIENCE} virtual seconds for {what}")
            time.sleep(LOOK)
        return value

    # -- MAAS -----------------------------------------------------------------------------------------------------------
    def maas(self, method: str, path: str, **data: Any) -> Any:
        """A request to the region; ``op`` goes into the query."""
        query = {"op": data.pop("op")} if "op" in data else {}
        answer = self.region.request(method, f"{self.url}/api/2.0/{path}", params={**query, **(data if method == "GET" else {})}, data=data)
        answer.raise_for_status()
        return answer.json() if answer.headers["Content-Type"].startswith("application/json") else answer.text

    def initialise(self) -> None:
        self.control("/maas/init", url=self.url, fresh=True, version="3.5.10")
        self.control("/maas/createadmin", **ADMIN)
        (self.key,) = self.control("/maas/apikey", username=ADMIN["username"])["keys"]
        consumer, token, secret = self.key.split(":")
        self.region = OAuth1Session(consumer, resource_owner_key=token, resource_owner_secret=secret, signature_method="PLAINTEXT")

    def await_http(self) -> None:
        self.until("the region to answer", lambda: self.region.get(f"{self.url}/api/2.0/version/").ok)

    def configure(self) -> None:
        (rack,) = self.until("the rack", lambda: self.maas("GET", "rackcontrollers/"))
        self.maas("POST", "maas/", op="set_config", name="upstream_dns", value="198.51.100.1")
        subnet = next(row for row in self.maas("GET", "subnets/") if row["cidr"].startswith(self.network))
        kinds = {"dynamic": ("200.0", "254.254"), "reserved": ("0.1", "0.99")}
        for kind, ends in kinds.items():
            start, end = (f"{self.network.rpartition('.')[0]}.{place}" for place in ends)
            self.maas("POST", "ipranges/", type=kind, start_ip=start, end_ip=end, subnet=subnet["id"])
        self.maas("PUT", f"subnets/{subnet['id']}/", gateway_ip=self._address(1))
        self.maas("PUT", f"fabrics/{subnet['vlan']['fabric_id']}/vlans/{subnet['vlan']['vid']}/", dhcp_on="true", primary_rack=rack["system_id"])
        self.subnet = subnet["id"]

    def await_images(self) -> None:
        def there() -> bool:
            return bool(self.maas("GET", "boot-resources/")) and not self.maas("GET", "boot-resources/", op="is_importing")

        self.until("the images", there)

    def nodes(self) -> list[dict[str, Any]]:
        """The bare metal."""
        return [row for row in self.maas("GET", "machines/") if row["power_type"] == "ipmi"]

    def await_visible(self) -> None:
        self.until("the nodes to be visible", lambda: len(self.nodes()) == 2)

    def await_new(self) -> None:
        self.until("the nodes to be New", lambda: all(node["status"] == NEW for node in self.nodes()))

    def reset_power(self) -> None:
        for name in ("compute0", "compute1"):
            for state in ("off", "on"):
                self.control(f"/bmc/{name}/power", state=state)

    def commission(self) -> None:
        rows = self.nodes()
        for row in rows:
            self.maas("POST", f"machines/{row['system_id']}/", op="commission")
        self.until("the nodes to be Ready", lambda: all(row["status"] == READY for row in self.nodes()))

    def bridge(self) -> None:
        self.maas("POST", "tags/", name=TAG)
        for row in self.nodes():
            nic = row["boot_interface"]["id"]
            bridge = self.maas("POST", f"nodes/{row['system_id']}/interfaces/", op="create_bridge", name="br-ex", parent=nic, bridge_type="ovs")
            self.maas("POST", f"nodes/{row['system_id']}/interfaces/{bridge['id']}/", op="link_subnet", mode="AUTO", subnet=self.subnet)
            self.maas("POST", f"tags/{TAG}/", op="update_nodes", add=row["system_id"])

    def vm_host(self) -> None:
        # The control plane asks for more cores than the controller has; the thesis' LXD host was left to over-commit, too.
        made = self.maas("POST", "vm-hosts/", type="lxd", name="lxd-controller", power_address=self._address(1), project="default", cpu_over_commit_ratio=10)
        self.host = made["id"]
        self.until("the VM host", lambda: self.maas("GET", f"vm-hosts/{self.host}/")["total"]["cores"])

    def juju_vm(self) -> None:
        made = self.maas("POST", f"vm-hosts/{self.host}/", op="compose", hostname="juju-machine", cores=2, memory=4096, storage="50")
        self.juju = made["system_id"]
        self.until("the VM of Juju", lambda: self.maas("GET", f"machines/{self.juju}/")["status"] == READY)

    # -- Juju -----------------------------------------------------------------------------------------------------------
    def bootstrap(self) -> None:
        cloud = {"name": "maas-one", "type": "maas", "endpoint": self.url}
        credential = {"name": "bench", "auth-type": "oauth1", "attributes": {"maas-oauth": self.key}}
        self.control("/juju/bootstrap", name=CONTROLLER, cloud=cloud, credential=credential, system_id=self.juju)

        def over() -> dict[str, Any] | None:
            found = ask(self.paths, "GET", f"/juju/bootstrap/{CONTROLLER}", timeout=60)
            return None if found["state"] == "running" else found

        found = self.until("Juju's controller", over)
        if found["state"] != "done":
            raise Stuck(f"bootstrap: {found['lines'][-1]}")
        self.link = client.Client(found["endpoint"], found["username"], found["password"], found["ca_cert"], model=MODEL)

    def apply(self, wanted: dict[str, Any], machine_map: dict[str, str] | None = None) -> None:
        desired = bundle.normal(wanted)
        apply.Application(self.link, desired, machine_map).apply(model.read(self.link, desired))

    def rest(self, reached: Callable[[dict[str, Any]], bool]) -> None:
        self.until("the model to come to rest", lambda: reached(status.read(self.link)))

    def deploy(self) -> None:
        """The model, and the bundle without its bare metal, which the script put aside meanwhile. Juju has MAAS compose the virtual machines."""
        for row in self.nodes():
            self.maas("POST", "machines/", op="allocate", system_id=row["system_id"])
        asked = {"name": MODEL, "owner-tag": "user-admin", "cloud-tag": "cloud-maas-one", "config": {"default-base": "ubuntu@22.04/stable"}}
        self.link.controller("ModelManager", "CreateModel", asked)
        self.apply(without(self.bundle, METAL))
        self.rest(at_rest)

    def deploy_compute(self) -> None:
        self.maas("POST", "machines/", op="release", machines=[row["system_id"] for row in self.nodes()])
        self.until("the nodes to be free", lambda: all(row["status"] == READY for row in self.nodes()))
        self.apply(without(self.bundle, relations=METAL))
        self.rest(at_rest)

    def integrate(self) -> None:
        self.apply(self.bundle)
        self.rest(at_rest)

    def open_vault(self) -> None:
        unit = next(about for name, about in status.read(self.link)["units"].items() if name.startswith("vault/"))
        address = f"http://{unit['address']}:8200"
        vault = Unit(address)
        keys = vault.initialize(1, 1)
        vault.unseal(keys["keys"][0])
        token = Unit(address, token=keys["root_token"]).token("10m")
        for action, params in (("authorize-charm", {"token": token}), ("generate-root-ca", None)):
            actions.run(self.link, unit["name"], action, params, interval=LOOK)
        self.rest(all_active)


# What Table 1 has beside these is work that the lab has no time for.
STEPS: dict[str, Callable[[Sequence], Any]] = {
    "Installation": lambda sequence: sequence.control("/snap/install", name="maas"),
    "MaaS Initialization": Sequence.initialise,
    "Await Http Server": Sequence.await_http,
    "MaaS initial config": Sequence.configure,
    "Await image import": Sequence.await_images,
    "Reset Nodes Power": Sequence.reset_power,
    "Await nodes being visible": Sequence.await_visible,
    "Await Node status New": Sequence.await_new,
    "Node Commissioning": Sequence.commission,
    "Create node's bridges": Sequence.bridge,
    "Await MaaS server restart": Sequence.await_http,
    "Create Lxd Host (Manual)": Sequence.vm_host,
    "Create Juju VM": Sequence.juju_vm,
    "Juju Installation": lambda sequence: sequence.control("/snap/install", name="juju"),
    "Juju Bootstrap": Sequence.bootstrap,
    "Juju Bundle Deploy": Sequence.deploy,
    "Nova Compute deploy": Sequence.deploy_compute,
    "Integrations": Sequence.integrate,
    "Configure Vault": Sequence.open_vault,
}


@contextmanager
def loopback(speed: float) -> Iterator[Paths]:
    """A lab of its own, without hosts, that is gone afterwards."""
    before = {name: os.environ.get(name) for name in ("LAB_SPEED", "LAB_HOSTS")}
    with tempfile.TemporaryDirectory(prefix="sequence-") as place:
        paths = Paths(Path(place) / "lab").make()
        os.environ.update(LAB_DIR=str(paths.lab), LAB_SPEED=str(speed), LAB_HOSTS="0")
        try:
            start_daemon(paths, hosts=False)
            yield paths
        finally:
            stop_daemon(paths)
            os.environ.pop("LAB_DIR")
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def drive(speed: float = SPEED, say: Callable[[str], None] = print) -> dict[str, float]:
    """Virtual seconds of each step, by the names and in the order of Table 1."""
    table = yaml.safe_load(TABLE.read_text())["steps"]
    taken = {}
    with loopback(speed) as paths:
        sequence = Sequence(paths)
        say(f"{'step':<28}{'Table 1':>10}{'here':>10}")
        for name, told in table.items():
            taken[name] = round(sequence.run(name), 1)
            say(f"{name:<28}{told:>10}{taken[name]:>10.0f}")
    say(f"{'total':<28}{sum(table.values()):>10}{sum(taken.values()):>10.0f}")
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", type=float, default=SPEED, help="virtual seconds in a real one")
    parser.add_argument("--out", type=Path, help="a JSON file for the steps and their seconds")
    options = parser.parse_args()
    taken = drive(options.speed, lambda line: print(line, flush=True))
    if options.out:
        options.out.write_text(json.dumps(taken, indent=1) + "\n")


if __name__ == "__main__":
    main()
