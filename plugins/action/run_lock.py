# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Says who this run is, and judges whether the run that has the lock is still alive; the module writes."""

from __future__ import annotations

import getpass
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from ansible import context
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.stratus.cloud.plugins.module_utils import run_lock


def this_run(what):
    """The process that runs the playbook is the parent of the one that runs this task."""
    pid = os.getppid()
    return {
        "user": getpass.getuser(),
        "control": socket.gethostname(),
        "machine": run_lock.machine_of(),
        "boot": Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
        "namespace": os.readlink("/proc/self/ns/pid"),
        "pid": pid,
        "started": run_lock.started_of(pid),
        "what": what,
        "since": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def playbook():
    """Names of the playbooks on the command line; one of a collection has its full name (stratus.cloud.site)."""
    given = context.CLIARGS.get("args") or ()
    # Of a command other than ansible-playbook they may be anything: a pattern of hosts, for one.
    return ", ".join(Path(word).name for word in given) if isinstance(given, (list, tuple)) and given else "a playbook"


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        me, force = this_run(playbook()), boolean(self._templar.template(self._task.args.get("force", False)), strict=False)
        if self._task.args.get("state") == "absent":
            asked = self._execute_module(module_name="stratus.cloud.run_lock", module_args={**self._task.args, "owner": me}, task_vars=task_vars, tmp=tmp)
            return {**result, **asked}
        over = None
        # Whoever takes over may come second once more; nobody comes first for ever.
        for _attempt in range(3):
            asked = self._execute_module(
                module_name="stratus.cloud.run_lock", module_args={**self._task.args, "owner": me, "instead_of": over}, task_vars=task_vars, tmp=tmp
            )
            if asked.get("failed"):
                return {**result, **asked}
            holder = asked["holder"]
            state = run_lock.verdict(holder, me)
            if state == "mine":
                return {**result, **asked, **({"taken_over": over} if over else {})}
            if self._task.check_mode:
                if state != "stale":
                    self._display.warning(f"At work on this cloud: {run_lock.describe(holder)}. What is told here may change under it.")
                return {**result, **asked}
            if state == "stale" or (state == "elsewhere" and force):
                over = holder
                continue
            break
        remedy = "Wait until it has ended."
        if state != "alive":
            remedy = "It cannot be seen from this control node whether that run is still alive: when it is over, say -e stratus_lock_force=true."
        return {**result, "failed": True, "holder": holder, "msg": f"Another run is at work on this cloud: {run_lock.describe(holder)}. {remedy}"}
