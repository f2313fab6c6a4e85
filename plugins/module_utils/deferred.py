# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Libraries import what a module of ours never uses, and that takes longer than a whole empty Ansible task: it is put off."""

from __future__ import annotations

import importlib
import sys
import types
from contextlib import contextmanager


class Deferred(types.ModuleType):
    """Stands in for a module until somebody really uses it."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def deferred(*names):
    """While a library is imported, modules that it may never use are stand-ins; packages are named before what is in them."""
    placed = {}
    for name in names:
        if name not in sys.modules:
            placed[name] = sys.modules[name] = Deferred(name)
            parent, dot, child = name.rpartition(".")
            if dot and parent in placed:
                placed[parent].__dict__[child] = placed[name]
    try:
        yield
    finally:
        for name, module in placed.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
