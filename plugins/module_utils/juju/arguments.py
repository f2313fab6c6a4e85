# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What every juju module shares: its options, its client and its one error boundary."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib
from ansible_collections.stratus.cloud.plugins.module_utils import plain
from ansible_collections.stratus.cloud.plugins.module_utils.juju import cli
from ansible_collections.stratus.cloud.plugins.module_utils.juju import client as clients
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import JujuFault

CONNECTION = {
    "endpoint": {"type": "list", "elements": "str", "required": True, "fallback": (env_fallback, ["JUJU_ENDPOINT"])},
    "username": {"type": "str", "required": True, "fallback": (env_fallback, ["JUJU_USERNAME"])},
    "password": {"type": "str", "required": True, "no_log": True, "fallback": (env_fallback, ["JUJU_PASSWORD"])},
    "ca_cert": {"type": "str", "fallback": (env_fallback, ["JUJU_CA_CERT"])},
    "connect_timeout": {"type": "float", "default": 60},
}
MODEL = {"model": {"type": "str", "required": True}}


def waits(timeout, interval=5):
    return {
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "float", "default": timeout},
        "wait_interval": {"type": "float", "default": interval},
    }


def module(options, model=True, **more):
    """An AnsibleModule with the connection's options beside its own."""
    spec = {**CONNECTION, **(MODEL if model else {}), **options}
    made = AnsibleModule(argument_spec=spec, supports_check_mode=True, **more)
    if clients.JUJU_IMPORT_ERROR:
        made.fail_json(msg=missing_required_lib("juju"), exception=clients.JUJU_IMPORT_ERROR)
    return made


def client(module):
    options = module.params
    return clients.Client(
        options["endpoint"],
        options["username"],
        options["password"],
        options["ca_cert"],
        model=options.get("model"),
        timeout=options["connect_timeout"],
    )


def run(module, work):
    """work(module, client) -> the module's answer. The only place where faults become failures."""
    answer, failure = {}, None
    try:
        with client(module) as juju:
            answer = work(module, juju) or {}
    except JujuFault as error:
        failure = (str(error), error.result)
    if failure:
        plain.fail(module, failure[0], {"changed": False, **failure[1]})
    module.exit_json(**plain.answer({"changed": False, **answer}))


def optional_connection():
    """For modules that speak to a controller only for some of their work."""
    return {name: {key: value for key, value in about.items() if key != "required"} for name, about in CONNECTION.items()}


def run_either(module, on_client, on_controller):
    """on_client(module, command) or on_controller(module, client), by the option `scope`."""
    if module.params["scope"] == "controller":
        if clients.JUJU_IMPORT_ERROR:
            module.fail_json(msg=missing_required_lib("juju"), exception=clients.JUJU_IMPORT_ERROR)
        run(module, on_controller)
    try:
        answer = on_client(module, cli.Command(module))
    except JujuFault as error:
        plain.fail(module, str(error), error.result)
    module.exit_json(**plain.answer({"changed": False, **answer}))
