"""The pure parts of the lab's hosts: addresses, generated configuration, what is taken from the machine."""

from __future__ import annotations

import fcntl
import ipaddress
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from lab import __main__ as command
from lab.hosts import bmc, bmc_door, bmc_power, compute, network, nspawn, tree
from lab.paths import Paths


# -- names and addresses -------------------------------------------------------------------------------------------------
def test_interface_names_fit_and_differ():
    names = {nspawn.veth_name(host, nic) for host in ("controller", "openstack", "compute0", "compute1", "a-very-long-host-name") for nic in ("eno2", "enp1s0")}
    assert len(names) == 10
    assert all(len(name) <= 15 for name in names)
    assert nspawn.veth_name("controller", "eno2") == "controller.eno2"


def test_macs_are_stable_local_and_different():
    first = nspawn.mac_of("compute0", "enp1s0")
    assert first == nspawn.mac_of("compute0", "enp1s0")
    assert first != nspawn.mac_of("compute1", "enp1s0")
    assert int(first.split(":")[0], 16) & 3 == 2


def test_networks_do_not_overlap_and_leave_the_controller_its_address():
    networks = [ipaddress.ip_interface(address).network for address in network.ADDRESSES.values()]
    assert not networks[0].overlaps(networks[1])
    assert ipaddress.ip_address("198.51.100.2") in networks[0]
    assert "10.42.0.1" not in [address.split("/")[0] for address in network.ADDRESSES.values()]


def test_a_network_in_use_is_told():
    def link(name, address, prefix):
        return {"ifname": name, "addr_info": [{"family": "inet", "local": address, "prefixlen": prefix}]}

    assert network.conflict([link("eth0", "192.0.2.2", 24), link("lo", "127.0.0.1", 8), link(network.PRIVATE, "10.42.0.9", 16)]) is None
    said = network.conflict([link("cni0", "10.42.3.1", 24)])
    assert said and "cni0" in said and "10.42.3.0/24" in said and "10.42.0.0/16" in said
    assert "eth1" in network.conflict([link("eth1", "10.0.0.5", 8)])


def test_nat_is_for_the_uplink_only():
    rules = network.ruleset()
    assert "198.51.100.0/24" in rules and "10.42." not in rules
    assert rules.count(f"table ip {network.LAB.table}") == 3


# -- generated configuration ---------------------------------------------------------------------------------------------
def test_netplan():
    nics = [
        nspawn.Nic("eno2", "b0", "198.51.100.2/24", gateway="198.51.100.1", dns=["192.0.2.53"]),
        nspawn.Nic("eno3", "b1", "10.42.0.1/16"),
        nspawn.Nic("eno4", "b1"),
    ]
    made = yaml.safe_load(nspawn.netplan(nics))["network"]
    assert made["renderer"] == "networkd" and made["version"] == 2
    assert made["ethernets"]["eno2"] == {
        "dhcp4": False, "dhcp6": False, "addresses": ["198.51.100.2/24"], "routes": [{"to": "default", "via": "198.51.100.1"}],
        "nameservers": {"addresses": ["192.0.2.53"]},
    }  # fmt: skip
    assert made["ethernets"]["eno3"] == {"dhcp4": False, "dhcp6": False, "addresses": ["10.42.0.1/16"]}
    assert made["ethernets"]["eno4"] == {"dhcp4": False, "dhcp6": False}


def test_bmc_configuration():
    text = bmc.lan_conf("compute3", "10.42.0.23", 623, "root", "s3cret", "python power.py sock compute3")
    assert "addr 10.42.0.23 623" in text
    assert 'user 2 true "root" "s3cret" admin' in text
    assert 'chassis_control "python power.py sock compute3"' in text
    guid = text.split("guid ")[1].split()[0]
    assert len(guid) == 32 and bytes.fromhex(guid)


def test_bmc_power_speaks_the_simulators_words(monkeypatch, capsys):
    calls = []

    def ask(path, machine, state=None):
        calls.append((machine, state))
        return state or "on"

    monkeypatch.setattr(bmc_power, "ask", ask)
    bmc_power.main("sock", "compute0", "get", "power", "boot")
    assert capsys.readouterr().out == "power:1\nboot:pxe\n"
    bmc_power.main("sock", "compute0", "set", "power", "0")
    bmc_power.main("sock", "compute0", "set", "reset", "1")
    bmc_power.main("sock", "compute0", "check", "power")
    assert calls == [("compute0", None), ("compute0", "off"), ("compute0", "off"), ("compute0", "on")]


