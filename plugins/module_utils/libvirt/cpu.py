# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What CPU all of several hosts can give to a guest, by libvirt's own reckoning, and what each host has beyond it.

A CPU here is {"model": str, "vendor": str, "require": set of features, "disable": set of features}: a model of libvirt, more features, and
features of the model that are missing. libvirt compares what QEMU can give on each host (domcapabilities), not what the processors have:
https://libvirt.org/formatdomaincaps.html, https://libvirt.org/manpages/virsh.html#hypervisor-cpu-baseline.
"""

from __future__ import annotations

import tempfile
from xml.etree import ElementTree


class CpuFault(Exception):
    """CPUs cannot be read or compared; the message is for the operator."""


def host_model(host, capabilities):
    """The CPU of a host, out of its domcapabilities."""
    try:
        mode = ElementTree.fromstring(capabilities).find("cpu/mode[@name='host-model'][@supported='yes']")
    except ElementTree.ParseError as error:
        raise CpuFault(f"what virsh domcapabilities said on {host} is no XML ({error})") from None
    if mode is None:
        raise CpuFault(f"QEMU on {host} names no CPU of its own (domcapabilities has no host-model); see that its KVM can be used")
    return parse(mode)


def parse(element):
    """A ``<cpu>``, or what is like one, as data."""

    def features(policy):
        return {feature.get("name") for feature in element.iter("feature") if feature.get("policy", "require") == policy}

    return {
        "model": element.findtext("model") or "",
        "vendor": element.findtext("vendor") or "",
        "require": features("require"),
        "disable": features("disable"),
    }


def nova(cpu):
    """The settings of nova.conf [libvirt] that give guests this CPU; nova takes features with + and - since Stein."""
    return {
        "cpu_mode": "custom",
        "cpu_models": [cpu["model"]],
        "cpu_model_extra_flags": [f"+{name}" for name in sorted(cpu["require"])] + [f"-{name}" for name in sorted(cpu["disable"])],
    }


def compare(capabilities, baseline):
    """The common CPU of ``capabilities`` ({host: domcapabilities}), and what each host has beyond it.

    ``baseline(capabilities, expand)`` is libvirt's hypervisor-cpu-baseline over a list of such texts, as data; with ``expand`` the features of
    the model are among those that it requires. It raises CpuFault where there is none, as with processors of two makers.
    """
    own = {host: host_model(host, text) for host, text in capabilities.items()}
    everything = {host: baseline([text], True)["require"] for host, text in capabilities.items()}
    common, reason = None, ""
    shared = set.intersection(*everything.values())
    try:
        common = baseline(list(capabilities.values()), False)
        shared = baseline(list(capabilities.values()), True)["require"]
    except CpuFault as error:
        reason = str(error)
    beyond = {host: sorted(features - shared) for host, features in everything.items()}
    return {
        "identical": common is not None and not any(beyond.values()) and len({cpu["model"] for cpu in own.values()}) == 1,
        "baseline": _plain(common) if common else None,
        "nova": nova(common) if common else None,
        "reason": reason,
        "hosts": {host: {"model": cpu["model"], "vendor": cpu["vendor"], "beyond": beyond[host]} for host, cpu in own.items()},
    }


def _plain(cpu):
    return {key: sorted(value) if isinstance(value, set) else value for key, value in cpu.items()}


def virsh_baseline(run, virt_type, uri="qemu:///system"):
    """libvirt's baseline by the command virsh; ``run(argv)`` gives (exit code, output, errors)."""

    def baseline(capabilities, expand):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write("\n".join(capabilities))
            file.flush()
            more = ["--features"] if expand else []
            code, output, errors = run(["virsh", "--connect", uri, "hypervisor-cpu-baseline", file.name, "--virttype", virt_type, "--migratable", *more])
        if code:
            raise CpuFault(errors.strip().splitlines()[-1].removeprefix("error: ") if errors.strip() else f"virsh ended with {code}")
        return parse(ElementTree.fromstring(output))

    return baseline
