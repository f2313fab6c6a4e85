# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gathers a site's variables, has them checked, and stops the run with every problem at once."""

from __future__ import annotations

import importlib
import json
import os
import platform
import re
from pathlib import Path

import yaml
from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_core
from ansible_collections.stratus.cloud.plugins.filter.bundle import bundle_load
from ansible_collections.stratus.cloud.plugins.module_utils import preflight
from ansible_collections.stratus.cloud.plugins.plugin_utils import collection
from ansible_collections.stratus.cloud.plugins.plugin_utils.containers import plain

MINE = re.compile(r"^(stratus|postgres|maas|lxd|juju|openstack|zun|wireguard|live_migration|verify|rebalance|compute_node|host|secret)_\w+$")
ROOT = Path(__file__).resolve().parents[2]
MATRIX = ROOT / "bundles" / "versions.yml"
REQUIREMENTS = ROOT / "requirements" / "runtime.txt"
HOST_VARIABLES = ("mac_addresses", "bmc")


# The collections that site.yml itself works without, when it neither verifies nor installs Zun.
LATER = {"openstack.cloud"}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _checked, options = self.validate_argument_spec(
            {
                "found": {"type": "list", "elements": "dict", "default": []},
                "skip": {"type": "list", "elements": "str", "default": []},
                "only": {"type": "list", "elements": "str", "default": []},
                "controller": {"type": "dict", "default": {}},
                "vms": {"type": "list", "elements": "dict", "default": []},
                "bases": {"type": "list", "elements": "str", "default": []},
                "libraries": {"type": "dict", "default": {}},
                "matrix": {"type": "path"},
                "fail": {"type": "bool", "default": True},
                "report": {"type": "path"},
            }
        )
        site = preflight.Site(
            controller=options["controller"],
            vms=plain(options["vms"]),
            bases=plain(options["bases"]),
            matrix=self._matrix(options["matrix"]),
            requirements=[line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")],
            libraries=options["libraries"],
            specs=collection.options(),
        )
        for name in sorted(task_vars):
            if MINE.match(name):
                try:
                    site.variables[name] = plain(self._templar.template(task_vars[name]))
                except AnsibleError as problem:
                    site.broken[name] = str(problem).split("\n", 1)[0]
        groups, hostvars = task_vars.get("groups", {}), task_vars.get("hostvars", {})
        site.compute = list(groups.get("compute", []))
        for host in dict.fromkeys([*site.compute, *groups.get("spare", [])]):
            site.machines[host] = {}
            for name in HOST_VARIABLES:
                try:
                    if (value := hostvars[host].get(name)) is not None:
                        site.machines[host][name] = plain(value)
                except AnsibleError as problem:
                    site.broken[f"{host}.{name}"] = str(problem).split("\n", 1)[0]

        if not options["only"]:
            site.bundle, site.control = self._bundle(site), self._control(task_vars)
        problems = preflight.site_problems(site, options["skip"], [plain(entry) for entry in options["found"]], options["only"])
        unknown = sorted(set(options["skip"]) - set(preflight.CHECKS) - {entry["check"] for entry in problems} - set(self._host_checks(options)))
        if unknown:
            self._display.warning(f"stratus_preflight_skip names no check: {', '.join(unknown)}")
        warnings = [] if options["only"] else preflight.warnings(site, options["skip"])
        for warning in warnings:
            self._display.warning(warning)
        if options["report"]:
            self._report(options["report"], {"problems": problems, "warnings": warnings, "skipped": sorted(options["skip"])})
        if not options["fail"]:
            return {**result, "changed": False, "problems": problems}
        if problems:
            count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
            self._display.display(f"\n{count} found, nothing was changed:\n{preflight.render(problems)}\n", color=C.COLOR_ERROR)
            names = ", ".join(dict.fromkeys(entry["variable"] for entry in problems))
            return {**result, "failed": True, "msg": f"Preflight stops the run before its first change: {count}, listed above ({names})."}
        return {**result, "changed": False, "msg": "No problem found.", "problems": []}

    @staticmethod
    def _matrix(path):
        source = Path(path) if path else MATRIX
        try:
            return yaml.safe_load(source.read_text(encoding="utf-8")) or {}
        except (OSError, yaml.YAMLError) as problem:
            raise AnsibleError(f"The version matrix {source} cannot be read: {problem}") from problem

    @staticmethod
    def _bundle(site):
        """The bundle with its overlays; empty where it cannot be read, which another check tells."""
        overlays = site.get("openstack_bundle_overlays") or []
        if not isinstance(site.get("openstack_bundle_file"), (str, dict)) or not isinstance(overlays, list):
            return {}
        try:
            return plain(bundle_load(site.get("openstack_bundle_file"), overlays))
        except AnsibleError:
            return {}

    @staticmethod
    def _control(task_vars):
        asked = collection.about(ROOT)["dependencies"]
        there = {}
        for name in asked:
            try:
                there[name] = collection.about(Path(importlib.import_module(f"ansible_collections.{name}").__path__[0]))["version"]
            except (ImportError, LookupError):
                there[name] = None
        wanted = set(asked) - LATER
        if any(boolean(task_vars.get(name) or False, strict=False) for name in ("verify", "zun_enabled")):
            wanted |= LATER
        collections = {name: (there[name], constraint) for name, constraint in asked.items()}
        return {"ansible_core": ansible_core, "python": platform.python_version(), "collections": collections, "wanted": wanted}

    @staticmethod
    def _report(path, found):
        """For programs: the whole result as JSON, readable by its owner only."""
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
                json.dump(found, stream, indent=1)
                stream.write("\n")
        except OSError as problem:
            raise AnsibleError(f"The result of preflight cannot be written to {path}: {problem.strerror}") from problem

    @staticmethod
    def _host_checks(options):
        return (
            "ports",
            "bmc",
            "nat",
            "netplan",
            "state",
            "unreachable",
            "bundle",
            "vault",
            "zun",
            "host",
            *(entry.get("check", "") for entry in options["found"]),
        )
