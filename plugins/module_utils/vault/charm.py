# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Vault's charm: let in by a token that dies with the call, and given the authority that it signs certificates with."""

from __future__ import annotations

import base64
import contextlib

from ansible_collections.stratus.cloud.plugins.module_utils.juju import actions, status
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import JujuFault
from ansible_collections.stratus.cloud.plugins.module_utils.vault import client as vaults
from ansible_collections.stratus.cloud.plugins.module_utils.vault import keys, steps
from ansible_collections.stratus.cloud.plugins.module_utils.vault.errors import VaultFault


class Charm:
    """The application's leader, and its actions."""

    def __init__(self, module, client):
        self.options, self.client = module.params, client
        now = status.read(client)
        self.unit = status.target(
            now, f"{self.options['application']}/leader" if status.leader(now, self.options["application"]) else self.options["application"]
        )
        self.about = now["units"][self.unit]

    def run(self, action, params=None):
        return actions.run(self.client, self.unit, action, params, self.options["action_timeout"])["results"]

    def authority(self):
        """The certificate that the charm has, or None."""
        try:
            return steps.pem(self.run("get-root-ca"))
        except actions.ActionFailed:
            return None


def authorize(options, charm):
    """A token for the charm that is worthless when this returns, whatever happens."""
    root = options["root_token"] or keys.KeysFile(options["keys_file"], options["keys_password"]).read().get("root_token")
    if not root:
        raise VaultFault("the keys file holds no root token: give one in root_token")
    unit = vaults.unit(options, root)
    token = unit.token(options["token_ttl"])
    try:
        charm.run("authorize-charm", {"token": token})
    finally:
        # Should this fail, the token dies by itself within minutes.
        with contextlib.suppress(VaultFault):
            unit.revoke(token)


def certify(options, charm):
    """(certificate, request) by the way that was chosen."""
    if options["authority"] == "none":
        return None, None
    if options["authority"] == "root":
        made = steps.pem(charm.run("generate-root-ca", options["authority_params"])) or charm.authority()
        if made is None:
            raise JujuFault(f"{charm.unit} made no root certificate", changed=True)
        return made, None
    if not options["signed_csr"]:
        return None, str(charm.run("get-csr", options["authority_params"]).get("output") or "")
    given = {"pem": base64.b64encode(options["signed_csr"].encode()).decode()}
    if options["root_ca"]:
        given["root-ca"] = base64.b64encode(options["root_ca"].encode()).decode()
    charm.run("upload-signed-csr", given)
    return charm.authority() or options["root_ca"], None


def work(module, client):
    options = module.params
    try:
        if module.check_mode:
            return look(module, client)
        charm = Charm(module, client)
        certificate = charm.authority()
        needs = certificate is None or bool(steps.UNAUTHORIZED.search(charm.about["message"]))
        if options["authority"] == "none":
            needs = charm.about["workload"] == "blocked" and bool(steps.UNAUTHORIZED.search(charm.about["message"]))
        request = None
        if needs:
            authorize(options, charm)
        if certificate is None:
            certificate, request = certify(options, charm)
    except VaultFault as error:
        raise JujuFault(str(error), **error.result) from None
    diff = {"before": {"authorized": not needs}, "after": {"authorized": True}}
    return {"changed": needs, "authorized": needs, "ca": certificate, "unit": charm.unit, "diff": diff, **({"csr": request} if request else {})}


def look(module, client):
    """Check mode: the status alone tells whether something is left to do."""
    now = status.read(client) if client.find_model(module.params["model"]) else {"applications": {}, "units": {}}
    about = now["applications"].get(module.params["application"]) or {"units": []}
    active = bool(about["units"]) and all(now["units"][unit]["workload"] == "active" for unit in about["units"])
    diff = {"before": {"authorized": active}, "after": {"authorized": True}}
    return {"changed": not active, "authorized": False, "ca": None, "unit": status.leader(now, module.params["application"]), "diff": diff}
