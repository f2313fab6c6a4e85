"""The role live_migration in the mode charm: which options it sets, and which it puts back."""

from __future__ import annotations

import pytest

from tests.support.role_play import RolePlay, told

SETTINGS = {
    "live_migration_api_host": "here",
    "live_migration_charm_network": "10.43.0.0/24",
    "live_migration_cpu_mode": "host-model",
    "live_migration_charm_options": {"libvirt-image-backend": "rbd", "live-migration-completion-timeout": 1200},
}


class Site(RolePlay):
    role = "live_migration"
    stubbed = ("juju_application", "juju_wait")


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def options(site, entry_point):
    done, _changed, asked = site.play(entry_point, **SETTINGS)
    assert done.returncode == 0, told(done)
    return next(call["options"] for call in asked if call["module"] == "juju_application")


def test_teardown_puts_back_what_is_about_migrations_alone(site):
    """Servers' disks, their processor, and what the bundles set themselves stay as they are."""
    given = options(site, "main")
    assert given["libvirt-image-backend"] == "rbd" and given["enable-live-migration"] is True and given["cpu-mode"] == "host-model"
    kept = {"libvirt-image-backend", "enable-live-migration", "migration-auth-type", "cpu-mode"}
    assert options(site, "teardown") == dict.fromkeys(set(given) - kept)
