"""Where the role maas gets its key from: a region that is not there, one whose database still starts, and one that lost it. A script stands for the snap."""

from __future__ import annotations

import pytest

from tests.support.role_play import RolePlay, told

LOST = 'django.db.utils.OperationalError: connection to server at "localhost", port 5432 failed: FATAL:  the database system is starting up'
NO_COMMAND = "maas: error: argument COMMAND: invalid choice: 'apikey'"


class Site(RolePlay):
    role = "maas"

    def __init__(self, folder):
        super().__init__(folder)
        self.maas, self.calls = folder / "maas", folder / "calls"
        tasks = folder / "collections/ansible_collections/stratus/cloud/roles/maas/tasks/api_key.yml"
        # The clock is the count of the calls, two seconds each: how loaded this machine is does not matter.
        clock = f"(2 * lookup('ansible.builtin.pipe', 'cat {self.calls} 2>/dev/null | wc -l') | int)"
        text = tasks.read_text()
        assert text.count("now(utc=true).timestamp()") == 2
        tasks.write_text(text.replace("/snap/bin/maas", str(self.maas)).replace("now(utc=true).timestamp()", clock))

    def answers_after(self, refusals: int, code: int = 1, words: str = LOST) -> None:
        self.maas.write_text(
            f"#!/bin/sh\necho x >> {self.calls}\n[ $(wc -l < {self.calls}) -gt {refusals} ] && echo a:b:c && exit\ncat >&2 <<'END'\n{words}\nEND\nexit {code}\n"
        )
        self.maas.chmod(0o755)

    def key(self, *arguments, **given):
        """(what was printed, exit code, how often the region was asked)"""
        tell = {"name": "Tell", "ansible.builtin.debug": {"msg": "the key is {{ maas_api_key | default('unknown') }}"}}
        needed = {"maas_subnet_cidr": "10.0.0.0/24", "maas_gateway_ip": "10.0.0.1", "maas_dynamic_range": {"start": "10.0.0.5", "end": "10.0.0.9"}}
        done, _changed, _asked = self.play(
            "api_key", arguments=arguments, then=[tell], maas_api_key=..., ansible_become=False, postgres_password="unused", **needed, **given
        )
        asked = len(self.calls.read_text().splitlines()) if self.calls.exists() else 0
        return " ".join(told(done).split()), done.returncode, asked


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_after_a_power_cut_the_database_is_given_the_time_to_start(site):
    site.answers_after(2)
    said, code, asked = site.key(maas_api_key_wait=True, maas_ready_timeout=60)
    assert code == 0 and asked == 3 and "the key is a:b:c" in said


def test_a_database_that_does_not_start_is_told_when_the_time_is_over(site):
    site.answers_after(99)
    said, code, asked = site.key(maas_api_key_wait=True, maas_ready_timeout=5)
    assert code != 0 and asked == 3 and "cannot reach its database" in said and "the database system is starting up" in said
    assert "not installed" not in said


@pytest.mark.parametrize("required", [True, False])
def test_without_a_recovery_a_lost_database_is_told_at_once(site, required):
    site.answers_after(99)
    said, code, asked = site.key(maas_api_key_required=required)
    assert code != 0 and asked == 1 and "cannot reach its database" in said and "not installed" not in said


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("wait", [True, False])
def test_a_bare_controller_is_told_at_once(site, there, wait):
    if there:
        site.answers_after(99, 2, NO_COMMAND)
    said, code, asked = site.key(maas_api_key_wait=wait)
    assert code != 0 and asked == there and "MAAS is not installed or not initialised there" in said


def test_a_check_of_a_run_that_would_start_the_database_goes_on(site):
    site.answers_after(99)
    said, code, asked = site.key("--check")
    assert code == 0 and asked == 1 and "MAAS cannot reach its database, so check mode cannot ask the region" in said
