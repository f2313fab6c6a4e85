# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: juju_bundle
short_description: Bring a Juju model to what a bundle says
description:
  - Reads the bundle with its overlays, reads the model, makes a plan of the steps between them and carries it out.
  - In check mode the numbered plan is in the diff, and nothing is changed.
  - The plan of a model that is what the bundle says is empty. A run that was broken after any step goes on with exactly the rest.
  - The bundle's machines are matched by an annotation on the model's machines (C(stratus-bundle-machine)), by O(machine_map), or by the
    units that stand on them, and are never asked for twice.
  - What is wrong with the bundle is found before the first change; everything that is wrong is told together.
  - Applications, units, relations and options of the model that the bundle does not name are left alone and reported; O(prune) removes the applications.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  bundle:
    description:
      - The bundle, as a dictionary, as YAML text, or as the path of a file on the host that the module runs on.
    type: raw
    required: true
  overlays:
    description:
      - Overlays in order, each in any of these forms, laid over it as C(juju deploy) does.
      - In one thing otherwise - a machine on which an overlay leaves nothing is no longer asked for, where C(juju) refuses such a bundle.
    type: list
    elements: raw
    default: []
  machine_map:
    description: For machines of the bundle the C(system_id) of the MAAS machine to take, by the bundle's number. The others are left to Juju and MAAS.
    type: dict
    default: {}
  prune:
    description:
      - Whether applications of the model that the bundle does not name are removed, after all other steps.
      - Their storage is kept. Juju gives machines back that hold nothing any more.
    type: bool
    default: false
  later:
    description:
      - Endpoints (C(application:endpoint)) whose relations this call does not make; which of them the model lacks is returned in RV(later).
      - For relations that would make the charms work twice when they are made at once, such as those to a Keystone that has yet to get its certificate.
      - A bundle's relation counts when its endpoints are named or are found from the charms.
    type: list
    elements: str
    default: []
  apply_timeout:
    description: Seconds within which the steps must have been carried out. Charms settle later; see M(stratus.cloud.juju_wait).
    type: float
    default: 1800
notes:
  - A bundle may say C(series) or C(default-base). Option values keep their types; null puts an option back to the charm's default.
  - Options that are secret by their names, such as C(ssl_key), and passwords inside addresses are not shown, in the plan or elsewhere.
  - Offers, remote applications and local charms are not applied; a bundle that has them is refused.
  - Charms are fetched by the controller before the first machine or application is made, so that the endpoints and options of the bundle
    can be checked against them. In check mode they are checked as far as the controller knows the charms already.
extends_documentation_fragment:
  - stratus.cloud.juju
  - stratus.cloud.juju.model
seealso:
  - module: stratus.cloud.juju_wait
"""

EXAMPLES = r"""
- name: Deploy OpenStack, the control plane on given virtual machines
  stratus.cloud.juju_bundle:
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    model: openstack
    bundle: "{{ 'bundles/jammy-2024.1.yaml' | stratus.cloud.bundle_load }}"
    machine_map:
      "0": "{{ os_0.system_id }}"
      "1": "{{ os_1.system_id }}"
"""

RETURN = r"""
plan:
  description: The steps, as the operator reads them, in order. In check mode they are what would be done.
  returned: success
  type: list
  elements: str
notes:
  description: What is different from the bundle and is left alone.
  returned: success
  type: list
  elements: str
machines:
  description: The model's machine for each machine of the bundle.
  returned: success
  type: dict
later:
  description: Relations of O(later) that the model lacks, by their endpoints.
  returned: success
  type: list
  elements: list
  sample: [["glance:identity-service", "keystone:identity-service"]]
unnamed:
  description: Applications of the model that the bundle does not name.
  returned: success
  type: list
  elements: str
problems:
  description: What is wrong with the bundle.
  returned: when the bundle cannot be applied
  type: list
  elements: str
steps_done:
  description: The steps that were carried out before the fault.
  returned: on a fault after the first step
  type: list
  elements: str
"""

from ansible_collections.stratus.cloud.plugins.module_utils import plain, secrecy
from ansible_collections.stratus.cloud.plugins.module_utils.juju import apply, arguments, bundle, model, plan


def work(module, client):
    options = module.params
    desired = bundle.normal(bundle.load(options["bundle"], options["overlays"]))
    # Of a bundle that is a text or a file, too.
    module.no_log_values |= secrecy.inside(desired)
    # In check mode a model that is not there yet would have been made by now.
    expected = module.check_mode and client.find_model(options["model"]) is None
    actual = dict(model.EMPTY) if expected else model.read(client, desired)
    job = apply.Application(client, desired, options["machine_map"], options["apply_timeout"], prune=options["prune"], later=options["later"])
    if module.check_mode:
        made = job.plan(actual)
        if actual.get("model"):
            job.look_up(made)
    else:
        made = job.apply(actual)
    lines = plan.lines(made)
    answer = {"changed": bool(lines), "plan": lines, "notes": made["notes"], "unnamed": made["unnamed"], "later": made["later"], "machines": made["machines"]}
    if lines and not module.check_mode:
        after = job.patiently(lambda: model.read(client, desired))
        answer["machines"] = plan.match_machines(desired, after, options["machine_map"])[0]
    if module._diff:
        text = "".join(f"{line}\n" for line in lines)
        answer["diff"] = {"before": "", "after": text, "before_header": "nothing to do", "after_header": f"plan for model {options['model']}"}
    for note in made["notes"]:
        if "could not be provisioned" in note or "whose answer was lost" in note:
            module.warn(plain.lines(note))
    return answer


def main():
    module = arguments.module(
        {
            "bundle": {"type": "raw", "required": True, "no_log": True},
            "overlays": {"type": "list", "elements": "raw", "default": [], "no_log": True},
            "machine_map": {"type": "dict", "default": {}},
            "prune": {"type": "bool", "default": False},
            "later": {"type": "list", "elements": "str", "default": []},
            "apply_timeout": {"type": "float", "default": 1800},
        }
    )
    secrecy.hide(module, ("bundle", "overlays"))
    if not isinstance(module.params["bundle"], (str, dict)):
        module.fail_json(msg="bundle is neither a path nor YAML text nor a dictionary")
    arguments.run(module, work)


if __name__ == "__main__":
    main()
