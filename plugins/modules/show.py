# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: show
short_description: Print a block of lines as it is
version_added: 0.1.0
description:
  - Prints text for the person who runs the playbook, without quotes, escapes or folded lines, so that commands in it can be copied.
  - With callbacks that write for programs, such as C(ansible.posix.json), the lines are in the result only.
author:
  - The stratus.cloud developers (@stratus-cloud)
attributes:
  check_mode:
    description: Changes nothing anyway.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  text:
    description: The text. It must hold nothing secret.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Say where the cloud is
  stratus.cloud.show:
    text: "{{ lookup('ansible.builtin.template', 'report.j2') }}"
"""

RETURN = r"""
lines:
  description: The lines.
  returned: success
  type: list
  elements: str
"""
