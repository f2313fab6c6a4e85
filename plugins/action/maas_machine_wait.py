# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Runs a module that waits in slices, and prints what happened after each: a module itself cannot print.

For every module with the options of the fragment stratus.cloud.wait; meta/runtime.yml sends them here. A slice that is not
the last returns ``unfinished`` and ``resume``; the next one is given that and goes on, under the same deadline.
"""

from __future__ import annotations

import time

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.stratus.cloud.plugins.module_utils import plain
from ansible_collections.stratus.cloud.plugins.plugin_utils import progress

# Short at first, so that an operator soon sees that something happens; long later, for every slice starts a process.
SLICES = (5.0, 10.0, 15.0, 20.0, 30.0)
HEARTBEAT = 60.0
# Seconds before a host that could not be reached is tried again, and how long at most where the task names no deadline.
RECONNECT = 5.0
LONGEST = 3600.0
INTERNAL = ("wait_slice", "wait_resume")


def _in_real_time(result, now):
    """The slice's timeline, its seconds counted on the task's clock: the wait's own leaves out what starting each slice takes."""
    elapsed = (result.get("resume") or {}).get("elapsed", result.get("waited")) or 0.0
    late = max(0.0, now - elapsed)
    return [[round(seconds + late, 1), *rest] for seconds, *rest in result.get("timeline") or []]


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        args = dict(self._task.args)
        sliced = not self._task.async_val and not self._task.check_mode and "wait_slice" not in args and boolean(args.get("wait", True), strict=False)
        if not sliced:
            return self._execute_module(module_args=args, task_vars=task_vars, wrap_async=bool(self._task.async_val))
        printing = progress.wanted(task_vars)
        changed, lines, timeline, number = False, [], [], 0
        began = spoke = time.monotonic()
        while True:
            length = SLICES[min(number, len(SLICES) - 1)]
            sent = time.monotonic()
            try:
                result = self._execute_module(module_args={**args, "wait_slice": length}, task_vars=task_vars)
            except AnsibleConnectionFailure as fault:
                # A later slice only looks, so it can be had again. The first one may have written.
                if "wait_resume" not in args:
                    raise
                time.sleep(RECONNECT)
                resume = args["wait_resume"]
                args["wait_resume"] = resume = {**resume, "elapsed": (resume.get("elapsed") or 0.0) + time.monotonic() - sent}
                if resume["elapsed"] < float(args.get("wait_timeout") or LONGEST):
                    continue
                words = f"The host that asks could not be reached any more: {fault}. The last that was seen: {resume.get('line') or 'nothing'}"
                result = {"failed": True, "msg": words, "waited": round(resume["elapsed"], 1)}
            number += 1
            changed = changed or bool(result.get("changed"))
            news = result.get("progress") or []
            lines += news
            timeline += _in_real_time(result, time.monotonic() - began)
            if printing and news:
                spoke = time.monotonic()
                self._print(news)
            if printing:
                progress.tell(progress.counted(timeline), self._display)
            if not result.get("unfinished") or result.get("failed"):
                return self._last(result, changed, lines, timeline)
            resume = result.pop("resume")
            if printing and time.monotonic() - spoke >= HEARTBEAT:
                spoke = time.monotonic()
                self._print([resume.get("line")])
            args["wait_resume"] = resume

    def _print(self, lines):
        for line in lines:
            if line:
                self._display.display(f"  {plain.line(line)}")

    @staticmethod
    def _last(result, changed, lines, timeline):
        for name in INTERNAL:
            result.get("invocation", {}).get("module_args", {}).pop(name, None)
        if changed:
            result["changed"] = True
        if "progress" in result:
            result["progress"] = lines
        if "timeline" in result:
            result["timeline"] = timeline
        return result
