# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can go wrong between a module and a controller, each with what the operator needs to go on."""

from __future__ import annotations


class JujuFault(Exception):
    """A fault with a sentence for the operator; `result` goes into the module's answer."""

    def __init__(self, sentence, /, **result):
        super().__init__(sentence)
        self.result = result


class ConnectionLost(JujuFault):
    """The connection went away; whether the last request took effect is not known."""


class Refused(JujuFault):
    """The controller answered with an error. `code` is its own name for it ('not found', 'already exists', ...)."""

    def __init__(self, sentence, code=None, /, **result):
        super().__init__(sentence, **result)
        self.code = code or ""

    @property
    def absent(self):
        return "not found" in self.code or "not found" in str(self).lower()

    @property
    def exists(self):
        return "already exists" in self.code or "already exists" in str(self).lower()


class BundleFault(JujuFault):
    """A bundle that cannot be applied as it is; all its problems at once."""

    def __init__(self, problems, /, **result):
        problems = [problems] if isinstance(problems, str) else list(problems)
        head = problems[0] if len(problems) == 1 else f"{len(problems)} problems: " + "; ".join(problems)
        super().__init__(f"the bundle cannot be applied: {head}", problems=problems, **result)
        self.problems = problems
