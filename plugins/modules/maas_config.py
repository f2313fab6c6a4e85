# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_config
short_description: Settings of a MAAS region
version_added: 0.1.0
description:
  - Sets global settings of the region, as C(maas admin maas set-config) does, several in one call.
  - Only settings that differ are written.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
options:
  settings:
    description:
      - Names and values of settings, for example V(upstream_dns), V(commissioning_distro_series), V(completed_intro).
      - Lists become text with blanks between, as the region wants them. An empty text, or nothing, clears a setting.
      - V(commissioning_distro_series) and V(default_distro_series) are accepted by the region only after the image of that release is there.
      - Those that are secret by their names, such as V(vcenter_password), and passwords inside addresses are not shown.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Name servers, and no tour through the web interface
  stratus.cloud.maas_config:
    settings:
      upstream_dns: [198.51.100.53, 198.51.100.54]
      completed_intro: true

- name: What machines are commissioned with, once the image is there
  stratus.cloud.maas_config:
    settings:
      commissioning_distro_series: jammy
"""

RETURN = r"""
settings:
  description: The settings asked for, with the values that they have now (under check mode, would have).
  returned: success
  type: dict
  sample: {"upstream_dns": "198.51.100.53 198.51.100.54"}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils import secrecy
from ansible_collections.stratus.cloud.plugins.module_utils.maas.kinds import ensure_config
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def work(module, client):
    settings = module.params["settings"]
    before, after = ensure_config(client, settings)
    before, after, now = ({name: secrecy.shown(name, value) for name, value in found.items()} for found in (before, after, settings))
    return dict(changed=bool(after), diff=dict(before=before, after=after), settings=now)


def main():
    module = AnsibleModule(argument_spec=maas_spec(settings=dict(type="dict", required=True, no_log=True)), supports_check_mode=True)
    secrecy.hide(module, ["settings"])
    run(module, work)


if __name__ == "__main__":
    main()
