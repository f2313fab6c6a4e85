# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_config_info
short_description: Settings of a MAAS region
version_added: 0.1.0
description:
  - Reads settings, each by its name; the region cannot list them.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.reads
options:
  names:
    description: Names of the settings.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: What machines are commissioned and deployed with
  stratus.cloud.maas_config_info:
    names: [commissioning_distro_series, default_distro_series]
  register: series
"""

RETURN = r"""
settings:
  description: The settings with their values.
  returned: success
  type: dict
  sample: {"commissioning_distro_series": "jammy", "default_distro_series": "jammy"}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def work(module, client):
    names = module.params["names"]
    return dict(changed=False, settings={name: client.call("MAAS", "get_config", data={"name": name}, what=f"read the setting {name}") for name in names})


def main():
    module = AnsibleModule(argument_spec=maas_spec(names=dict(type="list", elements="str", required=True)), supports_check_mode=True)
    run(module, work)


if __name__ == "__main__":
    main()
