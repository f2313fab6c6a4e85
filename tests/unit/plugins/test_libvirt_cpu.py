"""The CPU that hosts have in common, with libvirt's answers put in: what virsh 9.0 said on real hosts, shortened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.stratus.cloud.plugins.module_utils.libvirt import cpu

from tests.support.run_module import run_module

HOST = """<domainCapabilities>
  <path>/usr/bin/qemu-system-x86_64</path><domain>kvm</domain><arch>x86_64</arch>
  <cpu>
    <mode name='host-passthrough' supported='yes'/>
    <mode name='host-model' supported='{supported}'>
      <model fallback='forbid'>{model}</model>
      <vendor>{vendor}</vendor>
      {features}
    </mode>
    <mode name='custom' supported='yes'><model usable='yes'>qemu64</model></mode>
  </cpu>
</domainCapabilities>"""


def host(model, vendor="Intel", features=(), supported="yes"):
    return HOST.format(model=model, vendor=vendor, supported=supported, features="".join(f"<feature policy='require' name='{name}'/>" for name in features))


def answer(model, vendor="Intel", require=(), disable=()):
    return (
        f"<cpu mode='custom' match='exact'><model fallback='forbid'>{model}</model><vendor>{vendor}</vendor>"
        + "".join(f"<feature policy='require' name='{name}'/>" for name in require)
        + "".join(f"<feature policy='disable' name='{name}'/>" for name in disable)
        + "</cpu>"
    )


class Virsh:
    """Stands for the command: what it says by the models in the file that it gets, and whether it is to expand."""

    def __init__(self, says):
        self.says, self.calls = says, []

    def __call__(self, argv):
        self.calls.append(argv)
        text = Path(argv[4]).read_text()
        models = tuple(name for name in ("Cascadelake-Server", "Skylake-Server", "EPYC-Rome") if f">{name}<" in text)
        said = self.says[models, "--features" in argv]
        return (1, "", f"error: {said[1]}\n") if isinstance(said, tuple) else (0, said, "")


OLD = ["aes", "avx2", "avx512f"]
NEW = [*OLD, "avx512vnni"]
MIXED = {
    (("Skylake-Server",), True): answer("Skylake-Server", require=OLD),
    (("Cascadelake-Server",), True): answer("Cascadelake-Server", require=NEW),
    (("Cascadelake-Server", "Skylake-Server"), False): answer("Skylake-Server", require=["md-clear"], disable=["mpx"]),
    (("Cascadelake-Server", "Skylake-Server"), True): answer("Skylake-Server", require=OLD, disable=["mpx"]),
}


def test_the_common_cpu_is_told_as_settings_of_nova_and_who_has_more():
    virsh = Virsh(MIXED)
    found = cpu.compare({"old": host("Skylake-Server"), "new": host("Cascadelake-Server")}, cpu.virsh_baseline(virsh, "kvm"))
    assert found["identical"] is False
    assert found["baseline"] == {"model": "Skylake-Server", "vendor": "Intel", "require": ["md-clear"], "disable": ["mpx"]}
    assert found["nova"] == {"cpu_mode": "custom", "cpu_models": ["Skylake-Server"], "cpu_model_extra_flags": ["+md-clear", "-mpx"]}
    assert found["hosts"]["old"] == {"model": "Skylake-Server", "vendor": "Intel", "beyond": []}
    assert found["hosts"]["new"]["beyond"] == ["avx512vnni"]
    assert all(argv[:4] == ["virsh", "--connect", "qemu:///system", "hypervisor-cpu-baseline"] for argv in virsh.calls)
    assert all("--migratable" in argv and argv[argv.index("--virttype") + 1] == "kvm" for argv in virsh.calls)


def test_equal_hosts_are_identical():
    says = {(("EPYC-Rome",), False): answer("EPYC-Rome", "AMD", ["umip"]), (("EPYC-Rome",), True): answer("EPYC-Rome", "AMD", ["aes", "umip"])}
    same = host("EPYC-Rome", "AMD", ["umip"])
    found = cpu.compare({"a": same, "b": same}, cpu.virsh_baseline(Virsh(says), "kvm"))
    assert found["identical"] is True
    assert found["hosts"]["a"]["beyond"] == found["hosts"]["b"]["beyond"] == []


def test_two_makers_have_none_and_libvirt_says_why():
    says = {
        (("Skylake-Server",), True): answer("Skylake-Server", require=["aes", "mpx"]),
        (("EPYC-Rome",), True): answer("EPYC-Rome", "AMD", ["aes", "svm"]),
        (("Skylake-Server", "EPYC-Rome"), False): (1, "operation failed: CPU vendors do not match"),
    }
    found = cpu.compare({"intel": host("Skylake-Server"), "amd": host("EPYC-Rome", "AMD")}, cpu.virsh_baseline(Virsh(says), "kvm"))
    assert (found["identical"], found["baseline"], found["nova"]) == (False, None, None)
    assert found["reason"] == "operation failed: CPU vendors do not match"
    assert found["hosts"]["amd"]["beyond"] == ["svm"]


@pytest.mark.parametrize(
    ("capabilities", "words"),
    [(host("Skylake-Server", supported="no"), "old names no CPU of its own"), ("command not found", "said on old is no XML")],
)
def test_a_host_that_tells_no_cpu_is_named(capabilities, words):
    with pytest.raises(cpu.CpuFault, match=words):
        cpu.compare({"old": capabilities}, cpu.virsh_baseline(Virsh({}), "kvm"))


def virsh_in(folder, script):
    program = folder / "virsh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_the_module_asks_the_command(tmp_path):
    environment = virsh_in(tmp_path, f'echo "$*" >>{tmp_path}/calls; cat <<END\n{answer("EPYC-Rome", "AMD", ["umip"])}\nEND')
    options = {"capabilities": {"a": host("EPYC-Rome", "AMD", ["umip"])}, "virt_type": "qemu"}
    ran = run_module("libvirt_cpu_baseline_info", options, tmp_path, check=True, environment=environment)
    assert not ran.failed
    assert ran["changed"] is False
    assert ran["identical"] is True
    assert ran["nova"]["cpu_models"] == ["EPYC-Rome"]
    assert "--virttype qemu --migratable" in (tmp_path / "calls").read_text()


def test_the_module_says_in_one_sentence_what_is_wrong(tmp_path):
    environment = virsh_in(tmp_path, "echo 'error: failed to connect to the hypervisor' >&2; exit 1")
    ran = run_module("libvirt_cpu_baseline_info", {"capabilities": {"a": host("EPYC-Rome"), "b": host("EPYC-Rome")}}, tmp_path, environment=environment)
    assert ran.failed
    assert ran["msg"] == "The CPUs of a, b cannot be compared: failed to connect to the hypervisor"
    assert run_module("libvirt_cpu_baseline_info", {"capabilities": {}}, tmp_path).failed
