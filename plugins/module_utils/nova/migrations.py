# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Live migrations carried out: so many at a time, each watched by its record until that has ended.

- Nova answers 202 whatever comes of the request, also when no host will do. The record of the migration (os-migrations)
  tells; the words are with the server's action, which is found by the id of the request.
- The record is what is waited for. The server is ACTIVE on the new host while the record is still ``running``.
- One request for each look, whatever the number of migrations: the live migrations that changed since the first was asked for.
"""

from __future__ import annotations

import contextlib
import time

from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault, Refused, Unreachable
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import DONE, FAILED, PENDING, Waiter, WaitFailed, WaitTimeout, duration

# The states of a record: https://docs.openstack.org/api-ref/compute/#migrations-os-migrations and nova.objects.migration.
UNDER_WAY = frozenset(("accepted", "queued", "preparing", "running", "post-migrating"))
# Those in which it can be aborted (2.65 brought the first two), and forced to its end.
ABORTABLE = frozenset(("queued", "preparing", "running"))
FORCEABLE = frozenset(("running",))
GOOD = frozenset(("completed",))

# Ours, before there is a record and where there is none.
QUEUED, ASKED, REFUSED, LEFT = "waiting for its turn", "asked for", "refused", "not started"
ENDED = GOOD | {"failed", "error", "cancelled", REFUSED, LEFT}
BLOCK = {"auto": "auto", "true": True, "false": False}
# Seconds within which nova makes a record of a request that it took.
RECORD_WITHIN = 60.0
# Seconds for an aborted or forced migration to end, after the deadline of the whole.
SETTLE = 60.0
# The clocks of the cloud's hosts may differ by so many seconds.
SKEW = 120


def job(server, name, source, target=None):
    """One migration as it is carried through the run: plain data, so that a wait may go on in another process."""
    return {"id": server, "server": name, "from": source, "asked": target, "to": None, "state": QUEUED, "reason": "", "record": None, "seconds": None}


class Moves:
    def __init__(
        self,
        client,
        jobs,
        concurrency=2,
        block_migration="auto",
        migration_timeout=None,
        on_timeout="abort",
        wait_timeout=7200.0,
        max_failures=None,
        fits=None,
        clock=time.monotonic,
        elapsed=0.0,
    ):
        """
        ``migration_timeout``: seconds for each; ``wait_timeout``: for all; at either, ``on_timeout`` (abort, force_complete, leave) happens.
        ``max_failures``: after so many nothing more is started. ``fits(job, jobs)``: whether it may start as these are.
        """
        self.client, self.clock = client, clock
        self.jobs = {one["id"]: one for one in jobs}
        self.concurrency, self.block_migration = max(1, concurrency), block_migration
        self.migration_timeout, self.on_timeout = migration_timeout, on_timeout
        self.max_failures, self.fits = max_failures, fits
        self.began = clock() - elapsed
        self.wait_timeout = float(wait_timeout)
        self.since = None
        self._started = {}
        self._dealt = set()

    # -- slices -------------------------------------------------------------------------------------------------------
    def save(self):
        now = self.clock()
        return {
            "jobs": list(self.jobs.values()),
            "since": self.since,
            "ages": {name: now - at for name, at in self._started.items()},
            "dealt": sorted(self._dealt),
        }

    def restore(self, saved):
        now = self.clock()
        self.jobs = {one["id"]: one for one in saved["jobs"]}
        self.since = saved["since"]
        self._started = {name: now - age for name, age in saved["ages"].items()}
        self._dealt = set(saved["dealt"])

    # -- what is where ------------------------------------------------------------------------------------------------
    def under_way(self):
        return [one for one in self.jobs.values() if one["state"] not in ENDED and one["state"] != QUEUED]

    def failures(self):
        return [one for one in self.jobs.values() if one["state"] in ENDED - GOOD and one["state"] != LEFT]

    def asked_for(self):
        return [one for one in self.jobs.values() if one["state"] not in (QUEUED, LEFT, REFUSED)]

    def poll(self):
        """{server id: state} of all. Starts what may start, deals with what takes too long."""
        if self.since is None:
            self._begin()
        if self.under_way():
            self._read()
            self._deadlines()
        self._start()
        return {name: one["state"] for name, one in self.jobs.items()}

    def _begin(self):
        self.client.services()
        at = (self.client.now() or time.time()) - SKEW
        self.since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))

    # -- starting -----------------------------------------------------------------------------------------------------
    def _start(self):
        waiting = [one for one in self.jobs.values() if one["state"] == QUEUED]
        stop = self.max_failures is not None and len(self.failures()) >= self.max_failures
        if stop or self.clock() - self.began >= self.wait_timeout:
            reason = f"{len(self.failures())} failed before it" if stop else f"its turn did not come within {duration(self.wait_timeout)}"
            for one in waiting:
                one.update(state=LEFT, reason=reason)
            return
        # In the order given, none before another: a later one may need the room that an earlier one leaves.
        for one in waiting:
            if len(self.under_way()) >= self.concurrency:
                return
            if self.fits and not self.fits(one, self.jobs.values()):
                if self.under_way():
                    return
                one.update(state=LEFT, reason="the moves before it did not leave the room that it needs")
            else:
                self.start(one)

    def ask_all(self):
        """Ask for all at once and look no further."""
        try:
            for one in self.jobs.values():
                self.start(one)
        except NovaFault as error:
            raise interrupted(error, self) from None
        refused = [f"{one['server']} ({one['reason']})" for one in self.failures()]
        if refused:
            raise NovaFault(f"{len(refused)} of {len(self.jobs)} were refused: {'; '.join(refused)}", **so_far(self))
        return so_far(self)["migrations"]

    def start(self, one):
        before = self.client.migrations(instance_uuid=one["id"])
        one["floor"] = max((record["id"] for record in before), default=0)
        self._started[one["id"]] = self.clock()
        try:
            one["request"] = self.client.live_migrate(one["id"], one["asked"], self.block_migration)
            one["state"] = ASKED
        except Unreachable as error:
            # Nova may have heard it. Its record tells.
            one.update(state=ASKED if error.sent else REFUSED, reason=str(error))
        except Refused as error:
            going = next((record for record in before if record["status"] in UNDER_WAY), None)
            if error.status == 409 and going and one["asked"] in (None, going["dest_compute"]):
                # Somebody, or a run before this one, has it on the way there already.
                one["floor"] = going["id"] - 1
                self._take(one, going)
            else:
                one.update(state=REFUSED, reason=error.said or str(error))

    # -- watching -----------------------------------------------------------------------------------------------------
    def _read(self):
        newest = {}
        for record in self.client.migrations(**{"changes-since": self.since}):
            newest[record["instance_uuid"]] = max(record, newest.get(record["instance_uuid"], record), key=lambda one: one["id"])
        for one in self.under_way():
            record = newest.get(one["id"])
            if record and record["id"] > one["floor"]:
                self._take(one, record)
            elif one["state"] == ASKED:
                self._without_record(one)

    def _take(self, one, record):
        one.update(state=record["status"], record=record["id"], to=record["dest_compute"])
        if one["state"] in ENDED:
            one["seconds"] = round(self.clock() - self._started[one["id"]], 1)
        if one["id"] not in self._dealt:
            one["reason"] = ""

    def _without_record(self, one):
        action = self._action(one)
        late = self.clock() - self._started[one["id"]] >= RECORD_WITHIN
        if late or action.get("message"):
            none = f"nova made no record of it within {duration(RECORD_WITHIN)}"
            one.update(state="error", reason=words_of(action) or one["reason"] or action.get("message") or none)

    def _action(self, one):
        return self.client.action(one["id"], one["request"]) if one.get("request") else {}

    def explain(self, sleep):
        """Find the words for what failed."""
        # What moved is told also when nova does not answer any more.
        with contextlib.suppress(NovaFault):
            self._find_words(sleep)
        for one in self.failures():
            one["reason"] = one["reason"] or f"nova gives no reason; the log of nova-compute on {one['from']} may"

    def _find_words(self, sleep):
        """Nova writes them a moment after the record."""
        for one in self.failures():
            for _try in range(3):
                if one["reason"]:
                    break
                one["reason"] = words_of(self._action(one))
                if not one["reason"] and one["state"] == "error":
                    sleep(1)

    # -- deadlines ----------------------------------------------------------------------------------------------------
    def _deadlines(self):
        late = self.clock() - self.began >= self.wait_timeout
        for one in self.under_way():
            took = self.clock() - self._started[one["id"]]
            over = self.migration_timeout is not None and took >= self.migration_timeout
            if (late or over) and one["id"] not in self._dealt:
                self._deal(one, took)

    def _deal(self, one, took):
        able = {"abort": ABORTABLE, "force_complete": FORCEABLE}.get(self.on_timeout, ())
        if one["record"] is None or one["state"] not in able:
            return
        amount = self._left(one)
        try:
            if self.on_timeout == "abort":
                self.client.abort(one["id"], one["record"])
                one["reason"] = f"aborted after {duration(took)}{amount}"
            else:
                self.client.force_complete(one["id"], one["record"])
                one["reason"] = f"forced to its end after {duration(took)}{amount}"
        except Refused as error:
            if error.status == 409 or error.status >= 500:
                # Between two of its states, or a fault of nova; once more with the next look.
                return
            if error.status not in (400, 404):
                raise
            # It ended meanwhile, or its driver cannot do that: what the record says next counts.
            one["reason"] = f"could not be {'aborted' if self.on_timeout == 'abort' else 'forced'} after {duration(took)}: {error.said or error}"
        self._dealt.add(one["id"])

    def _left(self, one):
        about = self.client.progress(one["id"], one["record"])
        total, left = about.get("memory_total_bytes"), about.get("memory_remaining_bytes")
        return f" with {left / 2**20:.0f} of {total / 2**20:.0f} MiB of memory still to copy" if total and left else ""


def words_of(action):
    """What the failed steps of an action say; the innermost, which began last, first."""
    failed = [event for event in action.get("events") or [] if event.get("result") == "Error"]
    said = [event.get("details") for event in sorted(failed, key=lambda event: event.get("start_time") or "", reverse=True)]
    return "; ".join(dict.fromkeys(words for words in said if words))


def judge(_name, state):
    if state in GOOD:
        return DONE
    return FAILED if state in ENDED else PENDING


def carry_out(moves, options, clock=time.monotonic, sleep=time.sleep):
    """Run the migrations to their ends. The module's answer; raises NovaFault, with changed and migrations, when some failed or a fault ended it.

    ``options``: the module's, with those of the fragment wait. A slice that is not the last returns ``unfinished`` and ``resume``.
    """
    resume = options.get("wait_resume") or {}
    if resume:
        moves.restore(resume["moves"])
    patience, moves.client.retry_for = moves.client.retry_for, 0.0
    waiter = Waiter(
        options["wait_timeout"] + SETTLE,
        options["wait_interval"],
        tolerate=(Unreachable,),
        goal="moved",
        clock=clock,
        sleep=sleep,
        elapsed=resume.get("elapsed", 0.0),
        slice_seconds=options.get("wait_slice"),
    )
    names = {name: one["server"] for name, one in moves.jobs.items()}
    failure = None
    try:
        outcome = waiter.run(names, moves.poll, judge, known=resume.get("states"))
    except (WaitFailed, WaitTimeout) as error:
        outcome, failure = error.outcome, error
    except NovaFault as error:
        raise interrupted(error, moves) from None
    finally:
        moves.client.retry_for = patience
    moves.explain(sleep)
    answer = {
        **so_far(moves),
        "waited": round(outcome.waited, 1),
        "progress": [_named(line, names) for line in outcome.lines],
    }
    if not outcome.finished:
        return {**answer, "unfinished": True, "resume": {"line": outcome.line, "elapsed": outcome.waited, "states": outcome.states, "moves": moves.save()}}
    if failure:
        raise NovaFault(told(moves, isinstance(failure, WaitTimeout), outcome), **answer)
    return answer


def of(client, jobs, options, clock=time.monotonic, **more):
    """The migrations of a module with these options."""
    return Moves(
        client,
        jobs,
        options["concurrency"],
        BLOCK[options["block_migration"]],
        options["migration_timeout"],
        options["on_timeout"],
        options["wait_timeout"],
        options["max_failures"],
        clock=clock,
        elapsed=(options["wait_resume"] or {}).get("elapsed", 0.0),
        **more,
    )


def diff(moves):
    """Where the servers were, and where they are now."""
    jobs = moves.jobs.values()
    return {
        "before": {one["server"]: one["from"] for one in jobs},
        "after": {one["server"]: one["to"] if one["state"] in GOOD else one["from"] for one in jobs},
    }


def _named(line, names):
    server, colon, rest = line.partition(":")
    return f"{names.get(server, server)}{colon}{rest}"


def report(one):
    """What is returned of a migration."""
    return {key: one[key] for key in ("id", "server", "from", "to", "state", "reason", "seconds")}


def so_far(moves):
    return {"changed": bool(moves.asked_for()), "migrations": [report(one) for one in moves.jobs.values()]}


def interrupted(error, moves):
    """A fault that ends the work in its middle, with what was done until then."""
    done = [one for one in moves.jobs.values() if one["state"] in GOOD]
    parts = [str(error), f"{len(done)} of {len(moves.jobs)} moved before that"]
    going = ", ".join(f"{one['server']} is {one['state']}" for one in moves.under_way())
    if going:
        parts.append(f"Nobody watches what is under way: {going}")
    return NovaFault(". ".join(part.rstrip(".") for part in parts), **{**error.result, **so_far(moves)})


def told(moves, late, outcome):
    """What did not go as wanted, in one sentence for each kind."""
    parts = []
    bad, left, going = moves.failures(), [one for one in moves.jobs.values() if one["state"] == LEFT], moves.under_way()
    done = [one for one in moves.jobs.values() if one["state"] in GOOD]
    if bad:
        parts.append(f"{len(bad)} of {len(moves.jobs)} migrations failed: " + "; ".join(f"{one['server']} is {one['state']} ({one['reason']})" for one in bad))
    if going:
        listed = ", ".join(f"{one['server']} is {one['state']}{' (' + one['reason'] + ')' if one['reason'] else ''}" for one in going)
        parts.append(f"not ended within {duration(outcome.waited) if late else 'the time'}: {listed}")
    if left:
        parts.append("not started: " + "; ".join(f"{one['server']} ({one['reason']})" for one in left))
    parts.append(f"{len(done)} of {len(moves.jobs)} moved. The others are where they were; run again when the cause is gone")
    return ". ".join(parts) + (f" (last fault: {outcome.last_fault})" if outcome.last_fault and going else "")
