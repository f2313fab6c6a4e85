# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Machines that show up in a MAAS region, as events for ansible-rulebook."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

DOCUMENTATION = r"""
---
short_description: Machines that a MAAS region did not have before.
description:
  - Asks the region at every interval for its machines and makes an event of each that is new to it.
  - What was seen is kept in a file, so that a restart repeats nothing; at the very first start the machines that are there count as seen.
  - The file is written after the event was handed on. What ansible-rulebook has taken and not yet acted on when it is stopped is told again only for those
    whose C(system_id) is taken out of the file.
options:
  maas_url:
    description: Address of the region. Without it, the environment's MAAS_URL.
    type: str
  maas_api_key:
    description: An API key. Without it, the environment's MAAS_API_KEY, which keeps it out of the rulebook.
    type: str
  state_file:
    description: Where the seen machines' system_ids are kept (0600).
    type: str
    required: true
  interval:
    description: Seconds between two looks.
    type: float
    default: 15
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
"""

LOG = logging.getLogger(__name__)
FIELDS = ("system_id", "hostname", "fqdn", "status", "mac_addresses", "power_type", "architecture", "pool", "zone", "tags")


def news(seen: set[str], machines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events for machines (as ``maas_machine_info`` returns them) whose system_id is not in ``seen``, in a stable order."""
    fresh = sorted((machine for machine in machines if machine["system_id"] not in seen), key=lambda machine: machine["system_id"])
    return [{"machine": {field: machine.get(field) for field in FIELDS}} for machine in fresh]


def remembered(file: Path) -> set[str] | None:
    """The system_ids of the file; None when there is no file. ValueError, in a sentence, when it cannot be read as one."""
    try:
        seen = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(
            f"state_file {file} is no list of system_ids ({error}): mend it, or remove it to begin with the machines that are there now"
        ) from error
    if not isinstance(seen, list) or not all(isinstance(item, str) for item in seen):
        raise ValueError(f"state_file {file} is no list of system_ids: mend it, or remove it to begin with the machines that are there now")
    return set(seen)


def remember(file: Path, seen: set[str]) -> None:
    """Write the file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(file.name + ".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(sorted(seen), stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)


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
    seen = remembered(file)
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
            if seen is None:
                seen = {machine["system_id"] for machine in machines}
                remember(file, seen)
            for event in news(seen, machines):
                await queue.put(event)
                seen.add(event["machine"]["system_id"])
                remember(file, seen)
        await asyncio.sleep(interval)
