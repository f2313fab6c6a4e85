# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_boot_source_info
short_description: What a MAAS region knows of boot sources and what is selected from them
version_added: 0.1.0
description:
  - Reads boot sources and what is selected from them, all or one.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  url:
    description: Only the source with this URL.
    type: str
"""

EXAMPLES = r"""
- name: All boot sources and what is selected from them
  stratus.cloud.maas_boot_source_info:
  register: found

- name: One of them
  stratus.cloud.maas_boot_source_info:
    url: http://images.maas.io/ephemeral-v3/stable/
"""

RETURN = r"""
boot_sources:
  description: The boot sources and what is selected from them, as the region describes them.
  returned: success
  type: list
  elements: dict
  sample: [{"id": 1, "url": "http://images.maas.io/ephemeral-v3/stable/", "selections": [{"os": "ubuntu", "release": "jammy"}]}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.info import listing
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def main():
    module = AnsibleModule(argument_spec=maas_spec(url=dict(type="str")), supports_check_mode=True)
    run(module, listing("boot_sources", "url"))


if __name__ == "__main__":
    main()
