# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether lines of progress may be printed."""

from __future__ import annotations

import os

from ansible import constants
from ansible.module_utils.parsing.convert_bool import boolean

# Callbacks that write for people. Any other may write for a program, which a stray line would break.
HUMAN = frozenset(("default", "debug", "yaml", "unixy", "diy", "minimal"))


def wanted(task_vars, callback=None, environ=None):
    environ = os.environ if environ is None else environ
    callback = str(callback or constants.DEFAULT_STDOUT_CALLBACK or "default")
    if callback.rsplit(".", 1)[-1] not in HUMAN:
        return False
    return boolean((task_vars or {}).get("stratus_progress", environ.get("STRATUS_PROGRESS", True)), strict=False)
