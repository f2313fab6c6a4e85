# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The collection's version matrix, for roles."""

from __future__ import annotations

DOCUMENTATION = r"""
name: matrix
short_description: A section of the collection's version matrix
version_added: 0.1.0
author:
  - The stratus.cloud developers (@stratus-cloud)
description:
  - Reads C(bundles/versions.yml) of the collection and returns the sections that are asked for.
options:
  _terms:
    description: Names of sections.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say which releases of Zun there are
  ansible.builtin.debug:
    msg: "{{ lookup('stratus.cloud.matrix', 'zun').releases.keys() | join(', ') }}"
"""

RETURN = r"""
_raw:
  description: The sections, in the order of their names.
  type: list
  elements: raw
"""

from pathlib import Path

import yaml
from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

MATRIX = Path(__file__).resolve().parents[2] / "bundles" / "versions.yml"


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        matrix = yaml.safe_load(MATRIX.read_text(encoding="utf-8"))
        missing = [str(term) for term in terms if term not in matrix]
        if missing:
            raise AnsibleError(f"The version matrix has no section {', '.join(missing)}; there are {', '.join(matrix)}.")
        return [matrix[term] for term in terms]
