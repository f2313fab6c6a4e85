# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waits for an asynchronous job of a host and says now and then that it still runs."""

from __future__ import annotations

import time

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import duration
from ansible_collections.stratus.cloud.plugins.plugin_utils import progress

HEARTBEAT = 60


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _checked, options = self.validate_argument_spec(
            {
                "jid": {"type": "str", "required": True},
                "name": {"type": "str", "default": "the job"},
                "wait_timeout": {"type": "float", "default": 3600},
                "wait_interval": {"type": "float", "default": 15},
                "heartbeat": {"type": "float", "default": HEARTBEAT},
            }
        )
        began = beat = time.monotonic()
        quiet = not progress.wanted(task_vars)
        pause, fault = 1.0, None
        while True:
            job, fault = self._look(options["jid"], "status", task_vars, fault)
            waited = round(time.monotonic() - began, 1)
            if job and job.get("finished"):
                self._look(options["jid"], "cleanup", task_vars, None)
                return {**result, **self._ended(job, options["name"]), "waited": waited, "job_name": options["name"]}
            if job and job.get("failed"):
                return {**result, "failed": True, "msg": f"{options['name']} cannot be waited for: {job.get('msg')}", "waited": waited}
            if waited >= options["wait_timeout"]:
                last = f" The host could not be asked last: {fault}" if fault else ""
                return {**result, "failed": True, "waited": waited, "msg": f"{options['name']} has not ended within {duration(options['wait_timeout'])}.{last}"}
            if not quiet:
                progress.tell(f"{options['name']} runs, {duration(waited)} of at most {duration(options['wait_timeout'])}", self._display)
            if not quiet and time.monotonic() - beat >= options["heartbeat"]:
                beat = time.monotonic()
                self._display.display(f"{options['name']} still runs; {duration(waited)} of at most {duration(options['wait_timeout'])}")
            time.sleep(min(pause, options["wait_interval"], max(0.1, options["wait_timeout"] - waited)))
            pause *= 1.2

    def _look(self, jid, mode, task_vars, fault):
        """(what the host says, None), or (None, why it could not be asked). The next look connects anew."""
        folder = self._remote_expand_user(self.get_shell_option("async_dir", default="~/.ansible_async"))
        try:
            options = {"jid": jid, "mode": mode, "_async_dir": folder}
            return self._execute_module(module_name="ansible.legacy.async_status", module_args=options, task_vars=task_vars), None
        except AnsibleConnectionFailure as problem:
            if fault is None:
                self._display.vv(f"job_wait: {problem}")
            return None, str(problem)

    @staticmethod
    def _ended(job, name):
        """The job's own result. Its change was reported by the task that started it; its exception would be shown in place of the name."""
        own = ("results_file", "started", "invocation", "exception")
        kept = {key: value for key, value in job.items() if not key.startswith("_ansible") and key not in own}
        if kept.get("failed"):
            kept["msg"] = f"{name} failed: {kept.get('msg') or 'no message'}"
        return {**kept, "changed": False}
