"""Annotations of models, applications, machines and units."""

from __future__ import annotations

from lab.faces.juju.facades.base import Facade, each
from lab.world.juju.errors import JujuError, invalid


class Annotations(Facade):
    name = "Annotations"
    versions = (2,)

    def _known(self, tag: str) -> str:
        model = self.model
        kind, _dash, rest = (tag or "").partition("-")
        names = {
            "model": [model["uuid"]],
            "application": list(model["applications"]),
            "machine": [m.replace("/", "-") for m in model["machines"]],
            "unit": [u.replace("/", "-") for u in model["units"]],
            "charm": [rest],
        }
        if kind not in names:
            raise invalid(f'"{tag}" is not a valid tag')
        if rest not in names[kind]:
            raise JujuError("permission denied", "unauthorized access")
        return tag

    def Get(self, params: dict) -> dict:
        def one(entity: dict) -> dict:
            tag = entity.get("tag") or ""
            try:
                found = dict(self.model["annotations"].get(self._known(tag), {}))
            except JujuError as error:
                return {"entity": tag, "annotations": {}, "error": {"error": error.wire()}}
            return {"entity": tag, "annotations": found, "error": {}}

        return each(params.get("entities"), one)

    def Set(self, params: dict) -> dict:
        """Empty values take keys away. Only errors are answered, as the real facade does."""
        model = self.model
        errors = []
        for wanted in params.get("annotations") or []:
            try:
                held = model["annotations"].setdefault(self._known(wanted.get("entity") or ""), {})
                bad = [key for key in (wanted.get("annotations") or {}) if "." in key]
                if bad:
                    raise invalid(f'invalid key "{bad[0]}"')
                for key, value in (wanted.get("annotations") or {}).items():
                    if value == "":
                        held.pop(key, None)
                    else:
                        held[key] = str(value)
            except JujuError as error:
                errors.append({"error": error.wire()})
        self.juju.changed(model)
        return {"results": errors}
