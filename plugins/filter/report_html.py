# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The page of a recorded run."""

from __future__ import annotations

from pathlib import Path

from ansible.errors import AnsibleFilterError
from ansible_collections.stratus.cloud.plugins.plugin_utils import record
from ansible_collections.stratus.cloud.plugins.plugin_utils.report.page import page


def chosen(directory, run):
    """The record that was asked for."""
    if run in ("latest", "build"):
        _path, found = record.find(directory, record.built if run == "build" else lambda found: True)
        if not found:
            raise AnsibleFilterError(f"{directory} holds no record of a run{' that built something' if run == 'build' else ''}. Run a playbook first.")
        return found
    path = Path(directory).expanduser() / run
    found = record.load(path)
    if not found:
        raise AnsibleFilterError(f"{path} is no record of a run. Those that are there: {', '.join(p.name for p in record.paths(directory)) or 'none'}.")
    return found


def previous(directory, run):
    """The newest record before ``run`` of the same playbook that came to its end, and of the same kind: a build is compared with a build.

    What stopped or was interrupted is compared with a build, too.
    """
    build = record.built(run) or run.get("result") != "ok"

    def alike(other):
        return other["started"] < run["started"] and other["playbook"] == run["playbook"] and other.get("result") == "ok" and record.built(other) == build

    return record.find(directory, alike)[1]


def report_html(directory, run="latest", compare="previous"):
    found = chosen(directory, run)
    if compare == "none":
        earlier = None
    elif compare == "previous":
        earlier = previous(directory, found)
    else:
        earlier = chosen(directory, compare)
    return str(page(found, earlier))


class FilterModule:
    def filters(self):
        return {"report_html": report_html}
