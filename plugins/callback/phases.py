# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: phases
type: aggregate
short_description: Time of each phase of a deployment, beside a reference table
version_added: 0.1.0
author: The stratus.cloud developers (@stratus-cloud)
description:
  - Measures the phases of C(playbooks/site.yml) (or of one of its phase playbooks) and prints at the end how long each took,
    beside the times of a reference, by default Table 1 of the thesis that the collection grew out of.
  - Writes the same as JSON into C(timing.json) in the directory that the inventory variable C(stratus_state_dir) names.
    A run in check mode leaves the file alone.
  - Says so when a whole run changed nothing.
  - Prints nothing for playbooks of others.
options:
  table:
    description: The reference table, a YAML file with C(steps) and C(phases). The collection's own is the default.
    type: path
    env:
      - name: STRATUS_PHASES_TABLE
    ini:
      - section: callback_phases
        key: table
  time_scale:
    description:
      - How many times faster than real time the rack's clock runs, for a simulated rack. Adds a column of times multiplied by it.
      - The default is the inventory variable C(stratus_time_scale); without it the column is left out.
    type: float
    env:
      - name: STRATUS_TIME_SCALE
    ini:
      - section: callback_phases
        key: time_scale
  record:
    description: The JSON file to write. The default is C(timing.json) below the inventory variable C(stratus_state_dir).
    type: path
    env:
      - name: STRATUS_TIMING_FILE
    ini:
      - section: callback_phases
        key: record
requirements:
  - enable in configuration, C(callbacks_enabled = stratus.cloud.phases)
"""

EXAMPLES = r"""
example: >
  In ansible.cfg
  [defaults]
  callbacks_enabled = stratus.cloud.phases
"""

import json
import os
import tempfile
import time
from datetime import UTC, datetime

import yaml
from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar
from ansible_collections.stratus.cloud.plugins.module_utils import phases as log
from ansible_collections.stratus.cloud.plugins.plugin_utils import progress

VARIABLES = ("stratus_state_dir", "stratus_time_scale", "stratus_cloud_name")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "stratus.cloud.phases"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.log = None
        self.playbook = None
        self.started = None
        self._play = None

    def v2_playbook_on_start(self, playbook):
        self.playbook = os.path.basename(playbook._file_name)
        self.started = datetime.now(UTC)
        path = self.get_option("table") or os.path.join(os.path.dirname(__file__), "..", "..", "playbooks", "vars", "table1.yml")
        try:
            with open(path, encoding="utf-8") as stream:
                table = log.check_table(yaml.safe_load(stream))
        except (OSError, yaml.YAMLError, log.TableError) as error:
            self._display.warning(f"stratus.cloud.phases: no timing, because of the reference table {path}: {error}")
            return
        self.log = log.PhaseLog(table, time.monotonic)

    def v2_playbook_on_play_start(self, play):
        if self.log:
            self._play = play
            self.log.play(log.phase_of(self.log.table, play.tags, play.get_path()), play.get_name().strip())

    def v2_playbook_on_task_start(self, task, is_conditional):
        if self.log:
            self.log.task(task.get_name().strip())

    def v2_playbook_on_handler_task_start(self, task):
        self.v2_playbook_on_task_start(task, False)

    def v2_playbook_on_stats(self, stats):
        if not self.log or not self.log.ours():
            return
        self.log.end()
        settings = self._settings()
        hosts = stats.processed.keys()
        changed = sum(stats.summarize(host)["changed"] for host in hosts)
        failed = any(stats.summarize(host)[kind] for host in hosts for kind in ("failures", "unreachable"))
        check = bool(context.CLIARGS.get("check"))
        run = self.log.report(scale=self._scale(settings), failed=failed)
        run.update(
            playbook=self.playbook,
            started=self.started.isoformat(timespec="seconds"),
            cloud=settings.get("stratus_cloud_name"),
            result="failed" if failed else "ok",
            changed=changed,
            check=check,
        )

        # With a callback that writes for a program the record is the whole answer.
        if progress.wanted({}, environ={}):
            self._print(run, failed, changed, check)
        if not check:
            self._record(run, settings)

    def _print(self, run, failed, changed, check):
        self._display.banner("PHASES")
        for line in log.lines(run):
            self._display.display(line)
        if not failed and not changed and any(phase["name"] == "access" for phase in run["phases"]):
            name = run["cloud"] or "of this inventory"
            would = "would change" if check else "changed"
            self._display.display(f"\nNothing {would} (changed=0): the cloud {name} is already there.")

    def _scale(self, settings):
        try:
            return float(self.get_option("time_scale") or settings.get("stratus_time_scale") or 0) or None
        except (TypeError, ValueError):
            return None

    def _record(self, run, settings):
        path = self.get_option("record")
        if not path and settings.get("stratus_state_dir"):
            path = os.path.join(os.path.expanduser(settings["stratus_state_dir"]), "timing.json")
        if not path:
            return
        try:
            os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
            try:
                with open(path, encoding="utf-8") as stream:
                    previous = json.load(stream)
            except (OSError, ValueError):
                previous = None
            with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=os.path.dirname(path) or ".", delete=False) as stream:
                json.dump(log.history(previous, run), stream, indent=1)
                stream.write("\n")
            os.replace(stream.name, path)
        except OSError as error:
            self._display.warning(f"stratus.cloud.phases: the times were not recorded in {path}: {error}")

    def _settings(self):
        """The inventory's variables that matter here, as the last play saw them; an unusable one is left out."""
        found = {}
        try:
            manager = self._play.get_variable_manager()
            inventory = manager._inventory
            hosts = inventory.get_hosts("controller") or inventory.get_hosts("all")
            variables = manager.get_vars(play=self._play, host=hosts[0] if hosts else None)
            templar = Templar(loader=self._play.get_loader(), variables=variables)
        except Exception as error:  # the table is worth printing without them
            self._display.vv(f"stratus.cloud.phases: no variables: {error}")
            return found
        for name in VARIABLES:
            if name in variables:
                try:
                    found[name] = templar.template(variables[name])
                except Exception as error:
                    self._display.vv(f"stratus.cloud.phases: {name}: {error}")
        return found
