"""The role openstack_bundle against modules that answer from a script: what it asks for, what it writes, what a second run does.

The whole chain with the lab's servers is tested end to end elsewhere; here every branch of the access files is cheap to reach.
"""

from __future__ import annotations

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.module_utils.juju.status import simplify

from tests.support.addresses import network
from tests.support.role_play import RolePlay, told

ADDRESS = str(network()[1])
PASSWORD = "lab's own $ecret"

STUBBED = (
    "juju_model",
    "maas_machine_state",
    "juju_status_info",
    "juju_action",
    "juju_wait",
    "juju_bundle",
    "maas_vm",
    "maas_machine_info",
    "juju_machine",
    "vault_init",
    "vault_unseal",
    "vault_charm_authorize",
)


def unit(application, address):
    return {"application": application, "address": address}


def metal(number, power_type="ipmi"):
    return {"hostname": f"compute{number}", "system_id": f"metal{number}", "status": "Ready", "power_type": power_type}


class Keystone(BaseHTTPRequestHandler):
    accepts = {PASSWORD}

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        good = asked["auth"]["identity"]["password"]["user"]["password"] in self.accepts
        self.send_response(201 if good else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments):
        pass


@pytest.fixture(scope="module")
def keystone():
    server = ThreadingHTTPServer((ADDRESS, 5000), Keystone)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Keystone
    server.shutdown()


class Site(RolePlay):
    role = "openstack_bundle"
    stubbed = STUBBED
    hosts = "[controller]\nhere ansible_connection=local\n[compute]\ncompute0\ncompute1\n"

    def __init__(self, folder):
        super().__init__(folder)
        self.answers = {
            "maas_vm": {"machines": [{"hostname": f"os-{number}", "system_id": f"vm{number}"} for number in range(11)]},
            "maas_machine_info": {"machines": [metal(number) for number in range(2)]},
            "juju_bundle": {"changed": True, "plan": ["1. something"]},
            "juju_status_info": {
                "status": {
                    "applications": {"keystone": {}, "openstack-dashboard": {}},
                    "units": {"keystone/0": unit("keystone", ADDRESS), "openstack-dashboard/0": unit("openstack-dashboard", "127.98.0.2")},
                }
            },
            "juju_action:get-admin-password": {"output": {"admin-password": PASSWORD}},
        }

    def cloud(self):
        return yaml.safe_load((self.out / "clouds.yaml").read_text())["clouds"]["trial"]


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_access_is_written_once_and_no_secret_is_printed(site, keystone):
    done, changed, asked = site.play("access", "report", arguments=["-vvv", "--diff"])
    assert done.returncode == 0, told(done)
    assert changed > 0
    cloud = site.cloud()
    assert cloud["auth"]["password"] == PASSWORD
    assert cloud["auth"]["auth_url"] == f"http://{ADDRESS}:5000/v3"
    assert "cacert" not in cloud
    for name in ("clouds.yaml", "openrc"):
        assert (site.out / name).stat().st_mode & 0o777 == 0o600
    assert site.out.stat().st_mode & 0o777 == 0o700
    shell = subprocess.run(["sh", "-c", f". {site.out}/openrc && printenv OS_PASSWORD"], capture_output=True, text=True, check=True)
    assert shell.stdout.strip() == PASSWORD
    assert PASSWORD not in told(done).replace(str(site.answers), "")
    assert "The cloud trial is ready." in done.stdout
    assert [call["module"] for call in asked] == ["juju_status_info", "juju_action"]

    before = {path.name: path.read_bytes() for path in site.out.iterdir()}
    done, changed, asked = site.play("access", "report")
    assert done.returncode == 0, told(done)
    assert changed == 0, told(done)
    assert [call["module"] for call in asked] == ["juju_status_info"], "the password is asked for again"
    assert "already there" in done.stdout
    assert before == {path.name: path.read_bytes() for path in site.out.iterdir()}

    done, changed, asked = site.play("access", "report", arguments=["--check"])
    assert done.returncode == 0, told(done)
    assert changed == 0, told(done)


def test_check_mode_says_that_access_would_be_written_and_writes_nothing(site, keystone):
    done, changed, asked = site.play("access", "report", arguments=["--check"])
    assert done.returncode == 0, told(done)
    assert changed > 0
    assert [call["module"] for call in asked] == ["juju_status_info"]
    assert not site.out.exists()


