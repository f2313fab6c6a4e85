"""The charms of the lab as data: what Charmhub and a charm's metadata would say. Pure functions; nothing here changes."""

from __future__ import annotations

import functools
import re
from typing import Any

import yaml

from lab.engine import DATA
from lab.world.juju.errors import JujuError, invalid, not_found

SERIES = {"focal": "20.04", "jammy": "22.04", "noble": "24.04"}
NAMES = {version: name for name, version in SERIES.items()}
RISKS = ("stable", "candidate", "beta", "edge")
IMPLICIT = {"interface": "juju-info"}
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
URL = re.compile(
    r"^(?:(?P<schema>ch|local):)?(?:(?P<arch>amd64|arm64|ppc64el|s390x)/)?(?:(?P<series>[a-z]+)/)?(?P<name>[a-z][a-z0-9]*(?:-[a-z0-9]*[a-z][a-z0-9]*)*)(?:-(?P<rev>\d+))?$"
)


@functools.cache
def _behaviour() -> dict[str, Any]:
    return yaml.load((DATA / "charms.yml").read_text(), LOADER)  # noqa: S506 (a safe loader)


@functools.cache
def _metadata() -> dict[str, Any]:
    return yaml.load((DATA / "charm-metadata.yml").read_text(), LOADER)  # noqa: S506 (a safe loader)


def names() -> list[str]:
    return sorted(_metadata())


def charm(name: str) -> dict[str, Any]:
    """What the charm declares: provides, requires, peers, options, actions, subordinate."""
    if name not in _metadata():
        raise JujuError(f'charm "{name}" not found on Charmhub', "not found")
    return _metadata()[name]


def behaviour(name: str) -> dict[str, Any]:
    """How the charm behaves (charms.yml)."""
    return _behaviour()["charms"][name]


def family(name: str) -> dict[str, Any]:
    return _behaviour()["families"][behaviour(name)["family"]]


# -- URLs and releases ------------------------------------------------------------------------------------------------
def parse_url(text: str) -> dict[str, Any]:
    """``ch:amd64/jammy/keystone-595``, ``ch:keystone``, ``keystone`` as parts."""
    match = URL.match(text or "")
    if not match:
        raise invalid(f'cannot parse charm or bundle URL: "{text}"')
    parts = match.groupdict()
    return {
        "schema": parts["schema"] or "ch",
        "arch": parts["arch"],
        "series": parts["series"],
        "name": parts["name"],
        "revision": int(parts["rev"]) if parts["rev"] else None,
    }


def url(name: str, revision: int, arch: str = "amd64") -> str:
    return f"ch:{arch}/{name}-{revision}"


def split_channel(channel: str | None) -> tuple[str, str]:
    """(track, risk) of ``2023.1/stable``, ``stable``, ``2023.1`` or nothing; an unnamed track is empty."""
    parts = [p for p in (channel or "").split("/") if p]
    if not parts:
        return "", "stable"
    if len(parts) == 1:
        return ("", parts[0]) if parts[0] in RISKS else (parts[0], "stable")
    if parts[1] not in RISKS:
        raise invalid(f'risk in channel "{channel}" not valid')
    return parts[0], parts[1]


def base_version(base: dict | str | None) -> str | None:
    """``22.04`` of ``{"name": "ubuntu", "channel": "22.04/stable"}``, of ``ubuntu@22.04/stable`` or of ``jammy``."""
    if not base:
        return None
    text = (base.get("channel") or "") if isinstance(base, dict) else str(base)
    text = text.split("@")[-1].split("/")[0]
    return SERIES.get(text, text) or None


def wire_base(version: str) -> dict[str, str]:
    return {"name": "ubuntu", "channel": f"{version}/stable"}


def revision_of(name: str, track: str, risk: str) -> int:
    tracks = list(family(name)["tracks"])
    return behaviour(name)["revision"] + 20 * (tracks.index(track) if track in tracks else len(tracks)) + (RISKS.index(risk) if risk in RISKS else 0)


