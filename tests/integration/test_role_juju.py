"""What a teardown takes of the Juju controller's machine, and whose it leaves: the role juju with modules that answer from a script."""

from __future__ import annotations

import pytest

from tests.support.role_play import RolePlay, told

OWN, OTHER = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
WRITES = ("maas_vm", "maas_tag", "juju_controller", "juju_credential", "juju_cloud")


class Juju(RolePlay):
    role = "juju"
    stubbed = ("juju_controller_info", "maas_machine_info", "maas_tag_info", *WRITES)

    def region(self, known=None, tagged=(), **machine):
        """``known``: the UUID by which the client knows its controller. ``tagged``: who else has the tag. ``machine``: what the machine is like."""
        row = {"hostname": "juju-machine", "system_id": "jm0000", "status": "Deployed", "power_type": "lxd", "owner_data": {}, **machine}
        about = {"uuid": known, "endpoint": ["10.0.0.1:17070"]} if known else None
        self.answers["juju_controller_info"] = {"exists": known is not None, "controller": about, "answers": known is not None}
        carry = [{"hostname": name, "system_id": name} for name in tagged]
        self.answers["maas_machine_info"] = [[{"tags": ["juju"]}, {"machines": [row, *carry]}], [{}, {"machines": [row], "missing": []}]]
        self.answers["maas_tag_info"] = {"tags": [{"name": "juju"}]}
        return self

    def ends(self):
        """What was written, by module, and what was said would go."""
        show = {"name": "Losses", "ansible.builtin.debug": {"msg": "LOST {{ juju_losses | map(attribute='of') | join(' / ') }}"}}
        done, _changed, asked = self.play("losses", "teardown_controller", then=[show], ansible_become=False, juju_teardown_host=False)
        assert done.returncode == 0, told(done)
        return {one["module"]: one for one in asked if one["module"] in WRITES}, done.stdout


@pytest.fixture
def site(tmp_path):
    return Juju(tmp_path)


def test_its_machine_goes_and_the_tag_that_nobody_else_has(site):
    written, said = site.region(known=OWN, owner_data={"juju-controller-uuid": OWN}).ends()
    assert written["maas_vm"]["vms"] == [{"hostname": "juju-machine"}] and written["maas_tag"]["state"] == "absent"
    assert "juju-machine (Deployed)" in said


def test_another_controllers_machine_stays_and_is_not_told_as_lost(site):
    written, said = site.region(known=OWN, owner_data={"juju-controller-uuid": OTHER}).ends()
    assert not {"maas_vm", "maas_tag"} & set(written)
    assert f"juju-machine stays in MAAS: it belongs to another Juju controller ({OTHER})." in said
    assert "juju-machine (" not in said.partition("LOST")[2]


def test_one_that_was_given_as_bare_metal_stays(site):
    written, said = site.region(known=OWN, power_type="ipmi").ends()
    assert "maas_vm" not in written and "it is no virtual machine (MAAS powers it by ipmi)" in said


def test_what_the_client_knows_no_more_is_asked_for_by_name(site):
    """The client's files are lost, or the region is another cloud's: whoever answers the question has to see it."""
    written, said = site.region(owner_data={"juju-controller-uuid": OTHER}).ends()
    assert f"juju-machine (Deployed for a Juju controller that the client here does not know ({OTHER}))" in said
    assert "maas_vm" in written


def test_a_tag_that_others_have_stays(site):
    written, _said = site.region(known=OWN, tagged=["somebodys"]).ends()
    assert "maas_vm" in written and "maas_tag" not in written