def test_behind_an_hacluster_the_virtual_address_is_handed_over(site, keystone):
    site.answers["juju_status_info"]["status"]["units"]["keystone/0"]["address"] = "127.98.0.9"
    overlay = {"machines": {"100": {"constraints": "tags=compute"}}, "applications": {"keystone": {"options": {"vip": f"{ADDRESS} 10.0.0.1"}}}}
    # As init.yml writes it into an inventory.
    done, _changed, _asked = site.play("access", "report", openstack_bundle_overlays=["{{ openstack_site_overlay }}"], openstack_site_overlay=overlay)
    assert done.returncode == 0, told(done)
    assert site.cloud()["auth"]["auth_url"] == f"http://{ADDRESS}:5000/v3"
    assert "http://127.98.0.2/horizon" in done.stdout


def test_other_clouds_stay_and_a_password_that_keystone_refuses_is_replaced(site, keystone):
    site.out.mkdir()
    old = {"clouds": {"other": {"auth": {"auth_url": "x"}}, "trial": {"auth": {"auth_url": f"http://{ADDRESS}:5000/v3", "password": "stale"}}}}
    (site.out / "clouds.yaml").write_text(yaml.safe_dump(old))
    done, changed, _asked = site.play("access")
    assert done.returncode == 0, told(done)
    assert changed > 0
    assert site.cloud()["auth"]["password"] == PASSWORD
    assert yaml.safe_load((site.out / "clouds.yaml").read_text())["clouds"]["other"] == {"auth": {"auth_url": "x"}}


def test_an_older_charm_without_the_action_is_asked_in_another_way(site):
    site.answers["juju_action:get-admin-password"] = "fail"
    site.answers["juju_action:juju-exec"] = {"output": {"stdout": "old one\n", "return-code": 0}}
    done, _changed, _asked = site.play("access")
    assert done.returncode == 0, told(done)
    assert site.cloud()["auth"]["password"] == "old one"


def test_a_keystone_that_does_not_answer_leaves_the_password_alone(site):
    site.answers["juju_status_info"]["status"]["units"]["keystone/0"]["address"] = "127.98.0.9"
    site.out.mkdir()
    kept = {"auth_url": "http://127.98.0.9:5000/v3", "password": "kept"}
    (site.out / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"trial": {"auth": kept}}}))
    done, _changed, asked = site.play("access")
    assert done.returncode == 0, told(done)
    assert site.cloud()["auth"]["password"] == "kept"
    assert [call["module"] for call in asked] == ["juju_status_info"]


def test_problems_of_the_site_are_collected_whatever_is_wrong(site):
    show = [{"name": "Show", "ansible.builtin.copy": {"content": "{{ openstack_bundle_problems | to_json }}", "dest": str(site.folder / "found.json")}}]
    done, _changed, _asked = site.play(
        "precheck", then=show, openstack_bundle_file="bundles/minimal-jammy-2024.1.yaml", openstack_bundle_vm_disks={"10": [20, 512]}
    )
    assert done.returncode == 0, told(done)
    found = json.loads((site.folder / "found.json").read_text())
    assert [entry["problem"] for entry in found if entry["variable"] == "openstack_bundle_vm_disks"] == ["The bundle has no such machine"]


