# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: juju_status_info
short_description: Read the status of a Juju model
description:
  - Returns machines, applications, units and relations of a model as plain data. Costs one request, whatever the size of the model.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  applications:
    description: Only these applications, with their units and the machines that those stand on.
    type: list
    elements: str
  annotations:
    description: Whether machines are returned with their annotations, for one request more.
    type: bool
    default: false
extends_documentation_fragment:
  - stratus.cloud.juju
  - stratus.cloud.juju.model
"""

EXAMPLES = r"""
- name: Find the address of the dashboard
  stratus.cloud.juju_status_info:
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    model: openstack
    applications: [openstack-dashboard]
  register: status
"""

RETURN = r"""
status:
  description: The model.
  returned: success
  type: dict
  contains:
    model:
      description: Name, cloud, region, version and state of the model.
      type: dict
    machines:
      description: Machines and containers by their number, with instance_id (the MAAS system_id), address, base and states.
      type: dict
    applications:
      description: Applications by name, with charm, channel, revision, state and the names of their units.
      type: dict
    units:
      description: Units by name, subordinates included, with address, machine, workload, message, agent and leader.
      type: dict
    relations:
      description: Relations with their endpoints.
      type: list
"""

from ansible_collections.stratus.cloud.plugins.module_utils.juju import arguments, model, status


def narrowed(found, applications):
    if applications is None:
        return found
    kept = {name: about for name, about in found["applications"].items() if name in applications}
    units = {name: about for name, about in found["units"].items() if about["application"] in kept}
    stood_on = {about["machine"] for about in units.values()}
    stood_on |= {machine.split("/")[0] for machine in stood_on}
    return {
        **found,
        "applications": kept,
        "units": units,
        "machines": {name: about for name, about in found["machines"].items() if name in stood_on},
        "relations": [relation for relation in found["relations"] if any(end.partition(":")[0] in kept for end in relation["endpoints"])],
    }


def work(module, client):
    found = narrowed(status.read(client), module.params["applications"])
    if module.params["annotations"]:
        noted = model.annotations(client, [model.tag("machine", name) for name in found["machines"]])
        for name, machine in found["machines"].items():
            machine["annotations"] = noted.get(model.tag("machine", name), {})
    return {"status": found}


def main():
    options = {"applications": {"type": "list", "elements": "str"}, "annotations": {"type": "bool", "default": False}}
    arguments.run(arguments.module(options), work)


if __name__ == "__main__":
    main()
