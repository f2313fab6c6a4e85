# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which machine of MAAS stands behind which machine of a bundle. The machines are those of the filter bundle_machines."""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils.maas.states import juju_model


class PlacementError(Exception):
    """A machine of the bundle has no counterpart."""


def metal(machines, tag):
    """Numbers of the bundle's bare-metal machines: those whose constraints carry the tag."""
    return [machine["name"] for machine in machines if tag in (machine.get("tags") or [])]


def virtual(machines, prefix, tag, default, disks=None):
    """What to compose for all the others."""
    disks = {str(name): sizes for name, sizes in (disks or {}).items()}
    unknown = sorted(set(disks) - {machine["name"] for machine in machines})
    if unknown:
        raise PlacementError(f"disks are given for machine {unknown[0]}, which the bundle does not have")
    found = []
    for machine in machines:
        if tag in (machine.get("tags") or []):
            continue
        asked = {key: machine.get(key) or default[key] for key in ("cores", "memory", "disk")}
        found.append(
            {
                "hostname": f"{prefix}{machine['name']}",
                "cores": asked["cores"],
                "memory": asked["memory"],
                "disks": [str(size) for size in disks.get(machine["name"], [asked["disk"]])],
                "tags": list(machine.get("tags") or []),
            }
        )
    return found


def too_small(machines, disks):
    """Sentences about given disks whose first one is smaller than the root disk that the bundle asks for: MAAS would refuse the machine to Juju."""
    asked = {machine["name"]: machine.get("disk") or 0 for machine in machines}
    return [
        f"machine {name}: {sizes[0]} GB first, {asked[str(name)]} GB asked for"
        for name, sizes in (disks or {}).items()
        if sizes and float(sizes[0]) < asked.get(str(name), 0)
    ]


def mapping(machines, prefix, tag, hosts, known):
    """{number in the bundle: system_id}; bare metal takes the hosts in their order."""
    ids = {machine["hostname"]: machine.get("system_id") for machine in known}
    names = dict(zip(metal(machines, tag), hosts, strict=False))
    found = {}
    for machine in machines:
        name = machine["name"]
        if tag in (machine.get("tags") or []) and name not in names:
            raise PlacementError(f"machine {name} of the bundle asks for bare metal (tag {tag}), but there are only {len(hosts)} such hosts")
        hostname = names.get(name, f"{prefix}{name}")
        if not ids.get(hostname):
            raise PlacementError(f"machine {name} of the bundle should be {hostname}, which MAAS does not have")
        found[name] = ids[hostname]
    return found


def of_cloud(machines, ids, names, hosts, controller=None, models=None):
    """Those of MAAS' machines that serve a cloud, or did when its model was destroyed.

    ids: system_ids of the model's machines. names: the virtual machines composed for it. hosts: its bare metal by the inventory. controller: UUID of its
    Juju controller. models: where the model is gone, UUIDs of those that the controller still has (none when it does not answer); None where it is there.

    Juju writes on each machine of MAAS whose it is (juju/juju, provider/maas: owner data juju-model-uuid, juju-controller-uuid, juju-is-controller), and
    MAAS forgets it at the release. A machine in use without that, or of another controller, is somebody's, also when it is called as one of this cloud's.
    """
    found = []
    for machine in machines:
        about = machine.get("owner_data") or {}
        model, own = juju_model(machine), about.get("juju-controller-uuid")
        # The controller's machine goes with the controller.
        left = model and about.get("juju-is-controller") != "true" and (own == controller if controller else machine["hostname"] in hosts)
        foreign = (own and controller and own != controller) or model in (models or ())
        named = machine["hostname"] in names and not foreign
        if machine["system_id"] in ids or named or (models is not None and left and model not in models):
            found.append(machine)
    return found
