"""Live migration by the charm's options, proven with a server that migrates both ways; read back with openstackclient and the lab's world."""

from __future__ import annotations

from tests.support.site import explain, openstack, play, world

PLAYBOOK = "playbooks/live_migration.yml"


def charm_options() -> dict:
    """The options of nova-compute as the lab's model has them."""
    (model,) = [model for model in world()["juju"]["models"].values() if model["name"] == "openstack"]
    return model["applications"]["nova-compute"]["config"]


def moves() -> list[tuple[str, str]]:
    """(from, to) of the live migrations of probes that are gone by now, the oldest first: what Nova noted as done, and on which host."""

    def nova(*arguments):
        return openstack("--os-compute-api-version", "2.90", *arguments)

    found = []
    for server in nova("server", "list", "--all-projects", "--deleted"):
        if server["Name"].startswith("stratus-probe"):
            for action in nova("server", "event", "list", server["ID"]):
                if action["Action"] == "live-migration":
                    events = nova("server", "event", "show", server["ID"], action["Request ID"])["events"]
                    done = {event["event"]: event["host"].split(".")[0] for event in events if event["result"] == "Success"}
                    found.append((action["Start Time"], done["compute_live_migration"], done["compute_post_live_migration_at_destination"]))
    return [(source, target) for _start, source, target in sorted(found)]


def test_check_mode_tells_the_options_and_moves_nothing():
    before, there = charm_options(), moves()
    done, sums = play(PLAYBOOK, "--check", "--diff", "-e", "live_migration_permit_post_copy=true")
    assert done.returncode == 0, explain(done)
    assert sums["failed"] == 0
    assert "live-migration-permit-post-copy: false -> true" in done.stdout
    assert charm_options() == before
    assert moves() == there


def test_the_options_are_set_and_a_server_migrates_both_ways():
    there = moves()
    done, _sums = play(PLAYBOOK)
    assert done.returncode == 0, explain(done)
    options = charm_options()
    assert options["enable-live-migration"] is True
    assert options["migration-auth-type"] == "ssh"
    assert options["live-migration-permit-auto-converge"] is True
    assert moves()[len(there) :] == [("compute0", "compute1"), ("compute1", "compute0")]
    assert "cannot do QEMU-native TLS" in done.stdout


def test_nothing_of_the_proof_stays():
    for what in (["server", "list", "--all-projects"], ["image", "list"], ["flavor", "list", "--all"], ["network", "list"]):
        assert "stratus-probe" not in str(openstack(*what)), what


def test_a_second_run_changes_nothing():
    done, sums = play(PLAYBOOK, "-e", "live_migration_probe=false")
    assert done.returncode == 0, explain(done)
    assert sums["changed"] == 0, explain(done)


def test_what_the_charm_cannot_do_is_refused_before_the_first_change():
    before = charm_options()
    done, _sums = play(PLAYBOOK, "-e", '{"live_migration_kinds": ["block", "shared"]}')
    assert done.returncode != 0
    assert "The charm sets up no file system that the hosts share" in done.stdout
    assert charm_options() == before
