"""Names that the region makes up for things nobody named."""

from __future__ import annotations

import random

FIRST = (
    "able",
    "apt",
    "brave",
    "brisk",
    "calm",
    "clever",
    "daring",
    "eager",
    "fair",
    "fleet",
    "fond",
    "glad",
    "golden",
    "grand",
    "honest",
    "keen",
    "kind",
    "lively",
    "loyal",
    "mellow",
    "merry",
    "neat",
    "noble",
    "quick",
)
SECOND = (
    "adder",
    "bison",
    "crane",
    "dingo",
    "eagle",
    "egret",
    "ferret",
    "finch",
    "gecko",
    "heron",
    "ibex",
    "jackal",
    "koala",
    "lemur",
    "marmot",
    "newt",
    "otter",
    "panda",
    "quail",
    "raven",
    "stoat",
    "tapir",
)
ID_LETTERS = "3468abcdefghkmnpqrstwxy"


def petname(generator: random.Random, taken: set[str]) -> str:
    while True:
        name = f"{generator.choice(FIRST)}-{generator.choice(SECOND)}"
        if len(taken) > len(FIRST) * len(SECOND) // 2:
            name += f"-{generator.randrange(10000)}"
        if name not in taken:
            return name


def system_id(generator: random.Random, taken: object) -> str:
    while True:
        name = "".join(generator.choice(ID_LETTERS) for _ in range(6))
        if name not in taken:
            return name


def mac_address(generator: random.Random) -> str:
    return "00:16:3e:" + ":".join(f"{generator.randrange(256):02x}" for _ in range(3))
