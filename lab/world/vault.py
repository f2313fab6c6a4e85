"""Vault of the lab: one cluster for each application of the vault charm, a seal for each unit, tokens, and a real PKI.

Data in ``engine.state["vault"]``: clusters by ``MODEL:APPLICATION``. Shares are random; enough different ones of them unseal (no Shamir here).
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import uuid
from typing import Any

from lab.errors import ApiError
from lab.world import pki

VERSION = "1.8.8"
DATABASES = ("shared-db", "db", "etcd")
DAY = 86400
UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY}


def refuse(status: int, *messages: str) -> ApiError:
    return ApiError(status, {"errors": list(messages)}, "application/json")


def seconds(text: Any, default: float) -> float:
    """``10m``, ``1h30m``, ``600``, 600 as seconds."""
    if text in (None, "", 0, "0"):
        return default
    if isinstance(text, (int, float)):
        return float(text)
    if re.fullmatch(r"\d+", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not parts or "".join(a + b for a, b in parts) != text:
        raise refuse(400, f'error converting input {text} for field "ttl"')
    return sum(float(a) * UNITS[b] for a, b in parts)


class VaultWorld:
    """Every vault cluster. The HTTP face calls the methods that take a unit; the charm's actions call those that take a cluster."""

    def __init__(self, world: Any):
        self.world = world
        self.engine = world.engine
        self.state: dict[str, Any] = self.engine.state.setdefault("vault", {"clusters": {}})

    # -- where --------------------------------------------------------------------------------------------------------
    @staticmethod
    def key(model_uuid: str, application: str) -> str:
        return f"{model_uuid}:{application}"

    def cluster(self, model_uuid: str, application: str) -> dict[str, Any]:
        key = self.key(model_uuid, application)
        if key not in self.state["clusters"]:
            self.state["clusters"][key] = {
                "model": model_uuid,
                "application": application,
                "id": str(uuid.uuid4()),
                "initialized": False,
                "shares": [],
                "threshold": 0,
                "root_token": None,
                "tokens": {},
                "units": {},
                "authorized": False,
                "ca": None,
                "csr": None,
                "generation": 0,
            }
        return self.state["clusters"][key]

    def unit(self, cluster: dict, name: str) -> dict[str, Any]:
        return cluster["units"].setdefault(name, {"sealed": True, "progress": [], "nonce": ""})

    def serving(self) -> dict[str, tuple[str, str, str]]:
        """Where Vault listens: ``{address: (model uuid, application, unit name)}``, once the unit's service runs."""
        found = {}
        for model in self.world.juju.state["models"].values():
            for unit in model["units"].values():
                app = model["applications"].get(unit["app"])
                if not app or app["charm"] != "vault" or unit["life"] == "dead":
                    continue
                view = self.world.juju.units.view(model, unit)
                address = (model["machines"].get(unit["machine"]) or {}).get("address")
                if address and self._running(view):
                    found[address] = (model["uuid"], unit["app"], unit["name"])
        return found

    @staticmethod
    def _running(view: Any) -> bool:
        waiting = any(view.related(e) and not view.complete(e) for e in DATABASES)
        stopped = view.unit["state"].get("paused") or view.unit["state"].get("gave_up")
        powered = (view.model["machines"].get(view.unit["machine"]) or {}).get("agent", {}).get("status") != "down"
        return view.started and not waiting and not stopped and powered

    def _changed(self, cluster: dict) -> None:
        model = self.world.juju.state["models"].get(cluster["model"])
        if model:
            self.world.juju.changed(model)
        self.engine.touch()

    # -- what the charm sees ------------------------------------------------------------------------------------------
    def assess(self, view: Any) -> tuple[str, str]:
        """Status of a vault unit whose service runs."""
        self._automatic(view)
        cluster = self.cluster(view.model["uuid"], view.app["name"])
        unit = self.unit(cluster, view.unit["name"])
        if not cluster["initialized"]:
            return "blocked", "Vault needs to be initialized"
        if unit["sealed"]:
            return "blocked", "Unit is sealed"
        if not cluster["authorized"]:
            return "blocked", "Vault charm not yet authorized: run authorize-charm action."
        if view.leader and view.related("certificates") and not cluster["ca"]:
            return "blocked", "Missing CA cert"
        machine = view.model["machines"].get(view.unit["machine"]) or {}
        mlock = "disabled" if machine.get("container") or view.option("disable-mlock") else "enabled"
        active = self.leader(cluster) == view.unit["name"]
        return "active", f"Unit is ready (active: {str(active).lower()}, mlock: {mlock})"

    def _automatic(self, view: Any) -> None:
        """The charm's laboratory options: unlock by itself, make a CA by itself."""
        cluster = self.cluster(view.model["uuid"], view.app["name"])
        if view.option("totally-unsecure-auto-unlock"):
            if not cluster["initialized"]:
                self._initialise(cluster, 1, 1)
            cluster["authorized"] = True
            self.unit(cluster, view.unit["name"])["sealed"] = False
        if view.option("auto-generate-root-ca-cert") and cluster["authorized"] and not cluster["ca"] and view.related("certificates"):
            self._make_root(cluster)

    def leader(self, cluster: dict) -> str | None:
        """The active unit: the first that is not sealed."""
        names = sorted((n for n, u in cluster["units"].items() if not u["sealed"]), key=lambda n: int(n.split("/")[1]))
        return names[0] if names else None

    def generation(self, model_uuid: str, application: str) -> int | None:
        """Which generation of certificates clients get; None while there are none."""
        cluster = self.state["clusters"].get(self.key(model_uuid, application))
        if not cluster or not cluster["ca"] or not cluster["ca"].get("cert") or not self.leader(cluster):
            return None
        return cluster["generation"]

    def restart(self, model: dict, unit: dict) -> None:
        """The unit's service starts anew: it is sealed, or gives up where its database is away.

        The charm's unit has Restart=always and systemd's limit of five quick starts; then nothing but an action of the charm tries again.
        """
        if self._database_away(model, unit):
            unit["state"]["gave_up"] = True
        else:
            unit["state"].pop("gave_up", None)
        cluster = self.cluster(model["uuid"], unit["app"])
        self.unit(cluster, unit["name"]).update(sealed=True, progress=[], nonce="")
        self._changed(cluster)

    def _database_away(self, model: dict, unit: dict) -> bool:
        databases = [app for app in model["applications"].values() if app["charm"] == "mysql-innodb-cluster"]
        return self.world.juju.units.view(model, unit).related("shared-db") and any(app["state"].get("outage") for app in databases)

    def unit_upgraded(self, model: dict, unit: dict) -> None:
        """A refresh that changes the channel refreshes the snap, which restarts the service."""
        app = model["applications"].get(unit["app"])
        if app and app["charm"] == "vault" and self.key(model["uuid"], unit["app"]) in self.state["clusters"]:
            self.cluster(model["uuid"], unit["app"])["units"].setdefault(unit["name"], {}).update(sealed=True, progress=[], nonce="")

    def unit_removed(self, model_uuid: str, unit: dict) -> None:
        cluster = self.state["clusters"].get(self.key(model_uuid, unit["app"]))
        if cluster:
            cluster["units"].pop(unit["name"], None)

    def application_removed(self, model_uuid: str, application: str) -> None:
        self.state["clusters"].pop(self.key(model_uuid, application), None)

    def forget(self, model_uuid: str) -> None:
        for key in [k for k in self.state["clusters"] if k.startswith(f"{model_uuid}:")]:
            del self.state["clusters"][key]

    # -- API: seal ----------------------------------------------------------------------------------------------------
    def init(self, cluster: dict, shares: Any, threshold: Any) -> dict[str, Any]:
        if cluster["initialized"]:
            raise refuse(400, "Vault is already initialized")
        if not isinstance(shares, int) or not isinstance(threshold, int) or shares < 1 or shares > 255:
            raise refuse(400, "invalid seal configuration: shares must be at least one")
        if threshold < 1 or threshold > shares:
            raise refuse(
                400,
                "invalid seal configuration: threshold cannot be larger than shares"
                if threshold > shares
                else "invalid seal configuration: threshold must be at least one",
            )
        if shares > 1 and threshold == 1:
            raise refuse(400, "invalid seal configuration: threshold must be greater than one for multiple shares")
        self._initialise(cluster, shares, threshold)
        self._changed(cluster)
        keys = cluster["shares"]
        return {"keys": keys, "keys_base64": [base64.b64encode(bytes.fromhex(k)).decode() for k in keys], "root_token": cluster["root_token"]}

    def _initialise(self, cluster: dict, shares: int, threshold: int) -> None:
        size = 32 if shares == 1 else 33
        cluster.update(
            initialized=True, shares=[secrets.token_hex(size) for _ in range(shares)], threshold=threshold, root_token=f"s.{secrets.token_urlsafe(18)}"
        )
        cluster["tokens"][cluster["root_token"]] = self._token(["root"], None, "root", None)
        self.engine.log("vault.initialized", application=cluster["application"], shares=shares, threshold=threshold)

    def seal_status(self, cluster: dict, name: str) -> dict[str, Any]:
        unit = self.unit(cluster, name)
        found = {
            "type": "shamir",
            "initialized": cluster["initialized"],
            "sealed": unit["sealed"],
            "t": cluster["threshold"],
            "n": len(cluster["shares"]),
            "progress": len(unit["progress"]),
            "nonce": unit["nonce"],
            "version": VERSION,
            "migration": False,
            "recovery_seal": False,
            "storage_type": "mysql",
        }
        if not unit["sealed"]:
            found.update(cluster_name=f"vault-cluster-{cluster['id'][:8]}", cluster_id=cluster["id"])
        return found

    def unseal(self, cluster: dict, name: str, key: Any, reset: bool = False) -> dict[str, Any]:
        unit = self.unit(cluster, name)
        if not cluster["initialized"]:
            raise refuse(400, "Vault is not initialized")
        if reset:
            unit.update(progress=[], nonce="")
            return self.seal_status(cluster, name)
        if not key:
            raise refuse(400, "'key' must be specified in request body as JSON, or 'reset' set to true")
        share = self._share(key)
        if not unit["sealed"]:
            return self.seal_status(cluster, name)
        if len(share) < 16:
            raise refuse(400, "key is shorter than minimum 16 bytes")
        if share.hex() not in unit["progress"]:
            unit["progress"].append(share.hex())
            unit["nonce"] = unit["nonce"] or str(uuid.uuid4())
        if len(unit["progress"]) >= cluster["threshold"]:
            given, unit["progress"], unit["nonce"] = unit["progress"], [], ""
            if not all(k in cluster["shares"] for k in given):
                self._changed(cluster)
                raise refuse(400, "failed to decrypt encrypted stored keys: cipher: message authentication failed")
            unit["sealed"] = False
            self.engine.log("vault.unsealed", unit=name)
        self._changed(cluster)
        return self.seal_status(cluster, name)

    @staticmethod
    def _share(key: Any) -> bytes:
        try:
            return bytes.fromhex(key)
        except (ValueError, TypeError):
            pass
        try:
            return base64.b64decode(key, validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise refuse(400, "'key' must be a valid hex or base64 string") from None

    def seal(self, cluster: dict, name: str) -> None:
        self.unit(cluster, name).update(sealed=True, progress=[], nonce="")
        self.engine.log("vault.sealed", unit=name)
        self._changed(cluster)

    # -- API: tokens --------------------------------------------------------------------------------------------------
    def _token(self, policies: list[str], ttl: float | None, display: str, parent: str | None) -> dict[str, Any]:
        now = self.engine.now()
        return {
            "policies": policies,
            "created": now,
            "ttl": ttl or 0,
            "expires": now + ttl if ttl else None,
            "accessor": secrets.token_urlsafe(18),
            "display_name": display,
            "parent": parent,
        }

    def check_token(self, cluster: dict, token: str | None) -> dict[str, Any]:
        """The token's record; 400 without, 403 with a wrong or old one."""
        if not token:
            raise refuse(400, "missing client token")
        found = cluster["tokens"].get(token)
        if found is None or (found["expires"] is not None and found["expires"] <= self.engine.now()):
            raise refuse(403, "permission denied")
        return found

    def valid(self, cluster: dict, token: str | None) -> bool:
        try:
            self.check_token(cluster, token)
        except ApiError:
            return False
        return True

    def create_token(self, cluster: dict, parent: str, wanted: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        mine = self.check_token(cluster, parent)
        policies = list(wanted.get("policies") or mine["policies"])
        if "root" not in mine["policies"] and not set(policies) <= {*mine["policies"], "default"}:
            raise refuse(400, "child policies must be subset of parent")
        ttl = seconds(wanted.get("ttl") or wanted.get("lease"), 0.0)
        if not ttl and policies != ["root"]:
            ttl = 32 * DAY
        token = wanted.get("id") or f"s.{secrets.token_urlsafe(18)}"
        orphan = bool(wanted.get("no_parent"))
        cluster["tokens"][token] = self._token(
            policies, ttl or None, f"token-{wanted['display_name']}" if wanted.get("display_name") else "token", None if orphan else parent
        )
        self.engine.touch()
        return token, cluster["tokens"][token]

    def revoke(self, cluster: dict, token: str) -> None:
        """The token and those made with it."""
        cluster["tokens"].pop(token, None)
        for child in [t for t, row in cluster["tokens"].items() if row["parent"] == token]:
            self.revoke(cluster, child)
        self.engine.touch()

    # -- actions of the charm -----------------------------------------------------------------------------------------
    def authorize(self, model: dict, application: str, unit: str, token: str) -> None:
        """``authorize-charm``; ValueError says why not."""
        cluster = self.cluster(model["uuid"], application)
        self._open(cluster, unit)
        if not self.valid(cluster, token):
            raise ValueError("hvac.exceptions.Forbidden: permission denied")
        cluster["authorized"] = True
        self.engine.log("vault.authorized", application=application)
        self._changed(cluster)

    def _open(self, cluster: dict, unit: str) -> None:
        if not cluster["initialized"]:
            raise ValueError("hvac.exceptions.VaultNotInitialized: Vault is not initialized")
        if self.unit(cluster, unit)["sealed"]:
            raise ValueError("hvac.exceptions.VaultDown: Vault is sealed")

    def _trusted(self, model: dict, application: str, unit: str) -> dict[str, Any]:
        cluster = self.cluster(model["uuid"], application)
        self._open(cluster, unit)
        if not cluster["authorized"]:
            raise ValueError("lib.charm.vault.VaultNotReady: the charm is not authorized, run the authorize-charm action")
        return cluster

    def generate_root_ca(self, model: dict, application: str, unit: str) -> str:
        cluster = self._trusted(model, application, unit)
        if cluster["ca"]:
            raise ValueError("PKI CA already configured")
        self._make_root(cluster)
        self._changed(cluster)
        return cluster["ca"]["cert"]

    def _make_root(self, cluster: dict) -> None:
        cert, key = pki.authority("Vault Root Certificate Authority (charm-pki-local)")
        cluster["ca"] = {"cert": cert, "key": key, "chain": cert, "kind": "root"}
        cluster["generation"] += 1
        self.engine.log("vault.ca", application=cluster["application"])

    def root_ca(self, model: dict, application: str, unit: str) -> str:
        cluster = self._trusted(model, application, unit)
        if not cluster["ca"]:
            raise ValueError("hvac.exceptions.InvalidPath: no CA is configured")
        return cluster["ca"]["chain"]

    def request_csr(self, model: dict, application: str, unit: str, wanted: dict[str, Any]) -> str:
        cluster = self._trusted(model, application, unit)
        if cluster["ca"] and not wanted.get("force"):
            raise ValueError("an intermediate CA exists and would be invalid until its signed CSR is uploaded; run the action with force=True to go on")
        name = wanted.get("common-name") or "Vault Intermediate Certificate Authority (charm-pki-local)"
        csr, key = pki.request(name, wanted.get("organization"))
        cluster.update(csr={"csr": csr, "key": key}, ca=None)
        self._changed(cluster)
        return csr

    def upload_csr(self, model: dict, application: str, unit: str, pem: str, root: str | None) -> None:
        cluster = self._trusted(model, application, unit)
        if not cluster["csr"]:
            raise ValueError("hvac.exceptions.InvalidRequest: no signing request is pending")
        try:
            fits = pki.matches(pem, cluster["csr"]["key"])
        except ValueError as error:
            raise ValueError(f"hvac.exceptions.InvalidRequest: {error}") from None
        if not fits:
            raise ValueError("hvac.exceptions.InvalidRequest: the certificate does not belong to the signing request")
        cluster["ca"] = {"cert": pem, "key": cluster["csr"]["key"], "chain": pem + (root or ""), "kind": "intermediate"}
        cluster["csr"] = None
        cluster["generation"] += 1
        self._changed(cluster)

    def reissue(self, model: dict, application: str, unit: str) -> None:
        cluster = self._trusted(model, application, unit)
        if not cluster["ca"]:
            raise ValueError("lib.charm.vault.VaultNotReady: CA not ready")
        cluster["generation"] += 1
        self.engine.log("vault.reissue", application=application)
        self._changed(cluster)

    def disable_pki(self, model: dict, application: str, unit: str) -> None:
        cluster = self._trusted(model, application, unit)
        cluster["ca"] = None
        self._changed(cluster)

    # -- certificates for the rest of the lab ---------------------------------------------------------------------------
    def ca(self, model_uuid: str | None = None) -> dict[str, str] | None:
        """``{"cert", "key", "chain"}`` of the (model's) Vault; None while it has none."""
        for cluster in self.state["clusters"].values():
            if cluster["ca"] and model_uuid in (None, cluster["model"]):
                return {key: cluster["ca"][key] for key in ("cert", "key", "chain")}
        return None

    def issue(self, names: list[str], ips: list[str], model_uuid: str | None = None, days: float = 365) -> tuple[str, str, str]:
        """A server certificate of the lab's Vault: (certificate, key, chain), PEM. LookupError while there is no CA."""
        ca = self.ca(model_uuid)
        if ca is None:
            raise LookupError("the lab's Vault has no CA yet")
        cert, key = pki.leaf(ca["cert"], ca["key"], names, ips, days)
        return cert, key, ca["chain"]
