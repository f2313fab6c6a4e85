# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Machines that show up in a MAAS region, as events for ansible-rulebook."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

DOCUMENTATION = r"""
---
short_description: Machines that a MAAS region did not have before.
description:
  - Asks the region at every interval for its machines and makes an event of each that is new to it.
  - A machine that was told and is C(New) or C(Ready) when O(retry_interval) has passed is told again, at most O(tries) times in all. So it is not lost when
    the playbook fails or does not come to its turn. Once it is seen C(Deployed) it is settled and never told again, whatever becomes of it.
  - All of this is kept in a file, so that a restart repeats nothing and forgets nothing; at the very first start the machines that are there count as settled.
options:
  maas_url:
    description: Address of the region. Without it, the environment's MAAS_URL.
    type: str
  maas_api_key:
    description: An API key. Without it, the environment's MAAS_API_KEY, which keeps it out of the rulebook.
    type: str
  state_file:
    description: >-
      Where the machines are kept (0600), by their system_id: null for those that are settled, else how often (C(told)) and when last (C(at), seconds since
      1970) the machine was told.
    type: str
    required: true
  interval:
    description: Seconds between two looks.
    type: float
    default: 15
  retry_interval:
    description: Seconds after which a machine that still waits is told again.
    type: float
    default: 3600
  tries:
    description: How often a machine is told, the first time included.
    type: int
    default: 5
  validate_certs:
    description: Whether the region's certificate is verified.
    type: bool
    default: true
  ca_path:
    description: File with the certificates of the authorities to trust.
    type: str
"""

EXAMPLES = r"""
- stratus.cloud.maas_machines:
    state_file: /var/lib/stratus/machines-seen.json
    interval: 15
    retry_interval: 3600
    tries: 5
"""

LOG = logging.getLogger(__name__)
FIELDS = ("system_id", "hostname", "fqdn", "status", "mac_addresses", "power_type", "architecture", "pool", "zone", "tags")


WAITING = ("New", "Ready")
"""Statuses of machines that nobody uses and nothing is done with."""


def look(memory: dict[str, Any], machines: list[dict[str, Any]], now: float, retry_interval: float, tries: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What one look at the region comes to: the machines to tell, in a stable order, and the memory in which those are settled that have come to their end.

    ``memory`` is what the state file has, ``machines`` are as ``maas_machine_info`` returns them, ``now`` is in seconds since 1970.
    """
    tell, after = [], dict(memory)
    for machine in sorted(machines, key=lambda machine: machine["system_id"]):
        name = machine["system_id"]
        known = memory.get(name)
        if name not in memory:
            tell.append(machine)
        elif known is None:
            continue
        elif machine["status"] == "Deployed":
            after[name] = None
        elif machine["status"] in WAITING and now - known["at"] >= retry_interval:
            if known["told"] < tries:
                tell.append(machine)
            else:
                after[name] = None
                LOG.warning("%s was told %d times and is still %s: run add-node.yml for it by hand", machine["hostname"], known["told"], machine["status"])
    return tell, after


def told(memory: dict[str, Any], machine: dict[str, Any], now: float) -> dict[str, Any]:
    """The memory after one more event for this machine."""
    before = memory.get(machine["system_id"]) or {"told": 0}
    return {**memory, machine["system_id"]: {"told": before["told"] + 1, "at": now}}


def event(machine: dict[str, Any]) -> dict[str, Any]:
    """What ansible-rulebook is told of a machine."""
    return {"machine": {field: machine.get(field) for field in FIELDS}}


def sound(memory: Any) -> bool:
    """Whether it is a memory as ``remember`` writes it."""
    return isinstance(memory, dict) and all(
        entry is None or (isinstance(entry, dict) and all(isinstance(entry.get(key), (int, float)) for key in ("told", "at"))) for entry in memory.values()
    )


def remembered(file: Path) -> dict[str, Any] | None:
    """The memory in the file; None when there is no file. ValueError, in a sentence, when it cannot be read as one."""
    remedy = "mend it, or remove it to begin with the machines that are there now"
    try:
        memory = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"state_file {file} is no record of machines ({error}): {remedy}") from error
    if not sound(memory):
        raise ValueError(f"state_file {file} is no record of machines: {remedy}")
    return memory


def remember(file: Path, memory: dict[str, Any]) -> None:
    """Write the file whole or not at all. ValueError, in a sentence, when it cannot be written."""
    from ansible_collections.stratus.cloud.plugins.module_utils import durable

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        durable.put(str(file.absolute()), json.dumps(memory, indent=0, sort_keys=True).encode())
    except OSError as error:
        raise ValueError(f"state_file {file} cannot be written ({error.strerror}): run ansible-rulebook as somebody who may, or name another file") from error


def beside(file: str) -> None:
    """Make the collections importable that ``file`` lies among: ansible-rulebook reads it by its path and, unlike Ansible, imports no collection."""
    root = next((parent.parent for parent in Path(file).absolute().parents if parent.name == "ansible_collections"), None)
    if root and str(root) not in sys.path:
        sys.path.append(str(root))


def read_machines(args: dict[str, Any]) -> list[dict[str, Any]]:
    """All machines of the region, summarised. MaasError when it cannot be had."""
    from ansible_collections.stratus.cloud.plugins.module_utils.maas.client import Client
    from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import summary

    url, key = args.get("maas_url") or os.environ.get("MAAS_URL", ""), args.get("maas_api_key") or os.environ.get("MAAS_API_KEY", "")
    client = Client(url, key, validate_certs=args.get("validate_certs", True), ca_path=args.get("ca_path"), read_only=True)
    try:
        return [summary(machine) for machine in client.read("Machines", what="list machines")]
    finally:
        client.close()


async def main(queue: asyncio.Queue, args: dict[str, Any]) -> None:
    """What ansible-rulebook calls: runs until it is cancelled. A region that does not answer is asked again at the next look."""
    beside(__file__)
    from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import ApiError, MaasError

    if not args.get("state_file"):
        raise ValueError("maas_machines needs state_file: a path where it may write down the machines that it has seen")
    file, interval = Path(args["state_file"]), float(args.get("interval", 15))
    retry_interval, tries = float(args.get("retry_interval", 3600)), int(args.get("tries", 5))
    memory = remembered(file)
    while True:
        try:
            machines = await asyncio.to_thread(read_machines, args)
        except ApiError as error:
            # A key that is refused stays refused.
            if error.status in (401, 403):
                raise
            LOG.warning("%s; asked again in %g s", error, interval)
        except MaasError as error:
            LOG.warning("%s; asked again in %g s", error, interval)
        else:
            if memory is None:
                after = {machine["system_id"]: None for machine in machines}
                tell = []
            else:
                tell, after = look(memory, machines, time.time(), retry_interval, tries)
            if after != memory:
                memory = after
                remember(file, memory)
            for machine in tell:
                await queue.put(event(machine))
                memory = told(memory, machine, time.time())
                remember(file, memory)
        await asyncio.sleep(interval)
