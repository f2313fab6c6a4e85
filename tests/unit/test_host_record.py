"""The module host_record and its record: what came is told from what was there, whatever was cut short in between."""

from __future__ import annotations

import json

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils import host_record as records

from tests.support.run_module import run_module

HERE = {"packages": ["bash", "dpkg"], "snaps": [], "users": ["root"], "groups": ["root"], "subuids": [], "subgids": []}
MORE = {
    "packages": ["bash", "dpkg", "libpq5:amd64", "postgresql"],
    "snaps": ["core22", "maas"],
    "users": ["postgres", "root"],
    "groups": ["postgres", "root"],
    "subuids": ["root:1:2"],
    "subgids": [],
}
CAME = {
    "packages": ["libpq5:amd64", "postgresql"],
    "snaps": ["core22", "maas"],
    "users": ["postgres"],
    "groups": ["postgres"],
    "subuids": ["root:1:2"],
    "subgids": [],
}
ASKED = {"packages": ["postgresql"], "snaps": ["maas"]}
LISTING = (
    "bash\tinstalled\t\t, , \nfoo\tconfig-files\t\t, , \n"
    "postgresql\tinstalled\t\tdebconf (>= 1) | debconf-2.0, libpq5:any (>= 15), nowhere, \nlibpq5:amd64\tinstalled\t\t, libc6, htop\n"
)
NEEDS = {
    "packages": records.packages(LISTING + "htop\tinstalled\t\t, , bash\nnftables\tinstalled\t\t, , \n"),
    "snaps": {"maas": (set(), {"core22", "snapd"}), "core22": (set(), set()), "hello": (set(), {"core22"})},
}


def scripts(packages):
    return "adduser --system --ingroup postgres postgres\nusermod --add-subuids 1-2 root" if "postgresql" in packages else ""


def end(record, now):
    return records.end(record, now, NEEDS, manual=["bash", "htop"], scripts=scripts)


def test_installed_packages_are_told_from_their_remains():
    assert list(records.packages(LISTING)) == ["bash", "postgresql", "libpq5:amd64"]
    assert records.missing(["libpq5", "bash", "nginx"], ["bash", "libpq5:amd64"]) == ["nginx"]


def test_what_a_package_needs_is_followed_through_names_that_others_provide():
    installed = records.packages(
        "web\tinstalled\t\t, mta | default-mta, \nexim:amd64\tinstalled\tmta (= 1)\t, tls:any (>= 1), web\n"
        "tls\tinstalled\t\t, , \nother\tinstalled\t\t, tls, \n"
    )
    assert records.closure({"web:amd64", "nowhere"}, installed) == {"web", "exim:amd64", "tls"}


def test_what_a_snap_needs():
    text = "name: gui\nbase: core22\nplugs:\n  gtk:\n    interface: content\n    default-provider: gtk-themes:icons\n"
    assert records.snap_needs(text) == {"snapd", "core22", "gtk-themes"}
    assert records.snap_needs("name: old\n") == {"snapd", "core"}


def test_only_the_systems_own_accounts_count():
    assert records.accounts("root:x:0:0:::\npostgres:x:105:\nalice:x:1000:\nsnap_daemon:x:584788:\n+::::::\n\n") == ["postgres", "root"]


def test_what_comes_between_beginning_and_end_is_ours():
    record = records.begin({}, HERE, ASKED)
    assert record == {"installing": {**HERE, "asked": ASKED}}
    assert end(record, MORE) == CAME


def test_a_second_installation_adds_to_the_first():
    record = end(records.begin({}, HERE, ASKED), MORE)
    with_nft = {**MORE, "packages": [*MORE["packages"], "nftables"]}
    record = records.begin(record, MORE, {"packages": ["nftables"], "snaps": []})
    assert end(record, with_nft)["packages"] == ["libpq5:amd64", "nftables", "postgresql"]


def test_what_somebody_else_installed_in_between_is_not():
    record = end(records.begin({}, HERE, ASKED), MORE)
    with_htop = {**MORE, "packages": [*MORE["packages"], "htop"]}
    with_both = {**MORE, "packages": [*MORE["packages"], "htop", "nftables"]}
    assert "htop" not in end(records.begin(record, with_htop, {"packages": ["nftables"], "snaps": []}), with_both)["packages"]


def test_a_run_that_was_cut_short_counts_from_its_own_beginning():
    record = records.begin({}, HERE, ASKED)
    assert records.begin(record, MORE, ASKED) == record
    assert end(records.begin(record, MORE, ASKED), MORE) == CAME
    both = records.begin(record, MORE, {"packages": ["nftables"], "snaps": []})
    assert both["installing"]["asked"] == {"packages": ["nftables", "postgresql"], "snaps": ["maas"]}


