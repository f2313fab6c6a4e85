"""Facades that the lab has only as far as clients look at them: keys, spaces, subnets, blocks, storage, offers, secrets, HA."""

from __future__ import annotations

from lab.faces.juju.facades.base import Facade, each, untag
from lab.world.juju.errors import JujuError, unsupported


class KeyManager(Facade):
    name = "KeyManager"
    versions = (1,)

    def ListKeys(self, params: dict) -> dict:
        return each((params.get("entities") or {}).get("entities"), lambda entity: {"result": list(self.model["keys"])})

    def AddKeys(self, params: dict) -> dict:
        model = self.model

        def one(key: str) -> dict:
            if key in model["keys"]:
                raise JujuError(f"duplicate ssh key: {key.split()[-1]}", "")
            if len(key.split()) < 2:
                raise JujuError(f"invalid ssh key: {key}", "")
            model["keys"].append(key)
            return {}

        found = each(params.get("ssh-keys"), one)
        self.juju.changed(model)
        return found

    def DeleteKeys(self, params: dict) -> dict:
        model = self.model

        def one(text: str) -> dict:
            keys = [k for k in model["keys"] if text in (k, k.split()[-1])]
            if not keys:
                raise JujuError(f"key not found: {text}", "")
            model["keys"] = [k for k in model["keys"] if k not in keys]
            return {}

        return each(params.get("ssh-keys"), one)


class SSHClient(Facade):
    name = "SSHClient"
    versions = (4,)

    def PublicKeys(self, params: dict) -> dict:
        """The host keys of a machine that is a real host; a simulated one has no sshd whose keys could be told."""

        def one(entity: dict) -> dict:
            machine = self.juju.machines.get(self.model, untag("machine", entity.get("tag")))
            keys = self.world.effects.host_keys(machine["hostname"] or "")
            if not keys:
                raise JujuError("keys not found", "not found")
            return {"public-keys": keys}

        return each(params.get("entities"), one)


class Spaces(Facade):
    name = "Spaces"
    versions = (6,)

    def ListSpaces(self, params: dict) -> dict:
        subnet = {"cidr": str(self.world.rack.network), "provider-id": "1", "vlan-tag": 0, "life": "alive", "space-tag": "space-alpha", "zones": ["default"]}
        return {"results": [{"id": "0", "name": "alpha", "subnets": [subnet]}]}

    def ShowSpace(self, params: dict) -> dict:
        return each(
            params.get("entities"),
            lambda entity: {
                "space": {"id": "0", "name": "alpha", "subnets": []},
                "applications": sorted(self.model["applications"]),
                "machine-count": len(self.model["machines"]),
            },
        )

    def ReloadSpaces(self, params: dict) -> dict:
        return {}


class Subnets(Facade):
    name = "Subnets"
    versions = (5,)

    def ListSubnets(self, params: dict) -> dict:
        return {
            "results": [
                {"cidr": str(self.world.rack.network), "provider-id": "1", "vlan-tag": 0, "life": "alive", "space-tag": "space-alpha", "zones": ["default"]}
            ]
        }

    def AllZones(self, params: dict) -> dict:
        return {"results": [{"name": "default", "available": True}]}


class Block(Facade):
    name = "Block"
    versions = (2,)

    def List(self, params: dict) -> dict:
        return {"results": []}

    def SwitchBlockOn(self, params: dict) -> dict:
        raise unsupported("the lab has no command blocks")

    def SwitchBlockOff(self, params: dict) -> dict:
        return {}


class Storage(Facade):
    name = "Storage"
    versions = (6,)

    def ListStorageDetails(self, params: dict) -> dict:
        return each(params.get("filters"), lambda one: {"result": []})

    def ListVolumes(self, params: dict) -> dict:
        return each(params.get("filters"), lambda one: {"result": []})

    def ListFilesystems(self, params: dict) -> dict:
        return each(params.get("filters"), lambda one: {"result": []})

    def ListPools(self, params: dict) -> dict:
        pools = [{"name": name, "provider": name, "attrs": {}} for name in ("loop", "maas", "rootfs", "tmpfs")]
        return each(params.get("filters"), lambda one: {"storage-pools": pools})


class ApplicationOffers(Facade):
    name = "ApplicationOffers"
    versions = (4, 5)
    on = "controller"

    def ListApplicationOffers(self, params: dict) -> dict:
        return {"results": []}

    def Offer(self, params: dict) -> dict:
        return each(params.get("Offers"), lambda one: {"error": {"message": "the lab has no offers", "code": "not supported"}})


class Secrets(Facade):
    name = "Secrets"
    versions = (1, 2)

    def ListSecrets(self, params: dict) -> dict:
        return {"results": []}


class HighAvailability(Facade):
    name = "HighAvailability"
    versions = (2,)
    on = "both"

    def EnableHA(self, params: dict) -> dict:
        raise unsupported("the lab's controllers stand alone")


MINOR = (KeyManager, SSHClient, Spaces, Subnets, Block, Storage, ApplicationOffers, Secrets, HighAvailability)
