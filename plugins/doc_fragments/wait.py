# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  wait:
    description:
      - Whether to wait for the end of what was started.
      - Under check mode nothing is waited for.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds after which the wait fails, saying what state everything was in last. The default depends on the module.
    type: float
  wait_interval:
    description:
      - The longest pause between two looks, in seconds. The first looks come faster, and so do those after a change.
    type: float
    default: 10
  wait_slice:
    description:
      - Leave the wait after this many seconds with RV(ignore:unfinished=true) and what is needed to go on in RV(ignore:resume).
      - The action plugin of the module uses this to print progress; a playbook has no need of it.
    type: float
  wait_resume:
    description: What an earlier slice of the same wait returned. See O(wait_slice).
    type: dict
notes:
  - While it waits, the task prints a line for each change of state and a heartbeat now and then.
    Set the variable C(stratus_progress=false), or the environment variable E(STRATUS_PROGRESS) to V(0), for silence.
    With callbacks that write for machines, such as C(ansible.posix.json), it is silent by itself.
"""
