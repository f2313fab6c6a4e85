# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What every maas_* module shares: the connection's options, the wait's options, and one error boundary."""

from __future__ import annotations

import traceback

from ansible.module_utils.basic import env_fallback, missing_required_lib
from ansible_collections.stratus.cloud.plugins.module_utils import plain
from ansible_collections.stratus.cloud.plugins.module_utils.maas.client import Client
from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import LostAnswer, MaasError, Unreachable
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import WaitError

# Seconds within which a call that is safe to repeat is repeated.
RETRY_FOR = 60.0


def maas_spec(**own):
    """The connection's options (documented in the fragment stratus.cloud.maas) and a module's own."""
    return dict(
        maas_url=dict(type="str", required=True, fallback=(env_fallback, ["MAAS_URL"])),
        maas_api_key=dict(type="str", required=True, no_log=True, fallback=(env_fallback, ["MAAS_API_KEY"])),
        validate_certs=dict(type="bool", default=True),
        ca_path=dict(type="path"),
        **own,
    )


def wait_spec(timeout=1800):
    """The wait's options (documented in the fragment stratus.cloud.wait)."""
    return dict(
        wait=dict(type="bool", default=True),
        wait_timeout=dict(type="float", default=timeout),
        wait_interval=dict(type="float", default=10),
        wait_slice=dict(type="float"),
        wait_resume=dict(type="dict"),
    )


def client_of(module):
    return Client(
        module.params["maas_url"],
        module.params["maas_api_key"],
        validate_certs=module.params["validate_certs"],
        ca_path=module.params["ca_path"],
        read_only=module.check_mode,
        retry_for=RETRY_FOR,
    )


def run(module, work):
    """Connect, do ``work(module, client)``, exit with what it returns. The only place where a module fails."""
    client = None
    try:
        client = client_of(module)
        result = work(module, client)
    except ImportError:
        module.fail_json(msg=missing_required_lib("python-libmaas", reason="to talk to MAAS"), exception=traceback.format_exc())
    except Unreachable as error:
        plain.fail(module, f"{error}. Check that the region runs and that {module.params['maas_url']} can be reached from where this task runs.", error.result)
    except LostAnswer as error:
        plain.fail(module, f"{error}. Run the task again: it looks at what is there first.", error.result)
    except MaasError as error:
        plain.fail(module, str(error), error.result)
    except WaitError as error:
        outcome = error.outcome
        told = {
            "waited": round(outcome.waited, 1),
            "states": {name: str(state) for name, state in outcome.states.items()},
            "ready": outcome.done,
            "failed_items": outcome.failed,
            "pending": outcome.pending,
            "timeline": outcome.timeline(),
        }
        plain.fail(module, str(error), told)
    finally:
        if client is not None:
            client.close()
    for warning in client.warnings:
        module.warn(plain.lines(warning))
    if "waited" in result:
        _count(result, client.requests, module.params.get("wait_resume") or {})
    module.exit_json(**plain.answer(result))


def _count(result, requests, resume):
    """What a wait cost the region, over all its slices."""
    result["requests"] = resume.get("requests", 0) + requests
    if result.get("resume"):
        result["resume"]["requests"] = result["requests"]