def test_after_a_run_that_died_what_others_brought_meanwhile_is_theirs():
    """htop is recommended by one of ours and was asked for by somebody; nftables, hello, git and mirror have nothing to do with ours."""
    meanwhile = {
        "packages": [*MORE["packages"], "htop", "nftables"],
        "snaps": [*MORE["snaps"], "hello"],
        "users": [*MORE["users"], "git", "mirror"],
        "groups": [*MORE["groups"], "git"],
        "subuids": [*MORE["subuids"], "mirror:5:6"],
        "subgids": ["git:1:2"],
    }
    record = records.begin({}, HERE, ASKED)
    assert end(record, meanwhile) == CAME
    del record["installing"]["asked"]
    assert end(record, MORE) == {kind: [] for kind in CAME}, "a record of before this rule says not what was asked for"


def test_what_has_gone_again_is_forgotten():
    record = end(records.begin({}, HERE, ASKED), MORE)
    assert end(records.begin(record, HERE, ASKED), HERE)["packages"] == []


def test_the_end_of_nothing_changes_nothing():
    assert end({"packages": ["x"]}, MORE) == {"packages": ["x"]}


def test_the_first_value_wins():
    record = records.keep({}, {"sysctl": {"net.ipv4.ip_forward": "0"}})
    record = records.keep(record, {"sysctl": {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "0"}, "services": {}})
    assert record["kept"]["sysctl"] == {"net.ipv4.ip_forward": "0", "net.ipv6.conf.all.forwarding": "0"}
    assert records.keep({}, {}) == {}


@pytest.mark.parametrize(
    ("there", "noted"),
    [
        ([], ["/root"]),
        (["/root"], ["/root/.local"]),
        (["/root", "/root/.local"], ["/root/.local/share"]),
        (["/root", "/root/.local", "/root/.local/share", "/root/.local/share/juju"], []),
    ],
)
def test_the_topmost_directory_that_is_missing_is_noted(there, noted):
    record = records.note_directories({}, ["/root/.local/share/juju"], exists=there.__contains__)
    assert record.get("directories", []) == noted


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with a dpkg-query and an apt-mark of its own; ``host(**options)`` runs the module."""
    programs = tmp_path / "bin"
    programs.mkdir()
    listing = tmp_path / "listing"
    listing.write_text("bash\tinstalled\t\t, , \n")
    for name, text in (("dpkg-query", f"cat {listing}"), ("apt-mark", "echo somebodys-own")):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")

    def run(check=False, **options):
        return run_module("host_record", {"path": str(tmp_path / "stratus" / "record.json"), **options}, tmp_path, check=check)

    run.file = tmp_path / "stratus" / "record.json"
    # Each of them needs the one after it.
    run.install = lambda *names: listing.write_text("".join(f"{name}\tinstalled\t\t, {after}, \n" for name, after in zip(names, (*names[1:], ""), strict=True)))
    return run


def test_an_installation_from_beginning_to_end(host):
    answer = host(state="installing", packages=["bash"])
    assert not answer["changed"] and answer["missing"] == [] and not host.file.exists()

    assert host(check=True, state="installing", packages=["nftables"])["changed"]
    assert not host.file.exists()
    answer = host(state="installing", packages=["nftables"])
    assert answer["changed"] and answer["missing"] == ["nftables"]
    assert host.file.stat().st_mode & 0o777 == 0o600 and host.file.parent.stat().st_mode & 0o777 == 0o700

    host.install("nftables", "libnftnl11:amd64", "somebodys-own")
    answer = host(state="installed")
    assert answer["changed"] and answer["record"]["packages"] == ["libnftnl11:amd64", "nftables"]
    assert not host(state="installed")["changed"]
    assert not host(state="installing", packages=["nftables"])["changed"]


def test_an_end_that_was_never_noted_is_made_good_by_the_next_run(host):
    host(state="installing", packages=["nftables"])
    host.install("nftables")
    answer = host(state="installing", packages=["nftables"])
    assert answer["changed"] and answer["missing"] == [] and answer["record"]["packages"] == ["nftables"]


def test_values_directories_and_the_end(host, tmp_path):
    values = {"keep": {"sysctl": {"net.ipv4.ip_forward": "0"}}, "directories": [str(tmp_path / "a" / "b")]}
    answer = host(**values)
    assert answer["changed"] and answer["record"]["directories"] == [str(tmp_path / "a")]
    assert answer["diff"]["before"] == {} and answer["diff"]["after"]["kept"] == values["keep"]
    assert not host(**values)["changed"]
    assert host()["record"]["kept"] == values["keep"]

    assert host(check=True, state="absent")["changed"] and host.file.exists()
    assert host(state="absent")["changed"] and not host.file.parent.exists()
    assert not host(state="absent")["changed"]


def test_what_others_keep_beside_the_record_stays(host):
    host(keep={"a": {"b": 1}})
    (host.file.parent / "netplan").mkdir()
    assert host(state="absent")["changed"]
    assert not host.file.exists() and host.file.parent.is_dir()


def test_a_record_that_cannot_be_read_is_a_sentence_and_stays(host):
    host(keep={"a": {"b": 1}})
    host.file.write_text("{")
    answer = host(state="absent")
    assert answer.failed and "of how this host was cannot be used" in answer["msg"]
    assert host.file.read_text() == "{"
    host.file.write_text(json.dumps({"kept": {}}))
