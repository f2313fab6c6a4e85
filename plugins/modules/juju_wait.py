# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: juju_wait
short_description: Wait until applications of a Juju model are as expected
description:
  - Looks at the whole model with one request at a time and waits until every application is as expected, several times in a row.
  - Knows states that are normal for now, such as a Vault that has yet to be initialised, and states that are failures.
  - A connection that drops while waiting is made anew.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  applications:
    description: The applications to wait for; all of the model when not given.
    type: list
    elements: str
  expect:
    description:
      - For applications that are to be something else than active and idle, by name.
      - Each may have C(workload) and C(agent) (a state or a list of states), C(matches) (a regular expression for the message) and C(units) (at least so many).
    type: dict
    default: {}
  normal_now:
    description:
      - States that are as good as the expected one for now, because something that comes later resolves them.
      - Units whose agent is still at work are not settled and do not count.
    type: list
    elements: dict
    default: []
    suboptions:
      application:
        description: Name of the application; V(*) is all.
        type: str
        default: "*"
      workload:
        description: States of the workload; all when not given.
        type: list
        elements: str
        default: []
      agent:
        description: States of the agent; all when not given.
        type: list
        elements: str
        default: []
      matches:
        description: A regular expression that the message of the workload matches somewhere.
        type: str
  fail_on:
    description: States that are failures at once.
    type: list
    elements: dict
    default: []
    suboptions:
      application:
        description: Name of the application; V(*) is all.
        type: str
        default: "*"
      workload:
        description: States of the workload; all when not given.
        type: list
        elements: str
        default: []
      agent:
        description: States of the agent; all when not given.
        type: list
        elements: str
        default: []
      matches:
        description: A regular expression that the message of the workload matches somewhere.
        type: str
  error_grace:
    description:
      - Seconds that a unit may be in error before that is a failure.
      - Juju tries failed hooks again by itself, with pauses that grow to more than five minutes.
    type: float
    default: 600
  lost_grace:
    description: Seconds that a unit's agent may be lost before that is a failure.
    type: float
    default: 600
  lost_machines:
    description:
      - Machines that may stay away, by hostname.
      - Units on them, and on containers of them, whose agent is lost are not waited for. They are not in RV(addresses) either.
    type: list
    elements: str
    default: []
  resolve:
    description: Failed hooks that are tried again by hand, so many times for each unit.
    type: list
    elements: dict
    default: []
    suboptions:
      application:
        description: Name of the application; V(*) is all.
        type: str
        default: "*"
      matches:
        description: A regular expression that the message of the error matches, such as V(hook failed.*amqp).
        type: str
        required: true
      times:
        description: How many times for each unit.
        type: int
        default: 1
  successes:
    description: How many readings in a row must be as expected.
    type: int
    default: 3
  fail_fast:
    description: Whether the first failure ends the wait; otherwise it goes on until everything else is settled.
    type: bool
    default: true
  wait_timeout:
    description: Seconds after which the wait fails.
    type: float
    default: 7200
notes:
  - In check mode the model is read once, and what would be waited for is returned in RV(pending).
extends_documentation_fragment:
  - stratus.cloud.juju
  - stratus.cloud.juju.model
  - stratus.cloud.wait
"""

EXAMPLES = r"""
- name: Wait until the only thing that is missing is Vault
  stratus.cloud.juju_wait:
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    model: openstack
    normal_now:
      - {application: vault, workload: [blocked], matches: needs to be initialized}
      - {workload: [waiting, blocked], matches: certificates}
    wait_timeout: 10800

- name: Wait until everything is active
  stratus.cloud.juju_wait:
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    model: openstack
"""

RETURN = r"""
applications:
  description: The last state of each application that was waited for, as text.
  returned: always
  type: dict
addresses:
  description: The address of each unit of them, as far as it has one.
  returned: always
  type: dict
  sample: {vault/0: 10.0.0.9}
pending:
  description: Applications that were not as expected.
  returned: always
  type: list
  elements: str
failed_units:
  description: Units that failed, and why.
  returned: on failure
  type: dict
held_up_by:
  description: Units that hold up the wait, with their state, and for how long it has lasted by the clock of the controller.
  returned: on failure
  type: dict
resolved:
  description: Units whose failed hook was tried again.
  returned: always
  type: list
  elements: str
waited:
  description: Seconds that were waited.
  returned: always
  type: float
requests:
  description: How many requests were sent to the controller.
  returned: always
  type: int
timeline:
  description: >-
    What was seen of all applications and machines of the model, waited for or not; seconds since the wait began, kind of thing, name, state, message.
  returned: always
  type: list
  elements: list
  sample: [[0.0, application, keystone, maintenance, installing packages], [0.0, machine, compute0, Deploying, ""]]
progress:
  description: The changes of state that were seen.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.stratus.cloud.plugins.module_utils.juju import arguments, expect, watch

STATE = {
    "application": {"type": "str", "default": "*"},
    "workload": {"type": "list", "elements": "str", "default": []},
    "agent": {"type": "list", "elements": "str", "default": []},
    "matches": {"type": "str"},
}


def main():
    module = arguments.module(
        {
            "applications": {"type": "list", "elements": "str"},
            "expect": {"type": "dict", "default": {}},
            "normal_now": {"type": "list", "elements": "dict", "default": [], "options": STATE},
            "fail_on": {"type": "list", "elements": "dict", "default": [], "options": STATE},
            "error_grace": {"type": "float", "default": expect.ERROR_GRACE},
            "lost_grace": {"type": "float", "default": 600},
            "lost_machines": {"type": "list", "elements": "str", "default": []},
            "resolve": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "application": {"type": "str", "default": "*"},
                    "matches": {"type": "str", "required": True},
                    "times": {"type": "int", "default": 1},
                },
            },
            "successes": {"type": "int", "default": 3},
            "fail_fast": {"type": "bool", "default": True},
            **arguments.waits(7200, 10),
            "wait_slice": {"type": "float"},
            "wait_resume": {"type": "dict"},
        }
    )
    arguments.run(module, watch.work)


if __name__ == "__main__":
    main()
