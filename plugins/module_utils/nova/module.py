# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What every nova module shares: its options, its client and its one error boundary."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible_collections.stratus.cloud.plugins.module_utils import plain, secrecy
from ansible_collections.stratus.cloud.plugins.module_utils.nova.client import Client
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault

CONNECTION = {
    "cloud": {"type": "raw", "no_log": True, "fallback": (env_fallback, ["OS_CLOUD"])},
    "clouds_file": {"type": "path", "fallback": (env_fallback, ["OS_CLIENT_CONFIG_FILE"])},
    "auth": {"type": "dict", "no_log": True},
    "auth_type": {"type": "str"},
    "region_name": {"type": "str"},
    "interface": {"type": "str", "choices": ["admin", "internal", "public"], "aliases": ["endpoint_type"]},
    "validate_certs": {"type": "bool", "aliases": ["verify"]},
    "ca_cert": {"type": "path", "aliases": ["cacert"]},
    "client_cert": {"type": "path", "aliases": ["cert"]},
    "client_key": {"type": "path", "no_log": False, "aliases": ["key"]},
    "api_timeout": {"type": "int"},
}
SLICES = {"wait_slice": {"type": "float"}, "wait_resume": {"type": "dict"}}


def waits(timeout, interval=5):
    return {
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "float", "default": timeout},
        "wait_interval": {"type": "float", "default": interval},
    }


# As the documentation's fragment stratus.cloud.nova.migrates says.
MIGRATES = {
    "block_migration": {"type": "str", "choices": ["auto", "true", "false"], "default": "auto"},
    "concurrency": {"type": "int", "default": 2},
    "migration_timeout": {"type": "float"},
    "on_timeout": {"type": "str", "choices": ["abort", "force_complete", "leave"], "default": "abort"},
    **waits(7200),
    **SLICES,
}


def module(options, **more):
    """An AnsibleModule with the connection's options beside its own."""
    made = AnsibleModule(argument_spec={**CONNECTION, **options}, supports_check_mode=True, **more)
    secrecy.hide(made, ("auth", "cloud"))
    return made


def run(module, work):
    """work(module, client) -> the module's answer. The only place where faults become failures."""
    client, answer, failure = None, {}, None
    try:
        client = Client(module.params, read_only=module.check_mode)
        answer = work(module, client)
    except NovaFault as error:
        failure = (str(error), error.result)
    finally:
        if client is not None:
            client.close()
    if failure:
        plain.fail(module, failure[0], {"changed": False, **failure[1]})
    module.exit_json(**plain.answer({"changed": False, **answer}))
