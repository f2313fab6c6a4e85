#!/usr/bin/python
# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: openstack_catalog_info
short_description: What a user is told by Keystone, and whether the catalog's endpoints answer
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
description:
  - Gets a token without a scope, the user's projects, a token for the project, and the catalog in it, as any client does, and tells the time of each.
  - Asks every endpoint of the catalog for its version document. An answer below 500 that is not 404 counts as one; a service that refuses us answers.
  - A request that is refused or not answered is told in C(error) of its part and does not make the module fail; so one call shows all that is wrong.
  - No token is returned.
options:
  probe:
    description: Whether the endpoints are asked.
    type: bool
    default: true
  probe_interfaces:
    description: Which endpoints are read and asked, by their interface.
    type: list
    elements: str
    choices: [public, internal, admin]
    default: [public, internal, admin]
  probe_timeout:
    description: Seconds within which each request must be answered.
    type: float
    default: 20
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway. Keystone remembers nothing of a token.
  diff_mode:
    support: N/A
    description: Changes nothing.
  action_group:
    support: full
    description: Use C(group/stratus.cloud.openstack) in C(module_defaults) to set the connection once.
    membership:
      - stratus.cloud.openstack
extends_documentation_fragment:
  - stratus.cloud.nova
seealso:
  - module: openstack.cloud.catalog_service_info
"""

EXAMPLES = r"""
- name: Ask every endpoint of the cloud
  stratus.cloud.openstack_catalog_info:
    cloud: mycloud
  register: catalog

- name: Name those that do not answer
  ansible.builtin.debug:
    msg: "{{ catalog.endpoints | rejectattr('answers') | map(attribute='error') }}"

- name: The types of the services, without asking them
  stratus.cloud.openstack_catalog_info:
    cloud: mycloud
    probe: false
  register: catalog
"""

RETURN = r"""
unscoped:
  description: The token without a scope.
  returned: success
  type: dict
  contains: &token
    status: {description: The answer's HTTP status; null when none came., type: int}
    seconds: {description: How long it took., type: float}
    error: {description: What went wrong; empty when nothing., type: str}
    user: {description: Name of the user., type: str}
    expires_at: {description: Until when the token is good., type: str}
    project: {description: Name of its project; null without a scope., type: str}
    roles: {description: Names of its roles., type: list}
    services: {description: How many services its catalog has., type: int}
projects:
  description: The user's projects, with C(status), C(seconds), C(error) and C(names). Empty when there was no token to ask with.
  returned: success
  type: dict
scoped:
  description: The token for the project. Empty when no project is named, or when there was no token to ask with.
  returned: success
  type: dict
  contains: *token
catalog:
  description: The services of the region, by type.
  returned: success
  type: list
  elements: dict
  contains:
    type: {description: Type of the service., type: str}
    name: {description: Name of the service., type: str}
    endpoints: {description: "Its endpoints: interface, region, url.", type: list}
endpoints:
  description: What each endpoint answered. Empty when O(probe=false).
  returned: success
  type: list
  elements: dict
  contains:
    type: {description: Type of the service., type: str}
    name: {description: Name of the service., type: str}
    interface: {description: "V(public), V(internal) or V(admin).", type: str}
    region: {description: Its region., type: str}
    url: {description: Its address., type: str}
    probed: {description: The address that was asked last., type: str}
    status: {description: The answer's HTTP status; null when none came., type: int}
    seconds: {description: How long it took., type: float}
    answers: {description: Whether the service answers there., type: bool}
    versions: {description: Ids of the API's versions., type: list}
    error: {description: What went wrong; empty when nothing., type: str}
"""

from ansible_collections.stratus.cloud.plugins.module_utils.nova import module as nova
from ansible_collections.stratus.cloud.plugins.module_utils.openstack import catalog


def work(module, client):
    options, config = module.params, client._connection.config
    request = catalog.requester(client._connection.session, options["probe_timeout"])
    return catalog.look(request, config.config["auth"], config.get_region_name(), tuple(options["probe_interfaces"]), options["probe"])


def main():
    module = nova.module(
        {
            "probe": {"type": "bool", "default": True},
            "probe_interfaces": {"type": "list", "elements": "str", "choices": list(catalog.INTERFACES), "default": list(catalog.INTERFACES)},
            "probe_timeout": {"type": "float", "default": 20},
        }
    )
    nova.run(module, work)


if __name__ == "__main__":
    main()
