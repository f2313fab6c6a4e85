# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maas_tag
short_description: Tags of a MAAS region, and the machines that carry them
version_added: 0.1.0
description:
  - Creates, changes or deletes a tag, and puts it on a set of machines with one request.
author: The stratus.cloud developers (@stratus-cloud)
extends_documentation_fragment:
  - stratus.cloud.maas
  - stratus.cloud.maas.writes
options:
  name:
    description: Name of the tag.
    type: str
    required: true
  comment:
    description: What the tag is for.
    type: str
  definition:
    description: XPath expression over the machines' hardware; MAAS then tags by itself those that match.
    type: str
  kernel_opts:
    description: Kernel options of machines with this tag.
    type: str
  machines:
    description: Machines that shall carry the tag, by hostname, system_id or MAC address.
    type: list
    elements: str
  exclusive:
    description: Whether the tag is taken from all other machines.
    type: bool
    default: false
  state:
    description: Whether the tag is there.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Compute machines
  stratus.cloud.maas_tag:
    name: compute
    machines: [compute0, compute1]
"""

RETURN = r"""
tag:
  description: The tag as the region describes it.
  returned: success
  type: dict
  sample: {"name": "compute", "comment": "", "definition": "", "kernel_opts": ""}
added:
  description: Ids of the machines that got the tag.
  returned: success
  type: list
  elements: str
removed:
  description: Ids of the machines that lost it.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stratus.cloud.plugins.module_utils.maas.kinds import ensure_tag
from ansible_collections.stratus.cloud.plugins.module_utils.maas.machines import require, summary
from ansible_collections.stratus.cloud.plugins.module_utils.maas.module import maas_spec, run


def work(module, client):
    names = module.params["machines"]
    ids = None
    if names is not None and module.params["state"] == "present":
        ids = [machine["system_id"] for machine in require(client, names, summary).values()]
    result = ensure_tag(client, module.params, ids)
    return result.exit("tag", added=result.members[0], removed=result.members[1])


def main():
    module = AnsibleModule(
        argument_spec=maas_spec(
            name=dict(type="str", required=True),
            comment=dict(type="str"),
            definition=dict(type="str"),
            kernel_opts=dict(type="str"),
            machines=dict(type="list", elements="str"),
            exclusive=dict(type="bool", default=False),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
