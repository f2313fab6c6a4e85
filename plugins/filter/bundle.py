# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filters over Juju bundles, for preflights and for roles that prepare a bundle's machines."""

from __future__ import annotations

import os

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.stratus.cloud.plugins.module_utils.juju import bundle as bundles
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import BundleFault
from ansible_collections.stratus.cloud.plugins.plugin_utils.containers import plain

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _found(source):
    """A path relative to the working directory, else to the collection, which brings its own bundles."""
    if isinstance(source, str) and "\n" not in source:
        source = os.path.expanduser(source)
        if not os.path.exists(source) and os.path.exists(os.path.join(ROOT, source)):
            return os.path.join(ROOT, source)
    return plain(source)


def _load(source, overlays):
    return bundles.load(_found(source), [_found(overlay) for overlay in overlays or []])


def bundle_load(source, overlays=None):
    try:
        # What a file says is no template; ansible-core before 2.19 would take it for one.
        return wrap_var(_load(source, overlays))
    except BundleFault as error:
        raise AnsibleFilterError(str(error)) from error


def bundle_problems(source, overlays=None):
    try:
        return bundles.problems(_load(source, overlays))
    except BundleFault as error:
        return error.problems


def bundle_machines(source, overlays=None):
    loaded = bundle_load(source, overlays)
    found = bundles.problems(loaded)
    if found:
        raise AnsibleFilterError("the bundle has problems: " + "; ".join(found))
    return bundles.machines(loaded)


class FilterModule:
    def filters(self):
        return {"bundle_load": bundle_load, "bundle_problems": bundle_problems, "bundle_machines": bundle_machines}
