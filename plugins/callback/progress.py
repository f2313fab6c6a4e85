# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: aggregate
short_description: Where a deployment is, how long each phase took, and a record of the run
version_added: 0.1.0
author: The stratus.cloud developers (@stratus-cloud)
description:
  - Says at the beginning of each phase of the collection's playbooks which of how many it is, how long the run has taken, and how long the phase and the
    rest are expected to take, by the last run that built something, else by the profile, else by a reference table. The times of a profile are
    those of the inventory variable C(stratus_profile_phases), a dictionary of seconds by phase, or of the collection's profile that the variable
    C(stratus_profile) names. Phases that a condition of their import switches off are not counted.
  - On a terminal its last line shows the same all the time, with the states of the machines and applications that are waited for.
  - Prints at the end how long each phase took, beside the times of a reference, by default Table 1 of the thesis that the collection grew out of.
  - Writes a record of the run as JSON (0600) into the directory C(runs) below the directory that the inventory variable C(stratus_state_dir) names.
    It holds phases, tasks, waits, background jobs, the states of machines and applications over time, versions and the result, and no secret.
    A run in check mode is not recorded. C(playbooks/report.yml) makes a page of it.
  - The record is written at the beginning of each phase, and every half minute between two tasks, with the result V(interrupted), which stays there
    if the run does not come to its end.
  - Says so when a whole run changed nothing.
  - Prints and records nothing for playbooks of others, unless the option O(table) names a reference table.
  - The environment variable E(STRATUS_PROGRESS=0) silences all but the table at the end.
options:
  table:
    description: The reference table, a YAML file with C(steps) and C(phases). The collection's own is the default.
    type: path
    env:
      - name: STRATUS_PHASES_TABLE
    ini:
      - section: callback_progress
        key: table
  time_scale:
    description:
      - How many times faster than real time the rack's clock runs, for a simulated rack. Adds a column of times multiplied by it.
      - The default is the inventory variable C(stratus_time_scale); without it the column is left out.
    type: float
    env:
      - name: STRATUS_TIME_SCALE
    ini:
      - section: callback_progress
        key: time_scale
  runs:
    description: Directory for the records. The default is C(runs) below the inventory variable C(stratus_state_dir); without either nothing is recorded.
    type: path
    env:
      - name: STRATUS_RUNS_DIR
    ini:
      - section: callback_progress
        key: runs
requirements:
  - enable in configuration, C(callbacks_enabled = stratus.cloud.progress)
"""

EXAMPLES = r"""
example: >
  In ansible.cfg
  [defaults]
  callbacks_enabled = stratus.cloud.progress
