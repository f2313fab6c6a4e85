"""The rehearsal's copy of an inventory, the rack made of it, and its prediction. The rehearsal itself: tests/integration/test_rehearsal.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.plugin_utils.report.page import page

from lab.__main__ import Stop
from lab.engine import Clock, Engine
from lab.rehearsal.__main__ import news, predicted, prepare, resolved
from lab.rehearsal.inventory import STAND_IN, Copy, elsewhere, rack
from lab.rehearsal.record import record
from lab.world.rack import Rack

ROOT = Path(__file__).resolve().parents[3]


def variables(place: Path) -> dict:
    found = {}
    for path in place.rglob("group_vars/**/*.yml"):
        found |= yaml.safe_load(path.read_text()) or {}
    return found


def test_placeholders_get_stand_ins_and_are_told(tmp_path):
    copy = Copy(ROOT / "inventories/example", tmp_path / "copy").make()
    text = "".join(path.read_text() for path in (tmp_path / "copy").rglob("*.yml"))
    assert "CHANGE-ME" not in text
    assert "hosts.yml: mac_addresses" in copy.open and "group_vars/all/90-secrets.yml: maas_admin_password" in copy.open
    assert variables(tmp_path / "copy")["maas_upstream_dns"] == ["192.0.2.53"]
    assert "CHANGE-ME" in (ROOT / "inventories/example/hosts.yml").read_text(), "the operator's own files are left alone"


def test_vaulted_files_and_values_are_not_needed(tmp_path):
    site = tmp_path / "site"
    (site / "group_vars/all").mkdir(parents=True)
    (site / "hosts.yml").write_text("all: {children: {controller: {hosts: {c: {ansible_host: 192.0.2.1}}}}}\n")
    (site / "group_vars/all/a.yml").write_text("maas_admin_password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3132\nbmc: {password: '{{ my_bmc_password }}'}\n")
    (site / "group_vars/all/b.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n313233\n")
    copy = Copy(site, tmp_path / "copy").make()
    assert copy.vaulted == ["group_vars/all/a.yml: maas_admin_password", "group_vars/all/b.yml"]
    assert copy.open == [], "what is vaulted is not left to be filled in"
    assert not (tmp_path / "copy/group_vars/all/b.yml").exists()
    assert copy.stand_ins() == dict.fromkeys(["my_bmc_password", "postgres_password", "secret_bmc_password"], STAND_IN)


def test_the_rack_is_the_inventorys(tmp_path):
    told = prepare(ROOT / "inventories/example", tmp_path)
    made = yaml.safe_load((tmp_path / "rack.yml").read_text())
    assert made["network"] == told["network"] == "10.42.0.0/16"
    assert made["controller"]["nics"][0] == {"name": "eno3", "mac": "52:54:00:fe:ff:fe", "address": "10.42.0.1/16"}
    assert [(row["hostname"], row["bmc"]) for row in made["machines"]] == [
        (f"compute{number}", {"address": f"10.42.0.{20 + number}", "user": "root", "password": STAND_IN}) for number in range(2)
    ]
    assert variables(tmp_path / "inventory")["secret_bmc_password"] == STAND_IN, "machines and rack agree on the password"


def test_bmcs_may_have_a_network_of_their_own():
    rows = [{"bmc": {"address": address}} for address in ("10.7.0.20", "172.31.9.21", "172.31.9.3", "bmc3.example.org", "172.31.9.21")]
    assert elsewhere({"network": "10.7.0.0/20", "machines": [*rows, {}]}) == ["172.31.9.3", "172.31.9.21"]


def test_a_file_that_is_no_yaml_is_one_sentence(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "hosts.yml").write_text("all: {children: [")
    with pytest.raises(Stop, match=r"hosts.yml of the inventory is no YAML"):
        Copy(site, tmp_path / "copy").make()


def test_variables_that_name_others_are_filled_in():
    assert resolved({"a": "{{ b }}", "c": 1}, {"b": "{{ d }}", "d": "x"}) == {"a": "x", "c": 1}
    assert resolved("{{ lost }}", {}) == STAND_IN
    assert resolved("{{ itself }}", {"itself": "{{ itself }}"}) == "{{ itself }}"
    assert resolved("{{ a }}/24", {"a": "x"}) == "{{ a }}/24"


def test_the_lab_takes_such_a_rack():
    hosts = {
        "a": {"mac_addresses": "52:54:00:AA:00:01"},
        "b": {"mac_addresses": ["52:54:00:aa:00:02"], "bmc": {"address": "10.7.0.9", "user": "u", "password": "p"}},
    }
    made = rack(hosts, ["a", "b"], {"maas_subnet_cidr": "10.7.0.0/24", "maas_gateway_ip": "10.7.0.3"})
    world = Rack(Engine(Clock(speed=0)), made)
    assert world.by_mac("52:54:00:aa:00:01")["hostname"] == "a"
    assert world.bmc("10.7.0.9", "u", "p")[0]["hostname"] == "b"
    assert world.controller["nics"][0]["address"] == "10.7.0.3/24"


def test_an_inventory_that_cannot_be_used_is_one_sentence(tmp_path):
    site = tmp_path / "site"
    (site / "group_vars").mkdir(parents=True)
    (site / "hosts").write_text("[controller]\nc\n")
    (site / "group_vars/all.yml").write_text("maas_subnet_cidr: 10.42.0.0/99\n")
    with pytest.raises(Stop, match="maas_subnet_cidr cannot be used"):
        prepare(site, tmp_path / "place")


LOG = [
    {"at": 1250, "kind": "import", "state": "started"},
    {"at": 1300, "kind": "status", "machine": "compute0", "status": "Commissioning"},
    {"at": 1500, "kind": "import", "state": "finished"},
    {"at": 1900, "kind": "status", "machine": "compute0", "status": "Ready"},
    {"at": 3600, "kind": "juju.status", "unit": "vault/0", "status": "blocked", "message": "needs to be initialized"},
    {"at": 3700, "kind": "juju.status", "unit": "nova/0", "status": "waiting", "message": "database"},
    {"at": 3800, "kind": "juju.status", "unit": "nova/1", "status": "active", "message": ""},
    {"at": 4000, "kind": "juju.status", "unit": "vault/0", "status": "active", "message": ""},
    {"at": 4600, "kind": "juju.status", "unit": "nova/0", "status": "active", "message": ""},
]


def test_while_it_runs_it_says_how_far_it_is():
    marks = {"controller": 1000, "network": 1200}
    assert news({}, []) == news({**marks, "end": 9000}, LOG) == ""
    assert news(marks, LOG[:1]) == "  0:04:10  network"
    assert news({**marks, "machines": 1250}, LOG[:2]) == "  0:05:00  machines, 0 of 1 machines ready or deployed"
    assert news({**marks, "cloud": 3000}, LOG[:7]) == "  0:46:40  cloud, 1 of 1 machines ready or deployed, 1 of 3 units active"


def test_the_record_is_one_that_the_report_takes():
    times = {"controller": 200.0, "network": 50.0, "machines": 0.0, "orchestrator": 1750.0, "cloud": 1600.0}
    run = record(times, 1000, LOG, {"maas_subnet_cidr": "10.7.0.0/20", "maas_admin_password": "no"}, True, "north")
    assert run["states"] == {
        "image": {"images": [[250, "importing", ""], [500, "complete", ""]]},
        "machine": {"compute0": [[300, "Commissioning", ""], [900, "Ready", ""]]},
        "application": {
            "vault": [[2600, "blocked", "needs to be initialized"], [3000, "active", ""]],
            "nova": [[2700, "waiting", "database"], [3600, "active", ""]],
        },
    }
    assert (run["seconds"], run["phases"][3]["plays"][0]["began"], run["phases"][4]["reference_seconds"]) == (3600, 250, 8185)
    assert run["site"] == {"maas_subnet_cidr": "10.7.0.0/20"}
    text = str(page(run))
    for words in ("north", "nova", "Table 1 of the thesis", "application nova"):
        assert words in text
    assert str(page(record({"controller": 200.0}, 1000, [], {}, False, "north")))


def test_the_end_is_the_last_change_of_state_not_the_last_look():
    marks = {"controller": 0, "network": 200, "machines": 250, "orchestrator": 900, "cloud": 2500, "end": 9999}
    log = [{"kind": "juju.status", "at": 8000}, {"kind": "juju.machine", "at": 9000}]
    assert predicted(marks, log) == {"controller": 200, "network": 50, "machines": 650, "orchestrator": 1600, "cloud": 5500}
    assert predicted({"controller": 0, "network": 200}, []) == {"controller": 200}, "a rehearsal that stopped early says what it knows"