def test_vault_is_opened_unit_by_unit_and_its_authority_is_kept(site):
    units = site.answers["juju_status_info"]["status"]["units"]
    units.update(
        {"vault/0": unit("vault", "127.98.1.1"), "vault/1": unit("vault", "127.98.1.2"), "vault-mysql-router/0": unit("vault-mysql-router", "127.98.1.1")}
    )
    site.answers["juju_status_info"]["status"]["applications"]["vault"] = {}
    site.answers["juju_wait"] = {"addresses": {"vault/0": "127.98.1.1", "vault/1": "127.98.1.2"}}
    site.answers["vault_charm_authorize"] = {"ca": "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----"}
    done, _changed, asked = site.play("vault", "access", openstack_bundle_vault_key_shares=3, openstack_bundle_vault_key_threshold=2)
    assert done.returncode == 0, told(done)
    by_module = {}
    for call in asked:
        by_module.setdefault(call["module"], []).append(call)
    assert by_module["juju_wait"][0]["applications"] == ["vault"]
    (init,) = by_module["vault_init"]
    assert (init["vault_addr"], init["key_shares"], init["key_threshold"]) == ("http://127.98.1.1:8200", 3, 2)
    assert init["keys_file"] == str(site.out / "vault-keys.json")
    assert [call["vault_addr"] for call in by_module["vault_unseal"]] == ["http://127.98.1.1:8200", "http://127.98.1.2:8200"]
    assert (site.out / "root-ca.pem").read_text().startswith("-----BEGIN")
    assert (site.out / "root-ca.pem").stat().st_mode & 0o777 == 0o600
    assert site.cloud()["auth"]["auth_url"].startswith("https://")
    assert site.cloud()["cacert"] == str(site.out / "root-ca.pem")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("http://127.98.0.7:8200", True, None)),
        (
            {"openstack_bundle_vault_scheme": "https", "openstack_bundle_vault_ca_path": "/srv/ca.pem", "openstack_bundle_vault_validate_certs": False},
            ("https://127.98.0.7:8200", False, "/srv/ca.pem"),
        ),
    ],
    ids=["as the charm has it", "with TLS"],
)
def test_every_module_that_speaks_to_vault_knows_how_to_verify_it(site, given, expected):
    site.answers["juju_wait"] = {"addresses": {"vault/0": "127.98.0.7"}}
    done, _changed, asked = site.play("vault", **given)
    assert done.returncode == 0, told(done)
    calls = {call["module"]: call for call in asked if call["module"].startswith("vault_")}
    assert set(calls) == {"vault_init", "vault_unseal", "vault_charm_authorize"}
    assert {(call["vault_addr"], call["validate_certs"], call.get("ca_path")) for call in calls.values()} == {expected}
    assert {call["keys_file"] for call in calls.values()} == {str(site.out / "vault-keys.json")}


def member(number, agent="idle", **more):
    down = {"workload": "blocked", "message": "Cluster is inaccessible from this instance. Please check logs for details."}
    gone = {"workload": "unknown", "message": f"agent lost, see 'juju show-status-log db/{number}'"}
    about = gone if agent == "lost" else down
    return {"name": f"db/{number}", **unit("db", f"127.98.2.{number}"), "machine": str(number), "agent": agent, "leader": number == 0, **about, **more}


def test_a_database_that_does_not_start_without_the_member_that_is_away_is_left_to_a_person(site):
    refusal = "Dba.rebootClusterFromCompleteOutage: Could not determine if Cluster is completely OFFLINE"
    site.answers["juju_status_info"]["status"]["units"] = {f"db/{number}": member(number, "lost" if number == 0 else "idle") for number in range(3)}
    site.answers["juju_status_info"]["status"]["applications"]["db"] = {"charm": "ch:amd64/mysql-innodb-cluster-107"}
    site.answers["juju_status_info"]["status"]["machines"] = {}
    site.answers["juju_action"] = {"failed": True, "msg": "the action failed", "output": {"output": refusal}}
    done, _changed, asked = site.play("recover", openstack_bundle_recover_without=["os-0"])
    said = " ".join(told(done).split())
    assert done.returncode != 0 and "db does not start while db/0 cannot be reached" in said and refusal in said and "docs/recovery.md" in said
    assert [call["unit"] for call in asked if call["module"] == "juju_action"] == ["db/1"], "a leader that is lost answers nobody"
    assert [call["lost_machines"] for call in asked if call["module"] == "juju_wait"] == [["os-0"]]


@pytest.mark.parametrize("known", [True, False])
def test_the_member_with_the_newest_data_is_known_by_any_address_of_its_machine(site, known):
    status = site.answers["juju_status_info"]["status"]
    status["applications"]["db"] = {"charm": "ch:amd64/mysql-innodb-cluster-107"}
    status["units"] = {f"db/{number}": member(number) for number in range(3)}
    status["machines"] = {str(number): {"addresses": [f"127.98.2.{number}", f"127.98.3.{number}"]} for number in range(3)}
    newest = "127.98.3.2" if known else "127.98.4.2"
    refusal = f"the active session instance isn't the most updated. Please use the most up to date instance: '{newest}:3306'."
    refused = {"failed": True, "msg": "the action failed", "output": {"output": refusal}}
    site.answers["juju_action"] = [({"unit": "db/0"}, refused), ({"unit": "db/2"}, {"changed": True})]
    done, _changed, asked = site.play("recover")
    said = " ".join(told(done).split())
    assert [call["unit"] for call in asked if call["module"] == "juju_action"] == (["db/0", "db/2"] if known else ["db/0"]), said
    assert (done.returncode == 0) is known, said
    assert known or "its member at 127.98.4.2 only" in said and "juju run -m openstack UNIT reboot-cluster-from-complete-outage" in said


