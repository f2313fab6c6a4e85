from __future__ import annotations

import ansible.template
import pytest
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible_collections.stratus.cloud.plugins.inventory.maas import InventoryModule, best_address, filters, name_of
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import MaasError

# Before ansible-core 2.19 every text is a template unless it is marked as none.
trusted = getattr(ansible.template, "trust_as_template", str)


@pytest.mark.parametrize(
    ("addresses", "networks", "expected"),
    [
        (["198.51.100.7", "10.42.0.100"], ["10.42.0.0/16"], "10.42.0.100"),
        (["198.51.100.7", "10.42.0.100"], [], "198.51.100.7"),
        (["198.51.100.7"], ["10.42.0.0/16"], "198.51.100.7"),
        (["fd00::1", "10.42.0.100"], ["10.42.0.0/16", "fd00::/64"], "10.42.0.100"),
        ([None, ""], ["10.42.0.0/16"], None),
    ],
)
def test_the_best_address(addresses, networks, expected):
    assert best_address(addresses, networks) == expected


def test_filters_are_the_regions_own():
    assert filters([], [], [], []) == {}
    assert filters(["a", "b"], [], ["kvm"], ["Deployed", "failed testing"]) == {
        "pool": ["a", "b"],
        "tags": ["kvm"],
        "status": ["deployed", "failed_testing"],
    }
    with pytest.raises(MaasError, match="no status 'Melted'"):
        filters([], [], [], ["Melted"])


# -- what a region says is no template; on every supported ansible-core --------------------------------------------------------------
def plugin(kind, **options):
    """An inventory plugin with an empty inventory."""
    made = kind()
    made.inventory, made.templar = InventoryData(), ansible.template.Templar(DataLoader())
    made.get_option = {"strict": True, "leading_separator": True, **options}.get
    return made


def shown(inventory, host):
    """The variables of a host as a task sees them: each resolved."""
    variables = inventory.get_host(host).get_vars()
    templar = ansible.template.Templar(DataLoader(), variables=variables)
    return {name: templar.template(trusted("{{ " + name + " }}")) for name in variables}


def hostile(canary):
    return "{{ 7331 * 1009 }}{{ lookup('ansible.builtin.pipe', 'touch " + str(canary) + "') }}"


def test_texts_of_a_region_are_no_templates(tmp_path):
    text = hostile(tmp_path / "canary")
    machine = {
        "hostname": "compute0", "description": text, "status_message": text, "tags": [text, "kvm"], "pool": text, "zone": "north", "status": "Ready",
        "interfaces": [{"name": text, "links": [{"mode": text}]}], "ip_addresses": ["10.42.0.100"], "cpu_count": 4,
    }  # fmt: skip
    made = plugin(
        InventoryModule,
        hostname="hostname", networks=[], group_by=["pool", "zone", "tag", "status"],
        compose={"one": trusted("maas_description"), "joined": trusted("'<' ~ maas_description ~ '>'"), "tag": trusted("maas_tags[0]")},
        groups={"many": trusted("maas_cpu_count > 2"), "north": trusted("maas_zone == 'north'")}, keyed_groups=[{"key": trusted("maas_pool"), "prefix": "in"}],
    )  # fmt: skip
    made._add(machine)
    found = shown(made.inventory, "compute0")
    assert not (tmp_path / "canary").exists(), "it was executed"
    assert {name: found[f"maas_{name}"] for name in machine} == machine
    assert (found["one"], found["joined"], found["tag"], found["ansible_host"]) == (text, f"<{text}>", text, "10.42.0.100")
    assert {"many", "north", "tag_kvm", "zone_north", "status_ready"} <= set(found["group_names"])
    assert all(name.isidentifier() for name in found["group_names"]), "no group's name is more than a name"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("compute0.rack-1.example", "compute0.rack-1.example"),
        ("{{ 1 }}", "___1___"),
        ("-oProxyCommand=x", "_oProxyCommand_x"),
        ("a\x1b[31m\nb", "a__31m_b"),
        ("all:!b", "all__b"),
    ],
)
def test_a_hosts_name_is_nothing_but_a_name(text, expected):
    assert name_of(text) == expected