"""

import atexit
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path

import yaml
from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__ as ansible_version
from ansible.template import Templar
from ansible_collections.stratus.cloud.plugins.module_utils import phases
from ansible_collections.stratus.cloud.plugins.module_utils.secrecy import is_secret
from ansible_collections.stratus.cloud.plugins.plugin_utils import collection, progress, record
from ansible_collections.stratus.cloud.plugins.plugin_utils.containers import plain

ROOT = Path(__file__).resolve().parents[2]
MINE = "stratus.cloud."
# Playbooks that only look: their times are nobody's business.
UNRECORDED = frozenset(("report", "init", "rehearse"))
# The inventory's variables that a record holds; none is a secret.
SITE = (
    "stratus_cloud_name", "stratus_profile", "maas_url", "maas_channel", "maas_subnet_cidr", "maas_gateway_ip", "maas_dynamic_range", "maas_compute_bridge",
    "lxd_bridge", "lxd_bridge_interface", "lxd_channel", "juju_channel", "juju_controller_name", "juju_model_name", "juju_nat", "openstack_bundle_file",
    "openstack_bundle_overlays", "postgres_version",
)  # fmt: skip
OTHERS = ("stratus_state_dir", "stratus_time_scale", "stratus_profile_phases", "openstack_bundle_access")
# Seconds between two records of a run that goes on, at least. One that is killed loses no more, and the task that was at work.
KEEP_EVERY = 30


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "stratus.cloud.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.log = self.recorder = self.status = None
        self.playbook = self.started = self.source = None
        self.plays = []
        self._play = None
        self._kept = 0.0
        self._evaluated = {}
        self._pid = os.getpid()
        atexit.register(self._leave)

    # What Ansible tells

    def v2_playbook_on_start(self, playbook):
        self.playbook = os.path.basename(playbook._file_name)
        self.started = datetime.now(UTC)
        self.log = self.status = None
        path = self.get_option("table") or ROOT / "playbooks/vars/table1.yml"
        try:
            table = phases.check_table(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
        except (OSError, yaml.YAMLError, phases.TableError) as error:
            self._display.warning(f"{self.CALLBACK_NAME}: no timing, because of the reference table {path}: {error}")
            return
        self.log = phases.PhaseLog(table, time.monotonic)
        self.recorder = record.Recorder(self.log)
        self.plays = playbook.get_plays()

    def v2_playbook_on_play_start(self, play):
        if not self.log:
            return
        self._play = play
        phase = self._phase(play)
        if self.log.plays and self._off(play):
            # All of it is skipped: that takes a moment, and is no phase.
            phase = self.log.plays[-1]["phase"]
        self.log.play(phase, play.get_name().strip())
        if phase and not self.status:
            self._begin()
        if phase in (self.status.order if self.status else ()) and phase != self.status.phase:
            self.status.enter(phase)
            self._announce()
            self._keep()
        progress.tell()

    def v2_playbook_on_task_start(self, task, is_conditional):
        if self.log:
            self.log.task(task.get_name().strip())
            if time.monotonic() - self._kept > KEEP_EVERY:
                self._keep()
            progress.tell(task.name or "")

    def v2_playbook_on_handler_task_start(self, task):
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_ok(self, result):
        self._take(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._take(result, failed=not ignore_errors)

    def v2_runner_on_unreachable(self, result):
        self._take(result, failed=True)

    def v2_playbook_on_stats(self, stats):
        hosts = stats.processed.keys()
        changed = sum(stats.summarize(host)["changed"] for host in hosts)
        failed = any(stats.summarize(host)[kind] for host in hosts for kind in ("failures", "unreachable"))
        self._finish("failed" if failed else "ok", changed)

    # What is made of it

    def _leave(self):
        """Ansible ends without having told the end of the playbook: somebody interrupted it, or it broke. Its forks end here, too."""
        if os.getpid() == self._pid and self.log:
            self._finish("interrupted", self.recorder.changed.total())

    def _finish(self, result, changed):
        """The table, and the record as it stays."""
        progress.end()
        if self.log and self.log.ours():
            self.log.end()
            settings, secrets = self._settings(with_secrets=True)
            report = self.log.report(scale=self._scale(settings), failed=result != "ok")
            # With a callback that writes for a program the record is the whole answer.
            if progress.wanted({}, environ={}):
                self._print(report, settings.get("stratus_cloud_name"), result == "ok" and not changed)
            self._record(report, result, changed, settings, secrets)
        self.log = None

    def _keep(self):
        """What would be known of the run if it were killed now."""
        self._kept = time.monotonic()
        if self.log.ours() and not context.CLIARGS.get("check"):
            settings, secrets = self._settings(with_secrets=True, anew=False)
            self._record(self.log.report(scale=self._scale(settings), failed=True), "interrupted", self.recorder.changed.total(), settings, secrets)

    def _phase(self, play):
        """The phase of one of the collection's plays: of the reference table, else its playbook's name. None for others, unless a table was named."""
        path = play.get_path() or ""
        file = Path(path.rsplit(":", 1)[0]).resolve()
        # The callback may come from an installed collection, and the playbook from a checkout.
        theirs = collection.about(file.parents[1]) if file.parent.name == "playbooks" else {}
        own = (theirs.get("namespace"), theirs.get("name")) == ("stratus", "cloud")
        if own and file.stem == "unlock":
            # It ends what came before it.
            return self.log.plays[-1]["phase"] if self.log.plays else None
        found = phases.phase_of(self.log.table, play.tags, path) if own or self.get_option("table") else None
        return found or (file.stem if own and file.stem not in UNRECORDED else None)

    def _begin(self):
        settings, _none = self._settings()
        order = dict.fromkeys(phase for play in self.plays if (phase := self._phase(play)) and not self._off(play))
        expected, self.source = record.expected(self._runs(settings), self.playbook, self.log.table, self._scale(settings), self._profile(settings))
        self.status = progress.Status(order, expected)
        if progress.wanted({}):
            progress.begin(self.status, self._display)

    def _off(self, play):
        """Whether a condition of its import switches a play off, as those of the optional ones in site.yml; with no answer it does not."""
        conditions = getattr(play, "_included_conditional", None)
        if not conditions:
            return False
        try:
            _inventory, _variables, templar = self._context()
            return not all(templar.evaluate_conditional(condition) for condition in conditions)
        except Exception as error:  # ansible-core before 2.19 has another way; a count that is one too high is no harm
            self._display.vv(f"{self.CALLBACK_NAME}: {play.get_name()}: {error}")
            return False

    def _profile(self, settings):
        """(name, phases) of the profile that the inventory was made of, as the inventory says, or else as the collection's profile of this name does."""
        name = str(settings.get("stratus_profile") or "")
        given = settings.get("stratus_profile_phases")
        if given:
            try:
                return name or "of this inventory", {str(phase): abs(float(seconds)) for phase, seconds in dict(given).items()}
            except (TypeError, ValueError):
                self._display.warning(f"{self.CALLBACK_NAME}: stratus_profile_phases is no dictionary of seconds by phase, so it is not used.")
        try:
            return name, dict(yaml.safe_load((ROOT / "profiles" / f"{os.path.basename(name)}.yml").read_text(encoding="utf-8"))["phases"])
        except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError):
            return name, {}

    def _announce(self):
        if not progress.wanted({}) or len(self.status.order) < 2:
            return
        about, left = self.status.expected.get(self.status.phase), self.status.left()
        text = f"\n{self.status.place()}, {phases.clock(self.status.now() - self.status.began)} so far"
        if about:
            text += f"; takes about {phases.clock(about)}"
        if left:
            text += f", and {phases.clock(left)} to the end"
        self._display.display(f"{text} ({self.source})" if about or left else text)

    def _take(self, result, failed=False):
        if not self.log:
            return
        host, task, data = (getattr(result, f"_{name}") for name in ("host", "task", "result"))
        self.recorder.result(host.get_name(), task.get_name().strip(), str(task.resolved_action or task.action).startswith(MINE), data, failed)

    def _print(self, report, cloud, unchanged):
        self._display.banner("PHASES")
        for line in phases.lines(report):
            self._display.display(line)
        # Of a phase without hosts, or that tags leave out, no task began.
        if unchanged and any(task["phase"] == "access" for task in self.log.tasks()):
            would = "would change" if context.CLIARGS.get("check") else "changed"
            self._display.display(f"\nNothing {would} (changed=0): the cloud {cloud or 'of this inventory'} is already there.")

    def _scale(self, settings):
        try:
            return float(self.get_option("time_scale") or settings.get("stratus_time_scale") or 0) or None
        except (TypeError, ValueError):
            return None

    def _runs(self, settings):
        if self.get_option("runs"):
            return self.get_option("runs")
        return os.path.join(settings["stratus_state_dir"], "runs") if settings.get("stratus_state_dir") else None

    def _record(self, report, result, changed, settings, secrets):
        folder = self._runs(settings)
        if not folder or context.CLIARGS.get("check"):
            return
        run = self.recorder.run(
            report,
            playbook=self.playbook,
            started=self.started.isoformat(timespec="seconds"),
            cloud=settings.get("stratus_cloud_name"),
            result=result,
            changed=changed,
            check=False,
            versions={"collection": collection.about(ROOT).get("version"), "ansible-core": ansible_version, "python": platform.python_version()},
            site={name: settings[name] for name in SITE if name in settings},
            access=settings.get("openstack_bundle_access") or {},
        )
        try:
            path = record.save(folder, record.scrub(run, secrets))
        except (OSError, TypeError, ValueError) as error:
            self._display.warning(f"{self.CALLBACK_NAME}: the run was not recorded in {folder}: {error}")
            return
        self._display.v(f"{self.CALLBACK_NAME}: {path}")

    def _context(self):
        """(the inventory, the variables of the controller as the last play saw them, what evaluates them)"""
        manager = self._play.get_variable_manager()
        inventory = manager._inventory
        # Whatever hosts the play is for.
        hosts = inventory.get_hosts("controller", ignore_restrictions=True) or inventory.get_hosts("all", ignore_restrictions=True)
        variables = manager.get_vars(play=self._play, host=hosts[0] if hosts else None)
        return inventory, variables, Templar(loader=self._play.get_loader(), variables=variables)

    def _settings(self, with_secrets=False, anew=True):
        """(the variables that matter here, as the last play saw them; the values of all secrets). What cannot be evaluated is left out.

        Not ``anew``: a variable that is written as it was is not evaluated again: it may ask a vault, or a person.
        """
        found, secrets = {}, set()
        try:
            inventory, variables, templar = self._context()
            if with_secrets:
                secrets.update(record.secret_values([host.get_vars() for host in inventory.get_hosts("all", ignore_restrictions=True)]))
        except Exception as error:  # the table is worth printing without them
            self._display.vv(f"{self.CALLBACK_NAME}: no variables: {error}")
            return found, secrets
        for name in sorted(set(variables) - {"hostvars", "groups", "vars"}):
            may_hold_some = with_secrets and (is_secret(name) or isinstance(variables[name], (dict, list)))
            if name not in SITE + OTHERS and not may_hold_some:
                continue
            try:
                if anew or name not in self._evaluated or self._evaluated[name][0] != variables[name]:
                    self._evaluated[name] = (variables[name], plain(templar.template(variables[name])))
                value = self._evaluated[name][1]
            except Exception as error:
                self._display.vv(f"{self.CALLBACK_NAME}: {name}: {error}")
                continue
            secrets.update(record.secret_values({name: value}))
            if name in SITE + OTHERS and value is not None:
                found[name] = value
        return found, secrets