def test_cipher_suites_are_told_before_a_session():
    packet = bytes.fromhex("0600ff07060000000000000000000a002018c88104540e008099")
    answer = bmc_door.cipher_suites(packet)
    told = answer[16:]
    assert answer[:14] == packet[:14] and answer[14:16] == bytes([len(told), 0])
    assert told[:2] == bytes([0x81, 0x1C]) and told[3:7] == bytes([0x20, 0x04, 0x54, 0x00])
    assert sum(told[:3]) & 0xFF == 0 and sum(told[3:]) & 0xFF == 0
    assert bmc_door.SUITES in told
    assert bmc_door.cipher_suites(packet.replace(b"\x54", b"\x38")) is None
    assert bmc_door.cipher_suites(b"") is None


# -- what is taken from the machine --------------------------------------------------------------------------------------
def machine(tmp_path: Path, **files: str) -> Path:
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / "etc/apt" / name.replace("__", "/").replace("_dot_", ".")).write_text(text)
    return tmp_path


def test_apt_sources_of_this_suite_only(tmp_path):
    root = machine(
        tmp_path,
        sources_dot_list="deb [arch=amd64 signed-by=/k.gpg] http://one.example/debian bookworm main contrib # words\n"
        "# deb http://no bookworm main\ndeb-src http://no bookworm main\n",
        **{
            "sources_dot_list_dot_d__a_dot_sources": "Types: deb\nURIs: http://two.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n"
            "Enabled: no\nTypes: deb\nURIs: http://off.example\nSuites: bookworm\nComponents: main\n",
            "sources_dot_list_dot_d__b_dot_sources": "Types: deb\nURIs: http://node.example\nSuites: nodistro\nComponents: main\n",
            "sources_dot_list_dot_d__c_dot_list": "deb http://three.example/security bookworm-security main\n",
        },
    )
    found = tree.apt_sources(root)
    stanzas = [dict(line.split(": ", 1) for line in stanza.splitlines()) for stanza in found.strip().split("\n\n")]
    assert [stanza["URIs"] for stanza in stanzas] == ["http://two.example/debian", "http://one.example/debian", "http://three.example/security"]
    assert stanzas[1]["Signed-By"] == "/k.gpg" and stanzas[1]["Architectures"] == "amd64" and stanzas[1]["Components"] == "main contrib"


def test_apt_sources_of_another_distribution(tmp_path):
    assert tree.apt_sources(machine(tmp_path, sources_dot_list="deb http://x.example/ubuntu jammy main\n")) == ""


def test_a_tree_is_built_when_its_stamp_says_so(tmp_path):
    place = tmp_path / "base"
    assert not tree.is_built(place, ["x"])
    place.mkdir()
    assert not tree.is_built(place, ["x"])
    tree.stamp(place).write_text(tree.digest(["x"]) + "\n")
    assert tree.is_built(place, ["x"])
    assert not tree.is_built(place, ["y"])


def test_the_servers_of_the_base_tree_leave_the_roles_their_work():
    for package in ("postgresql", "lxd", "nftables", "snapd", "nova-compute"):
        assert package not in tree.BASE_PACKAGES