def test_without_any_unit_of_vault_the_recovery_says_so(site):
    lost = {"name": "vault/0", **unit("vault", "127.98.2.1"), "workload": "unknown", "message": "agent lost", "agent": "lost", "leader": True}
    site.answers["juju_status_info"]["status"]["units"] = {"vault/0": lost}
    done, _changed, asked = site.play("recover", openstack_bundle_recover_without=["os-0"])
    assert done.returncode != 0 and "vault/0 is lost with the machine, and Vault has no other unit" in " ".join(told(done).split())
    assert not [call for call in asked if call["module"].startswith("vault_")]


@pytest.mark.parametrize("unsecure", [False, True])
def test_vault_opens_by_itself_only_when_that_is_asked_for_by_its_name(site, unsecure):
    given = {"openstack_bundle_vault_totally_unsecure_auto_unlock": True} if unsecure else {}
    site.answers["juju_wait"] = {"addresses": {"vault/0": "127.98.0.7"}}
    site.answers["vault_charm_authorize"] = {"ca": "certificate"}
    done, _changed, asked = site.play("compose", "deploy", "vault", **given)
    assert done.returncode == 0, told(done)
    options = next(call for call in asked if call["module"] == "juju_bundle")["bundle"]["applications"]["vault"].get("options", {})
    assert (options.get("totally-unsecure-auto-unlock") is True) == unsecure == (options.get("auto-generate-root-ca-cert") is True)
    assert ("vault_init" in {call["module"] for call in asked}) != unsecure


def test_the_bundle_gets_its_machines(site):
    done, _changed, asked = site.play("compose", "deploy")
    assert done.returncode == 0, told(done)
    (vms,) = [call for call in asked if call["module"] == "maas_vm"]
    assert [vm["hostname"] for vm in vms["vms"]] == [f"os-{number}" for number in range(11)]
    (bundle,) = [call for call in asked if call["module"] == "juju_bundle"]
    assert bundle["machine_map"]["10"] == "vm10"
    assert bundle["machine_map"]["11"] == "metal0"
    assert "vault" in bundle["bundle"]["applications"]
    assert "MAAS cannot switch on" not in done.stdout


@pytest.mark.parametrize("later", [[], ["relate nova-cloud-controller and keystone"]])
def test_clients_of_keystone_are_related_when_it_has_its_certificate(site, later):
    site.answers["juju_bundle"]["later"] = later
    done, _changed, asked = site.play("compose", "deploy", "relate")
    assert done.returncode == 0, told(done)
    looked = ["maas_vm", "maas_machine_info", "maas_machine_info", "juju_bundle"]
    assert [call["module"] for call in asked] == looked + (["juju_wait", "juju_bundle"] if later else [])
    if later:
        *_others, applied, waited, again = asked
        assert waited["applications"] == ["keystone"]
        assert applied["later"] == ["keystone:identity-service"] and again["later"] == []
        assert {name: value for name, value in again.items() if name != "later"} == {name: value for name, value in applied.items() if name != "later"}


def test_who_is_installed_without_a_bmc_is_named(site):
    site.answers["maas_machine_info"] = {"machines": [metal(0), metal(1, "manual")]}
    done, _changed, _asked = site.play("compose", "deploy")
    assert done.returncode == 0 and "MAAS cannot switch on compute1: do it within half an hour" in done.stdout, told(done)


@pytest.mark.parametrize("check", [False, True])
def test_a_machine_that_maas_could_not_install_makes_room(site, check):
    agents = {"down": {"agent-status": {"status": "down"}}, "pending": {"agent-status": {"status": "pending"}}}
    broken = {"instance-status": {"status": "provisioning error", "info": "Failed deployment"}}
    machines = {
        "0": {**agents["pending"], "instance-id": "vm0", "instance-status": {"status": "running"}},
        "1": {**agents["down"], **broken, "instance-id": "metal1"},
        "2": {**agents["down"], **broken, "instance-id": "metal2"},
        "3": {**agents["pending"], **broken, "instance-id": "pending"},
        "4": {"agent-status": {"status": "started"}, **broken, "instance-id": "metal4"},
    }
    # As the controller shows them: what stands on 1 never began, what stands on 2 did.
    units = {f"db/{n}": {"machine": n, "agent-status": {"status": agent}} for n, agent in {"1": "allocating", "2": "lost"}.items()}
    site.answers["juju_status_info"] = {"status": simplify({"machines": machines, "applications": {"db": {"units": units}}})}
    done, _changed, asked = site.play("replace", arguments=["--check"] if check else [])
    assert done.returncode == 0 and "Machine 1 of the model could not be installed (Failed deployment)" in done.stdout, told(done)
    assert [(call["id"], call["state"], call["force"]) for call in asked if call["module"] == "juju_machine"] == [("1", "absent", True), ("3", "absent", True)]
    waits = [call for call in asked if call["module"] == "maas_machine_state"]
    assert [(call["machines"], call["state"]) for call in waits] == ([] if check else [(["metal1"], "released")])


