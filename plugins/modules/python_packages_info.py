# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: python_packages_info
short_description: Which Python packages the modules of a host can import
version_added: 0.1.0
description:
  - Reads the packages, with their versions, of the interpreter that runs the modules of this host. It needs nothing but that interpreter.
author:
  - The stratus.cloud developers (@stratus-cloud)
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options: {}
"""

EXAMPLES = r"""
- name: Look for the Python packages of the modules
  stratus.cloud.python_packages_info:
  register: packages
"""

RETURN = r"""
python:
  description: Path of the interpreter.
  returned: success
  type: str
packages:
  description: Version of each package by its name, in lower case and with hyphens (PEP 503).
  returned: success
  type: dict
  sample: {"python-libmaas": "0.6.8"}
"""

import re
import sys
from importlib import metadata

from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    # The first of a name is the one that is imported; a broken installation may have none.
    found = [(about.metadata["Name"], about.version) for about in metadata.distributions()]
    packages = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in reversed(found) if name}
    module.exit_json(changed=False, python=sys.executable, packages=packages)


if __name__ == "__main__":
    main()