def track_of(name: str, revision: int) -> str:
    """The track that a revision was released to (the last one that is not newer)."""
    tracks = list(family(name)["tracks"])
    index = max(0, min(len(tracks) - 1, (revision - behaviour(name)["revision"]) // 20))
    return tracks[index]


def resolve(name: str, channel: str | None = None, base: str | None = None, revision: int | None = None, arch: str = "amd64") -> dict[str, Any]:
    """What Charmhub would give for the wish: ``{name, revision, track, risk, bases, url}``."""
    charm(name)
    tracks = family(name)["tracks"]
    track, risk = split_channel(channel)
    if revision is not None and not channel:
        track = track_of(name, revision)
    track = track or family(name)["default"]
    if track == "latest" and "latest" not in tracks:
        # The charms without a latest track publish their development there, at edge only.
        if risk != "edge":
            raise _no_release(name, f"{track}/{risk}", base)
        bases = list(tracks.values())[-1]
    elif track not in tracks:
        raise _no_release(name, f"{track}/{risk}", base)
    else:
        bases = tracks[track]
    if base and base not in bases:
        raise _no_release(name, f"{track}/{risk}", base, OtherBase)
    found = revision_of(name, track, risk)
    if revision is not None:
        if revision > behaviour(name)["revision"] + 20 * len(tracks) + 20:
            raise JujuError(f'selecting releases: charm "{name}" has no revision {revision}', "not found")
        found = revision
    return {"name": name, "revision": found, "track": track, "risk": risk, "bases": list(bases), "url": url(name, found, arch)}


class OtherBase(JujuError):
    """The channel has releases for other bases."""


def _no_release(name: str, channel: str, base: str | None, kind: type[JujuError] = JujuError) -> JujuError:
    lines = [f'channel "{track}/stable": available bases are: ' + ", ".join(f"ubuntu@{b}" for b in bases) for track, bases in family(name)["tracks"].items()]
    where = f', base "amd64/ubuntu/{base}/stable"' if base else ""
    text = f'selecting releases: charm or bundle not found for channel "{channel}"{where}'
    return kind(text + "\navailable releases are:\n  " + "\n  ".join(lines), "not found")


def version_of(name: str, channel: str) -> str:
    """The workload's version in that channel."""
    versions = behaviour(name).get("versions", {})
    track = split_channel(channel)[0] or family(name)["default"]
    return str(versions.get(track, list(versions.values())[-1] if versions else ""))


# -- endpoints --------------------------------------------------------------------------------------------------------
def endpoints(name: str) -> dict[str, dict[str, Any]]:
    """Every endpoint by name: ``{role, interface, scope, limit}``; the implicit juju-info included."""
    declared = charm(name)
    found = {}
    for plural, role in (("provides", "provider"), ("requires", "requirer"), ("peers", "peer")):
        for endpoint, spec in (declared.get(plural) or {}).items():
            found[endpoint] = {
                "name": endpoint,
                "role": role,
                "interface": spec["interface"],
                "scope": spec.get("scope", "global"),
                "limit": spec.get("limit", 0),
                "optional": False,
            }
    found.setdefault("juju-info", {"name": "juju-info", "role": "provider", **IMPLICIT, "scope": "global", "limit": 0, "optional": False})
    return found


# -- options ----------------------------------------------------------------------------------------------------------
def options(name: str) -> dict[str, dict[str, Any]]:
    """The charm's options, with the one that Juju adds to each application."""
    return charm(name).get("options") or {}


def coerce(name: str, key: str, value: Any) -> Any:
    """The value as the option's type has it; the server's refusal when it does not fit."""
    known = options(name)
    if key not in known:
        raise not_found_option(key)
    kind = known[key]["type"]
    if value is None:
        return None
    convert = {"boolean": _boolean, "int": _integer, "float": _float, "string": _string, "secret": _string}[kind]
    try:
        return convert(value)
    except ValueError:
        shown = f'"{value}"' if isinstance(value, str) else value
        raise invalid(f'option "{key}" expected {kind}, got {shown}') from None


def not_found_option(key: str) -> JujuError:
    return JujuError(f'unknown option "{key}"', "not found")


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value in ("1", "t", "T", "TRUE", "true", "True"):
            return True
        if value in ("0", "f", "F", "FALSE", "false", "False"):
            return False
    raise ValueError(value)


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise ValueError(value)
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value):
        return int(value)
    raise ValueError(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(value)
    return float(value)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def settings(name: str, changed: dict[str, Any]) -> dict[str, Any]:
    """The values that hold: defaults and what was set."""
    return {key: changed.get(key, spec.get("default")) for key, spec in options(name).items()}


def action(name: str, key: str) -> dict[str, Any]:
    declared = charm(name).get("actions") or {}
    if key not in declared:
        raise not_found("action", key)
    return declared[key] or {}