def test_check_mode_on_a_bare_controller_says_so_and_goes_through(site):
    done, changed, asked = site.play("replace", "compose", "deploy", "vault", "settle", "report", arguments=["--check"], juju_connection=None, maas_api_key="")
    assert done.returncode == 0, told(done)
    assert asked == [] and changed == 0
    assert "is not there yet" in done.stdout


def test_check_mode_on_a_cloud_that_would_change_stops_after_the_plan(site):
    done, changed, asked = site.play("compose", "deploy", "vault", "settle", "access", "report", arguments=["--check"])
    assert done.returncode == 0, told(done)
    assert changed == 1
    assert [call["module"] for call in asked] == ["maas_vm", "maas_machine_info", "juju_bundle"]


# --- teardown --------------------------------------------------------------------------------------------------------
FILES = ("vault-keys.json", "clouds.yaml", "openrc", "root-ca.pem")


@pytest.fixture
def built(site):
    """A cloud that is there, with its files: two machines of metal in the model, and one virtual one."""
    site.out.mkdir()
    for name in FILES:
        (site.out / name).write_text("{}")
    machines = {str(number): {"parent": None, "instance_id": number_of, "hostname": name} for number, (name, number_of) in enumerate(MACHINES.items())}
    site.answers["juju_status_info"] = {"status": {"applications": {}, "units": {}, "machines": machines}}
    site.answers["juju_model"] = {"changed": True}
    site.answers["maas_machine_info"] = known("Ready")
    return site


MACHINES = {"compute0": "metal0", "compute1": "metal1", "os-0": "vm0"}


def known(status, missing=()):
    """What MAAS answers: the machines of the cloud, all of them in one status."""
    about = {"juju-model-uuid": "m1", "juju-controller-uuid": "c1"}
    rows = [
        {"hostname": name, "system_id": number, "status": status, "power_type": "lxd" if name == "os-0" else "ipmi", "owner_data": about}
        for name, number in MACHINES.items()
    ]
    return {"machines": rows, "missing": list(missing)}


def left(site):
    return {path.name for path in site.out.iterdir()}


def test_teardown_destroys_the_model_then_the_machines_then_the_files(built):
    (built.out / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"trial": {}, "other": {"auth": 1}}}))
    done, changed, asked = built.play("teardown")
    assert done.returncode == 0, told(done)
    assert changed > 0
    (model,) = [call for call in asked if call["module"] == "juju_model"]
    assert (model["name"], model["state"], model["destroy_storage"], model["force"]) == ("openstack", "absent", True, True)
    assert model["accept_machine_loss"] is False
    (vms,) = [call for call in asked if call["module"] == "maas_vm"]
    assert vms["state"] == "absent" and vms["force"] is False and [vm["hostname"] for vm in vms["vms"]] == ["os-0"]
    assert "maas_machine_state" not in {call["module"] for call in asked}
    looked = [call.get("machines") for call in asked if call["module"] == "maas_machine_info"]
    assert looked[0] is None and set(looked[1]) == {"metal0", "metal1", "vm0"}
    assert left(built) == {"clouds.yaml"}
    assert yaml.safe_load((built.out / "clouds.yaml").read_text()) == {"clouds": {"other": {"auth": 1}}}


def test_a_model_that_does_not_go_takes_no_key_and_no_machine_with_it(built):
    built.answers["juju_model"] = {"failed": True, "msg": "model openstack is left as it is"}
    done, _changed, asked = built.play("teardown", openstack_bundle_teardown_accept_machine_loss=True)
    assert done.returncode != 0 and "is left as it is" in told(done)
    assert [call["accept_machine_loss"] for call in asked if call["module"] == "juju_model"] == [True]
    assert {call["module"] for call in asked} == {"juju_status_info", "maas_machine_info", "juju_model"}
    assert left(built) == set(FILES)