# -- hosts that are not running ------------------------------------------------------------------------------------------
def test_writing_into_a_host_keeps_the_owners_of_its_directories(tmp_path, monkeypatch):
    base = tmp_path / "base"
    (base / "root/.ssh").mkdir(parents=True)
    (base / "root").chmod(0o700)
    (base / "etc").mkdir()
    (base / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nubuntu:x:1234:1235::/home/ubuntu:/bin/sh\n")
    monkeypatch.setattr(nspawn.Host, "leader", lambda self: None)
    owners = {}
    monkeypatch.setattr(nspawn.os, "chown", lambda path, uid, gid: owners.update({str(path): (uid, gid)}))
    monkeypatch.setattr(nspawn.cgroup, "unified", lambda: tmp_path / "cgroup")
    host = nspawn.Host("h", [base], [nspawn.Nic("eno2", "b0", "198.51.100.2/24")], Paths(tmp_path / "lab"))
    host.upper.mkdir(parents=True)
    host.authorize(["ssh-ed25519 AAAA one", "ssh-ed25519 BBBB two\n"])
    assert (host.upper / "root/.ssh/authorized_keys").read_text() == "ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n"
    assert (host.upper / "root").stat().st_mode & 0o777 == 0o700
    keys = host.upper / "home/ubuntu/.ssh/authorized_keys"
    assert keys.stat().st_mode & 0o777 == 0o600
    assert owners[str(keys)] == (1234, 1235) and owners[str(keys.parent)] == (1234, 1235)


def test_a_forgotten_host_leaves_the_others_known(tmp_path, monkeypatch):
    monkeypatch.setattr(nspawn.cgroup, "unified", lambda: tmp_path / "cgroup")
    paths = Paths(tmp_path / "lab").make()
    paths.known_hosts.write_text("10.42.0.100,compute0 ssh-ed25519 A\n198.51.100.2,10.42.0.1,controller ssh-ed25519 B\n10.42.0.101,compute1 ssh-ed25519 C\n")
    compute.ComputeHosts(paths).host("compute0", "10.42.0.100/16").forget()
    assert [line.split()[-1] for line in paths.known_hosts.read_text().splitlines()] == ["B", "C"]


def test_hosts_that_go_side_by_side_leave_the_others_known(tmp_path, monkeypatch):
    monkeypatch.setattr(nspawn.cgroup, "unified", lambda: tmp_path / "cgroup")
    paths = Paths(tmp_path / "lab").make()
    stays = "198.51.100.2,controller ssh-ed25519 B\n"
    paths.known_hosts.write_text(stays)
    going = [compute.ComputeHosts(paths).host(f"compute{number}", f"10.42.0.{number}/16") for number in range(1, 41)]
    with ThreadPoolExecutor(20) as pool:
        for _ in range(5):
            list(pool.map(lambda host: host.forget(), going))
    assert paths.known_hosts.read_text() == stays


def test_name_servers_are_not_the_stub(tmp_path):
    assert "127.0.0.53" not in nspawn.resolv_conf() or not Path("/run/systemd/resolve/resolv.conf").exists()


# -- the command ---------------------------------------------------------------------------------------------------------
def lab(tmp_path: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": "/usr/bin:/bin", "LAB_DIR": str(tmp_path / "lab"), **environment}
    return subprocess.run(
        [sys.executable, "-m", "lab", *words], cwd=Path(__file__).parents[3], env=given, capture_output=True, text=True, check=False, timeout=60
    )


def test_status_and_down_of_no_lab(tmp_path):
    status = lab(tmp_path, "status")
    assert status.returncode == 3 and "down" in status.stdout
    down = lab(tmp_path, "down")
    assert down.returncode == 0 and "no lab" in down.stdout


def test_a_place_too_deep_for_a_socket_is_said(tmp_path):
    deep = tmp_path / ("x" * 80)
    result = lab(deep, "up", LAB_HOSTS="0")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1 and "too long" in result.stderr


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="needs Linux")
@pytest.mark.parametrize("sign", ["its lock", "its daemon's lock", "a process", None])
def test_a_lab_whose_up_was_killed_is_not_at_work(sign, tmp_path, monkeypatch):
    paths = Paths(tmp_path).make()
    monkeypatch.setattr(command, "daemon_pid", lambda _paths: 7 if sign == "its daemon's lock" else None)
    monkeypatch.setattr("lab.hosts.cgroup.Group.pids", lambda _group: [8] if sign == "a process" else [])
    with (paths.lab / ".lock").open("w") as handle:
        if sign == "its lock":
            fcntl.flock(handle, fcntl.LOCK_EX)
        assert command.at_work(paths) is (sign is not None)


def test_without_root_hosts_are_refused_in_a_sentence(tmp_path):
    code = "import os, sys; os.geteuid = lambda: 1000; sys.argv = ['lab', 'up']; from lab.__main__ import main; sys.exit(main())"
    environment = {"PATH": "/usr/bin:/bin", "LAB_DIR": str(tmp_path / "lab")}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[3], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 1
    assert "needs root" in result.stderr and result.stderr.count("\n") == 1
    assert not (tmp_path / "lab").exists()
