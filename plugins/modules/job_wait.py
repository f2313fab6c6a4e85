# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: job_wait
short_description: Wait for a task that runs asynchronously, with a sign of life
version_added: 0.1.0
description:
  - Waits until a job that was started with C(async) and C(poll=0) has ended, and gives its result.
  - Prints a line now and then while it waits. Lost connections are tolerated until the deadline.
  - Ends as the job ended, and fails when the job failed. It never reports a change, as the task that started the job did.
author:
  - The stratus.cloud developers (@stratus-cloud)
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  jid:
    description: The job, C(ansible_job_id) of the task that started it.
    type: str
    required: true
  name:
    description: What the job does, for the lines and for the message of a failure.
    type: str
    default: the job
  wait_timeout:
    description: Seconds after which the wait fails. The job goes on.
    type: float
    default: 3600
  wait_interval:
    description: The longest pause between two looks, in seconds. The first looks come faster.
    type: float
    default: 15
  heartbeat:
    description: Seconds between two lines. The variable C(stratus_progress=false) or the environment variable E(STRATUS_PROGRESS=0) silences them.
    type: float
    default: 60
notes:
  - Runs on the host, and as the user, that the job was started on.
"""

EXAMPLES = r"""
- name: Wait for the bootstrap
  stratus.cloud.job_wait:
    jid: "{{ bootstrap.ansible_job_id }}"
    name: Juju's bootstrap
"""

RETURN = r"""
waited:
  description: Seconds that were waited.
  returned: always
  type: float
finished:
  description: Whether the job has ended.
  returned: when it has
  type: bool
"""
