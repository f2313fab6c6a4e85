"""Parsers of what people write: whatever comes, the answer is a list of problems or one clear fault, never a traceback."""

from __future__ import annotations

import os

from ansible_collections.stratus.cloud.plugins.module_utils import preflight
from ansible_collections.stratus.cloud.plugins.module_utils.juju import bundle, constraints, status
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import JujuFault
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# The same examples each time, so that a failure tells of a change; STRATUS_FUZZ=1 looks for new ones.
SETTINGS = settings(
    max_examples=150, deadline=None, derandomize="STRATUS_FUZZ" not in os.environ, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-5, 2**40), st.floats(allow_nan=False), st.text(max_size=12))
anything = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.text(max_size=6), st.integers(0, 9)), inner, max_size=3))
)
BUNDLE_WORDS = (
    "0 1 lxd:0 new lxd:new keystone keystone:db mysql:db vault ch:amd64/vault cs:vault-3 2023.1/stable jammy ubuntu@22.04 mem=4G tags=a include-file:///no"
)
SITE_WORDS = "http://[ 10.42.0.1 10.42.0.0/16 ::1 52:54:00:10:00:01"
words = st.sampled_from([*BUNDLE_WORDS.split(), *SITE_WORDS.split(), "{{ 1/0 }}", "a\nb", "\x1b[31mred"])
value = st.one_of(words, anything)


def mapping(*keys: str):
    """Dictionaries with some of these keys, and sometimes another."""
    known = st.fixed_dictionaries({}, optional=dict.fromkeys(keys, value))
    return st.one_of(
        known, st.builds(lambda one, other: {**one, **other}, known, st.dictionaries(st.one_of(st.text(max_size=5), st.integers()), value, max_size=1))
    )


applications = st.one_of(value, st.dictionaries(st.one_of(words, st.integers()), st.one_of(value, mapping(*bundle.APPLICATION_KEYS)), max_size=3))
bundles = st.one_of(
    anything,
    st.builds(
        lambda rest, apps, machines, relations: {**rest, "applications": apps, "machines": machines, "relations": relations},
        mapping(*bundle.BUNDLE_KEYS),
        applications,
        st.one_of(value, st.dictionaries(st.one_of(words, st.integers(0, 3)), st.one_of(value, mapping(*bundle.MACHINE_KEYS)), max_size=3)),
        st.one_of(value, st.lists(st.one_of(value, st.lists(value, max_size=3)), max_size=3)),
    ),
)


@SETTINGS
@given(bundles)
def test_a_bundle_has_problems_or_a_plain_form(made):
    found = bundle.problems(made)
    assert all(isinstance(line, str) for line in found)
    if not found:
        assert set(bundle.normal(made)) == {"base", "machines", "applications", "relations"}
        bundle.machines(made)


@SETTINGS
@given(st.one_of(st.text(max_size=80), bundles.filter(lambda made: isinstance(made, dict)), words), st.lists(bundles, max_size=2))
def test_reading_a_bundle_ends_in_a_bundle_or_a_fault(source, overlays):
    try:
        assert isinstance(bundle.load(source, overlays), dict)
    except JujuFault as error:
        assert str(error)


@SETTINGS
@given(value)
def test_constraints(text):
    try:
        assert isinstance(constraints.parse(text), dict)
    except ValueError as error:
        assert str(error)


SITE = [*preflight.REQUIRED, "maas_reserved_ranges", "maas_machines", "maas_upstream_dns", "openstack_bundle_overlays"]
SECRET = "hunter2-never-shown"


@SETTINGS
@given(
    mapping(*SITE),
    st.fixed_dictionaries({"start": value, "end": value}),
    st.lists(st.one_of(value, mapping("start", "end", "comment")), max_size=3),
    st.dictionaries(
        st.sampled_from(["compute0", "compute1"]),
        st.one_of(mapping("mac_addresses", "bmc"), st.fixed_dictionaries({"bmc": mapping("type", "address", "user", "password")})),
        max_size=2,
    ),
)
def test_preflight_finds_problems_in_whatever_a_site_says(variables, dynamic, reserved, machines):
    site = preflight.Site(
        variables={**variables, "maas_dynamic_range": dynamic, "maas_reserved_ranges": reserved, "maas_admin_password": SECRET},
        machines=machines,
        compute=list(machines),
    )
    found = preflight.site_problems(site)
    assert SECRET not in preflight.render(found)


statuses = st.fixed_dictionaries({"status": st.text(max_size=8), "info": st.text(max_size=20), "since": st.one_of(st.none(), st.text(max_size=30))})
unit = st.fixed_dictionaries({}, optional={"workload-status": statuses, "agent-status": statuses, "machine": st.text(max_size=5), "leader": st.booleans()})
names = st.from_regex(r"[a-z]{1,5}/[0-9]{1,2}", fullmatch=True)


@SETTINGS
@given(
    st.dictionaries(
        st.text(max_size=6),
        st.fixed_dictionaries({}, optional={"units": st.dictionaries(names, unit, max_size=3), "status": statuses, "life": st.text(max_size=4)}),
        max_size=3,
    ),
    st.dictionaries(
        st.from_regex(r"[0-9]{1,2}", fullmatch=True), st.fixed_dictionaries({}, optional={"instance-status": statuses, "agent-status": statuses}), max_size=3
    ),
)
def test_a_status_is_read_as_it_comes(applications, machines):
    read = status.simplify({"applications": applications, "machines": machines})
    assert set(read["applications"]) == set(applications) and set(read["machines"]) == set(machines)
    list(status.sights(read))
