# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One mechanism for the region's simple things: zones, pools, spaces, fabrics, tags, subnets, ranges, keys...

A ``Kind`` says as data how such a thing is found, read, written and deleted; ``ensure`` does the rest:
find -> normalise -> compare -> create, update or delete (or, under check mode, say what would happen).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.stratus.cloud.plugins.module_utils.maas.errors import MaasError


def same(value):
    return value


def lowered(value):
    return value.lower() if isinstance(value, str) else value


def text(value):
    """None and "" are the same to the region for its optional texts."""
    return "" if value is None else str(value)


def words(value):
    """A list in any order, from a list or from the region's space- or comma-separated text."""
    if value is None:
        return []
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    return sorted(str(part) for part in value)


def ordered(value):
    """A list whose order means something."""
    if value is None:
        return []
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    return [str(part) for part in value]


@dataclass(frozen=True)
class Field:
    """One option of a kind: how it reads in the region's object, how it is compared, how it is sent."""

    read: Callable | str | None = None  # key of the object, or function of it
    norm: Callable = same
    send: str | None = None  # name in the form; None: the option's own
    encode: Callable = same  # option's value -> form's value
    secret: bool = False  # never shown in a diff
    create_only: bool = False  # the region takes it at creation and never tells it again

    def value(self, name, thing):
        if callable(self.read):
            return self.norm(self.read(thing))
        return self.norm(thing.get(self.read or name))


@dataclass(frozen=True)
class Kind:
    name: str  # what people call it
    many: str  # handler of the collection
    one: str  # handler of one
    key: str  # the option that names it
    fields: dict = field(default_factory=dict)
    match: Callable | None = None  # (thing, wanted) -> bool; by default the key's field is equal
    uri: Callable = staticmethod(lambda thing: {"id": thing["id"]})  # thing -> URI parameters
    scope: Callable = staticmethod(lambda wanted: {})  # wanted -> URI parameters of the collection
    sift: Callable | None = None  # things -> things that may be considered
    label: Callable | None = None  # wanted -> how messages call it

    def called(self, wanted):
        return f"{self.name} {self.label(wanted) if self.label else wanted.get(self.key)}"


@dataclass
class Result:
    changed: bool = False
    before: dict = field(default_factory=dict)
    after: dict = field(default_factory=dict)
    thing: dict | None = None
    changes: dict = field(default_factory=dict)

    def exit(self, name, **more):
        return dict(changed=self.changed, diff=dict(before=self.before, after=self.after), **{name: self.thing or {}}, **more)


def listing(client, kind, wanted):
    things = client.read(kind.many, kind.scope(wanted), what=f"list {kind.name}s")
    return kind.sift(things) if kind.sift else things


def find(client, kind, wanted):
    """The thing that is meant, or None. Two that match are an error: nobody can tell which."""
    things = listing(client, kind, wanted)
    if kind.match:
        found = [thing for thing in things if kind.match(thing, wanted)]
    else:
        own = kind.fields.get(kind.key, Field())
        found = [thing for thing in things if own.value(kind.key, thing) == own.norm(wanted[kind.key])]
    if len(found) > 1:
        raise MaasError(f"There are {len(found)} of {kind.called(wanted)} in this region; say which one is meant", candidates=found)
    return found[0] if found else None


def view(kind, thing, names):
    """The managed fields of a thing, normalised."""
    return {name: kind.fields[name].value(name, thing) for name in names}


def managed(kind, wanted):
    """The options that somebody set and that belong to the thing."""
    return {name: kind.fields[name].norm(value) for name, value in wanted.items() if name in kind.fields and value is not None}


def compare(kind, thing, wanted):
    """{option: (before, after)} of what differs."""
    target = managed(kind, wanted)
    current = view(kind, thing, target)
    return {name: (current[name], value) for name, value in target.items() if current[name] != value and not kind.fields[name].create_only}


def shown(kind, values):
    return {name: "VALUE HIDDEN" if name in kind.fields and kind.fields[name].secret else value for name, value in values.items()}


def encoded(kind, wanted, names):
    return {kind.fields[name].send or name: kind.fields[name].encode(wanted[name]) for name in names}


def ensure(client, kind, wanted, state="present", create=None, update=None, check_mode=None):
    """Bring one thing to its desired state. ``create`` and ``update`` may replace the plain form calls."""
    check_mode = client.read_only if check_mode is None else check_mode
    found = find(client, kind, wanted)
    if state == "absent":
        if found is None:
            return Result(thing=None)
        before = view(kind, found, [name for name, f in kind.fields.items() if not f.secret and not f.create_only])
        if not check_mode:
            client.call(kind.one, "delete", {**kind.scope(wanted), **kind.uri(found)}, what=f"delete {kind.called(wanted)}")
        return Result(True, before, {}, found)
    if found is None:
        target = managed(kind, wanted)
        if check_mode:
            return Result(True, {}, shown(kind, target), shown(kind, target))
        if create:
            thing = create(wanted)
        else:
            thing = client.call(
                kind.many,
                "create",
                kind.scope(wanted),
                encoded(kind, wanted, target),
                what=f"create {kind.called(wanted)}",
                settled=lambda: find(client, kind, wanted),
            )
        return Result(True, {}, shown(kind, target), thing)
    changes = compare(kind, found, wanted)
    if not changes:
        return Result(thing=found)
    before = shown(kind, {name: pair[0] for name, pair in changes.items()})
    after = shown(kind, {name: pair[1] for name, pair in changes.items()})
    if check_mode:
        return Result(True, before, after, {**found, **{n: v for n, v in after.items() if not isinstance(found.get(n), (dict, list))}}, changes)
    if update:
        thing = update(found, wanted, changes)
    else:
        thing = client.call(
            kind.one,
            "update",
            {**kind.scope(wanted), **kind.uri(found)},
            encoded(kind, wanted, changes),
            what=f"update {kind.called(wanted)}",
        )
    return Result(True, before, after, thing, changes)


def ensure_module(kind, result_name, prepare: Callable[[Any, dict], dict] | None = None):
    """A module's work, for kinds that need nothing special: options in, object out."""

    def work(module, client):
        wanted = {name: value for name, value in module.params.items() if name in kind.fields or name == kind.key}
        if prepare:
            wanted = prepare(client, dict(module.params))
        return ensure(client, kind, wanted, module.params["state"]).exit(result_name)

    return work
