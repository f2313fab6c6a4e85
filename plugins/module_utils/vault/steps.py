# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Initialising, unsealing and authorising: what must be true before each step, and what each crash means."""

from __future__ import annotations

import re
import ssl
import time

from ansible_collections.stratus.cloud.plugins.module_utils.vault import keys as keyfiles
from ansible_collections.stratus.cloud.plugins.module_utils.vault.errors import Unreachable, VaultFault

LOST = (
    "Vault at {address} was initialised by a run that ended between the request and the writing of {path}: its keys were shown once and are lost. "
    "Nothing can be stored in it yet, so make it anew: remove the application vault and its database (or its storage), deploy it again, "
    "remove {marker}, and run again"
)
FOREIGN = (
    "Vault at {address} is initialised, and there is no keys file {path}: somebody else holds its keys. "
    "Put them there (JSON with keys_base64, root_token, shares and threshold), or set require_keys to false"
)
STALE = (
    "Vault at {address} is not initialised, and the keys file {path} holds the keys of another one. It is never overwritten: "
    "move it away when that Vault is gone, and run again"
)
# Vault's words to the second of two.
ALREADY = "already initialized"


def initialize(unit, keys, shares, threshold, check_mode=False, require_keys=True, now=time.time, owe=False):
    """{changed, initialized, recovered}. Keys go to the file and nowhere else."""
    words = {"address": unit.address, "path": keys.path, "marker": keys.marker}
    initialized = unit.initialized()
    if initialized:
        if not keys.exists():
            if keys.saved():
                if not check_mode:
                    keys.salvage()
                return {"changed": True, "initialized": True, "recovered": True}
            if keys.intended() is not None:
                raise VaultFault(LOST.format(**words))
            if require_keys:
                raise VaultFault(FOREIGN.format(**words))
            return {"changed": False, "initialized": True, "recovered": False}
        keys.read()
        tightened = False
        if not check_mode:
            tightened = keys.permissions()
            keys.forget()
        return {"changed": tightened, "initialized": True, "recovered": False}
    if keys.exists():
        raise VaultFault(STALE.format(**words))
    if keys.saved():
        raise VaultFault(STALE.format(**{**words, "path": keys.new}))
    if not 1 <= threshold <= shares or (shares > 1 and threshold < 2):
        raise VaultFault(f"{threshold} of {shares} keys is not a threshold that Vault takes: at least 2 when there is more than one share")
    if check_mode:
        return {"changed": True, "initialized": False, "recovered": False}
    keys.prepare()
    if owe:
        keys.owe()
    keys.intend({"vault_addr": unit.address, "shares": shares, "threshold": threshold, "started": int(now())})
    try:
        answer = unit.initialize(shares, threshold)
    except Unreachable:
        # Vault may have heard it. When it has not, nothing happened and the next run may ask again.
        if unit.initialized():
            raise VaultFault(LOST.format(**words)) from None
        raise
    except VaultFault as error:
        # A refusal may come after the deed, when what Vault does after it failed. Only one that names somebody quicker says that the keys are not ours.
        if ALREADY not in str(error) and unit.initialized():
            raise VaultFault(f"{error}. {LOST.format(**words)}") from None
        keys.withdraw()
        raise
    keys.save(keyfiles.content(answer, shares, threshold, unit.address))
    return {"changed": True, "initialized": True, "recovered": False}


def unseal(unit, keys, check_mode=False):
    """{changed, sealed, was_sealed, threshold, shares}. `keys` is called when keys are needed, and only then."""
    before = unit.seal()
    answer = {"changed": before["sealed"], "was_sealed": before["sealed"], "sealed": before["sealed"]}
    answer.update({name: before[name] for name in ("threshold", "shares", "version")})
    if not before["initialized"]:
        if check_mode:
            return {**answer, "changed": True, "was_sealed": True, "sealed": True}
        raise VaultFault(f"Vault at {unit.address} is not initialised: there is nothing to unseal; see vault_init")
    if not before["sealed"] or check_mode:
        return answer
    given = list(dict.fromkeys(keys()))
    if len(given) < before["threshold"]:
        raise VaultFault(f"Vault at {unit.address} needs {before['threshold']} keys, and {len(given)} were given")
    if before["progress"]:
        # Keys of somebody else, or of a run that was broken: begin anew, so that this run's keys are the ones that count.
        unit.forget_progress()
    for key in given[: before["threshold"]]:
        try:
            if not unit.unseal(key):
                break
        except Unreachable:
            if not unit.seal()["sealed"]:
                break
            raise
    if unit.seal()["sealed"]:
        raise VaultFault(f"Vault at {unit.address} is still sealed after {before['threshold']} keys: they are not its keys")
    return {**answer, "sealed": False}


# --- the charm -------------------------------------------------------------------------------------------------------


def pem(results):
    """The certificate in an action's results, or None. Checked, because what is not a certificate would be trusted by nobody."""
    text = str((results or {}).get("output") or "")
    found = re.search(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----", text)
    if not found:
        return None
    # What was indented on its way is put straight again.
    certificate = "\n".join(line.strip() for line in found.group(0).splitlines()) + "\n"
    try:
        ssl.PEM_cert_to_DER_cert(certificate)
    except ValueError:
        return None
    return certificate


UNAUTHORIZED = re.compile(r"authoriz|approle", re.I)
