# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What an operator sees while things go on: whether lines may be printed, and the status line at the foot of a terminal."""

from __future__ import annotations

import atexit
import os
import sys
import time

from ansible import constants
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.stratus.cloud.plugins.module_utils import plain
from ansible_collections.stratus.cloud.plugins.module_utils.phases import clock

# Callbacks that write for people. Any other may write for a program, which a stray line would break.
HUMAN = frozenset(("default", "debug", "yaml", "unixy", "diy", "minimal"))
# The one of ansible-runner, and so of AWX and ansible-rulebook. It wraps another, which says for whom it writes, and reads all that is displayed.
RUNNER = "awx_display"
GAUGE = 12


def _named(callback=None):
    """The short name of the callback that writes to stdout."""
    return str(callback or constants.DEFAULT_STDOUT_CALLBACK or "default").rsplit(".", 1)[-1]


def wanted(task_vars, callback=None, environ=None):
    callback = _named(callback)
    if callback == RUNNER:
        callback = _named(os.environ.get("ORIGINAL_STDOUT_CALLBACK") or "default")
    environ = os.environ if environ is None else environ
    if callback not in HUMAN:
        return False
    return boolean((task_vars or {}).get("stratus_progress", environ.get("STRATUS_PROGRESS", True)), strict=False)


class Status:
    """Where the run is. The callback keeps the one that is current; the processes of the tasks inherit it, as Ansible forks them."""

    def __init__(self, order=(), expected=None, now=time.monotonic):
        """``order``: the phases of the playbook; ``expected``: seconds of each, as far as known."""
        self.order, self.expected, self.now = list(order), dict(expected or {}), now
        self.began = self.phase_began = now()
        self.phase = None

    def enter(self, phase):
        self.phase, self.phase_began = phase, self.now()

    def place(self):
        """ "[3/7] network"."""
        number = self.order.index(self.phase) + 1 if self.phase in self.order else "-"
        return f"[{number}/{len(self.order)}] {self.phase}"

    def left(self):
        """Seconds to the end of the playbook, or None when no time is known of anything that is still to come; an unknown phase counts as none."""
        if self.phase not in self.order:
            return None
        now, *later = (self.expected.get(name) or 0 for name in self.order[self.order.index(self.phase) :])
        if not now and not any(later):
            return None
        return max(0.0, now - (self.now() - self.phase_began)) + sum(later)

    def line(self, news=""):
        """One line: place, gauge, time in the phase and in all, what is left, and what the task at work says."""
        now = self.now()
        spent, whole = now - self.phase_began, now - self.began
        about = self.expected.get(self.phase)
        left = self.left()
        parts = [self.place(), f"{clock(spent)} of about {clock(about)}" if about else clock(spent)]
        if left is not None and whole + left > 0:
            full = int(GAUGE * whole / (whole + left))
            parts.insert(0, "━" * full + "─" * (GAUGE - full))
        parts.append(f"{clock(whole)} in all" + (f", about {clock(left)} left" if left else ""))
        return " · ".join([*parts, plain.line(news)] if news else parts)


class Foot:
    """The last line of a terminal, kept for the status as apt keeps it for its own: the rest scrolls above.

    Everything is written through Ansible's display, which the processes of tasks share.
    """

    def __init__(self, display, size=None):
        self.display, self.size = display, size or self._size
        self.drawn = None

    @staticmethod
    def possible():
        # ansible-runner gives its runs a terminal, but nobody sits before it.
        return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and _named() != RUNNER

    @staticmethod
    def _size():
        try:
            return os.get_terminal_size(sys.__stdout__.fileno())
        except (OSError, ValueError, AttributeError):
            return None

    def draw(self, text, size=None):
        columns, rows = size or self.drawn or self.size() or (0, 0)
        if rows < 10 or columns < 40:
            return
        reserve = ""
        if self.drawn != (columns, rows):
            # A line of its own for the cursor, then scrolling only above the last line.
            reserve = f"\n\x1b7\x1b[1;{rows - 1}r\x1b8\x1b[1A"
            self.drawn = (columns, rows)
        self._write(f"{reserve}\x1b7\x1b[{rows};1H\x1b[2K\x1b[7m {text[: columns - 2]} \x1b[0m\x1b8")

    def close(self):
        if self.drawn:
            _columns, rows = self.drawn
            self._write(f"\x1b7\x1b[r\x1b[{rows};1H\x1b[2K\x1b8")
            self.drawn = None

    def _write(self, text):
        self.display.display(text, screen_only=True, newline=False)


# What is at work in this process and those that it forks; None when nobody looks.
status: Status | None = None
foot: Foot | None = None


def begin(found, display):
    """Show ``found`` (a Status) from now on; at the foot of the screen where there is a terminal."""
    global status, foot
    status = found
    if Foot.possible():
        foot = Foot(display)
        atexit.register(end)


def end():
    global status, foot
    if foot:
        foot.close()
    status = foot = None


def tell(news="", display=None):
    """Renew the line at the foot of the screen, if there is one."""
    if status and foot and status.phase:
        foot.display = display or foot.display
        foot.draw(status.line(news), foot.size() if display is None else None)


def counted(timeline):
    """ "machines: 2 Ready, 1 Testing; applications: 12 active": the last state of everything in a timeline."""
    last, kinds = {}, {}
    for _seconds, kind, name, state, *_message in timeline:
        last[kind, name] = state
    for (kind, _name), state in last.items():
        kinds.setdefault(kind, {}).setdefault(state, []).append(1)
    texts = []
    for kind, states in kinds.items():
        numbers = sorted(((len(names), state) for state, names in states.items()), key=lambda pair: -pair[0])
        texts.append(f"{kind}s: " + ", ".join(f"{number} {state}" for number, state in numbers))
    return "; ".join(texts)