def test_what_juju_left_behind_is_released_with_its_disks_erased_and_nothing_goes_before_it_is_ready(built):
    built.answers["maas_machine_info"] = known("Deployed")
    done, _changed, asked = built.play("teardown")
    (release,) = [call for call in asked if call["module"] == "maas_machine_state"]
    assert release["state"] == "released" and set(release["machines"]) == set(MACHINES.values())
    assert (release["erase"], release["quick_erase"], release["secure_erase"], release["unlock"]) == (True, True, False, False)
    # Here they stay Deployed: that is said, and the keys are still there.
    assert done.returncode != 0 and "Not Ready: compute0, compute1" in told(done)
    assert left(built) == set(FILES)


def test_a_machine_that_maas_has_lost_is_named(built):
    built.answers["maas_machine_info"] = known("Ready", missing=["metal1"])
    done, _changed, _asked = built.play("teardown")
    assert done.returncode != 0 and "MAAS knew compute1 before the model was destroyed" in told(done)
    assert left(built) == set(FILES)


@pytest.mark.parametrize("juju", [True, False])
def test_a_machine_of_somebody_else_is_not_touched_also_when_the_inventory_names_it(built, juju):
    """compute1 was taken by hand; compute0 is what a destroyed model has left behind."""
    built.answers["juju_status_info"] = {"failed": True, "msg": "the controller has no model openstack", "models": ["controllers-own"]}
    region = known("Deployed")
    region["machines"][1]["owner_data"] = {}
    built.answers["maas_machine_info"] = region
    connection = {} if juju else {"juju_connection": ...}
    tell = {"name": "Tell", "ansible.builtin.debug": {"var": "openstack_bundle_losses"}}
    done, _changed, _asked = built.play("losses", then=[tell], **connection)
    assert done.returncode == 0, told(done)
    assert "erased (quick)" in told(done) and "compute0" in told(done) and "compute1" not in told(done)
    done, _changed, asked = built.play("teardown", openstack_bundle_teardown_without_juju=True, juju_controller_uuid="c1", **connection)
    (release,) = [call for call in asked if call["module"] == "maas_machine_state"]
    assert set(release["machines"]) == {"metal0", "vm0"}


def test_a_machine_of_another_model_is_not_touched(built):
    built.answers["juju_status_info"] = {"failed": True, "msg": "the controller has no model openstack", "models": ["m1"]}
    built.answers["maas_machine_info"] = known("Deployed")
    done, _changed, asked = built.play("teardown", juju_controller_uuid="c1")
    # Neither the bare metal nor the virtual machine, though that is called as the cloud's.
    assert not {"maas_machine_state", "maas_vm"} & {call["module"] for call in asked}
    assert "compute0" not in told(done)


@pytest.mark.parametrize("further", [False, True])
def test_machines_are_taken_from_a_silent_controller_only_one_level_further(built, further):
    built.answers["maas_machine_info"] = known("Deployed")
    done, _changed, asked = built.play("teardown", juju_connection=..., openstack_bundle_teardown_without_juju=further)
    assert done.returncode != 0
    assert ("level=orchestrator" in told(done)) != further
    assert ("maas_machine_state" in {call["module"] for call in asked}) == further
    assert left(built) == set(FILES)


def test_where_nothing_can_be_asked_the_keys_stay(built):
    done, changed, asked = built.play("teardown", juju_connection=..., maas_api_key="")
    assert done.returncode == 0, told(done)
    assert changed == 0 and asked == [] and left(built) == set(FILES)
    assert "nobody can tell whether the cloud is gone" in told(done)


def test_check_mode_of_a_teardown_keeps_everything(built):
    built.answers["maas_machine_info"] = known("Deployed")
    done, changed, asked = built.play("teardown", arguments=["--check"])
    assert done.returncode == 0, told(done)
    assert changed > 0 and "maas_machine_state" not in {call["module"] for call in asked}
    (vms,) = [call for call in asked if call["module"] == "maas_vm"]
    assert vms["force"] is True, "in check mode they are not released yet"
    assert left(built) == set(FILES)


def test_losses_are_told_by_name(built, keystone):
    tell = {"name": "Tell", "ansible.builtin.debug": {"var": "openstack_bundle_losses"}}
    done, changed, _asked = built.play("losses", then=[tell])
    assert done.returncode == 0, told(done)
    assert changed == 0
    for words in (
        "openstack, with 0 applications",
        "compute0, compute1, os-0",
        "Virtual machines",
        "vault-keys.json (once the model is gone, and not before)",
        "openrc",
    ):
        assert words in told(done), told(done)
