from __future__ import annotations

import pytest
from ansible_collections.stratus.cloud.plugins.inventory.maas import best_address, filters
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import MaasError


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
