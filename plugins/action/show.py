# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prints a block of lines, without what a terminal would obey."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.stratus.cloud.plugins.module_utils import plain
from ansible_collections.stratus.cloud.plugins.plugin_utils import progress


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _checked, options = self.validate_argument_spec({"text": {"type": "str", "required": True}})
        # For a program the lines are in the result alone; whether progress is wanted does not matter here.
        if progress.wanted({}, environ={}):
            self._display.display(f"\n{plain.lines(options['text'].strip())}\n")
        return {**result, "changed": False, "lines": options["text"].strip().splitlines()}
