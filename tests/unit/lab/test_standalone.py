"""The hosts of molecule's scenarios, as their files describe them."""

from __future__ import annotations

import ipaddress

import pytest

from lab.hosts import network, standalone
from lab.paths import CHECKOUT

SCENARIOS = sorted(file.parent.name for file in CHECKOUT.glob("molecule/*/molecule.yml"))


def test_addresses_are_nobody_elses_and_the_first_one_is_reached_from_this_machine():
    taken = {address.split("/")[0]: "this machine" for address in network.MOLECULE.addresses.values()}
    for scenario in SCENARIOS:
        for platform in standalone.platforms(scenario):
            nics = standalone.nics(platform)
            bridge = ipaddress.ip_interface(network.MOLECULE.addresses[nics[0].bridge])
            assert ipaddress.ip_interface(nics[0].address).network == bridge.network, f"{scenario}: {nics[0].address}"
            for nic in nics:
                if nic.ip:
                    assert nic.ip not in taken, f"{scenario}: {nic.ip} belongs to {taken.get(nic.ip)}"
                    taken[nic.ip] = scenario


def test_the_lab_and_molecule_may_be_up_at_once():
    lab, molecule = network.PLANS
    assert not set(lab.addresses) & set(molecule.addresses)
    assert not any(mine.overlaps(other) for mine in lab.networks() for other in molecule.networks())
    assert lab.table != molecule.table and not lab.alias.startswith(molecule.alias) and standalone.GROUP != standalone.cgroup.LAB


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_molecule_reaches_the_first_address_of_each_host(scenario):
    known = {instance["instance"]: instance["address"] for instance in standalone.instances(scenario)}
    assert known == {platform["name"]: platform["nics"][0]["address"].split("/")[0] for platform in standalone.platforms(scenario)}


def test_a_scenario_that_is_not_there_is_named():
    with pytest.raises(standalone.Stop, match="no scenario nowhere"):
        standalone.platforms("nowhere")
