"""Zun's part of the version matrix against the files that the role installs from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MATRIX = yaml.safe_load((ROOT / "bundles/versions.yml").read_text())["zun"]
TESTED = {release: row for release, row in MATRIX["releases"].items() if row["status"] == "tested"}


def pins(row):
    lines = (ROOT / "roles/zun/files" / row["constraints"]).read_text().splitlines()
    return dict(re.fullmatch(r"([\w.-]+)==([\w.]+)( ; python_version < \"[\d.]+\")?", line).groups()[:2] for line in lines if not line.startswith("#"))


def test_the_default_is_tested():
    assert MATRIX["default"] in TESTED
    assert yaml.safe_load((ROOT / "roles/zun/defaults/main.yml").read_text())["zun_release"] == MATRIX["default"]


@pytest.mark.parametrize("release", TESTED)
def test_the_constraints_hold_what_the_matrix_says(release):
    row, found = TESTED[release], pins(TESTED[release])
    assert (found["zun"], found["kuryr-libnetwork"]) == (row["zun"], row["kuryr_libnetwork"])
    assert {"PyMySQL", "python-memcached", "docker", "pyroute2", "setuptools"} <= set(found)
    # A list of certification authorities should be a fresh one.
    assert "certifi" not in found


@pytest.mark.parametrize("release", sorted(set(MATRIX["releases"]) - set(TESTED)))
def test_the_others_say_why_not(release):
    assert MATRIX["releases"][release]["reason"] and MATRIX["releases"][release]["source"]


def test_every_shipped_set_is_in_the_matrix():
    assert {path.name for path in (ROOT / "roles/zun/files").iterdir()} == {row["constraints"] for row in TESTED.values()}


@pytest.mark.parametrize("release", TESTED)
def test_the_docs_say_the_same(release):
    (row,) = [line for line in (ROOT / "docs/zun.md").read_text().splitlines() if line.startswith(f"| `{release}`")]
    told = [cell.strip() for cell in row.split("|")[2:4]]
    assert told == [TESTED[release]["zun"], ", ".join(TESTED[release]["python"])]
