# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Bootstrapping a controller with the juju command, so that it can be interrupted and repeated."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time

from ansible_collections.stratus.cloud.plugins.module_utils.juju import cli
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import JujuFault

SECRET = ("password",)
# Juju found no machine to take. After a failed try MAAS may still be at releasing the one that it had taken: power off, disks erased if told to.
NONE_FREE = re.compile(r"cannot start bootstrap instance.*(No available machine|No machine .*\bavailable\b)", re.S)
PAUSE = 15.0
"""Seconds between two tries to take it, at most."""


def shown(about):
    return {key: value for key, value in about.items() if key not in SECRET}


@contextlib.contextmanager
def alone(directory, name, timeout, sleep=time.sleep, clock=time.monotonic):
    """One bootstrap of a controller at a time: a second one waits, and then finds the first one's work."""
    path = os.path.join(directory, f".stratus-{name}.lock")
    with open(path, "w", encoding="utf-8") as stream:
        began = clock()
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if clock() - began >= timeout:
                    raise JujuFault(f"another bootstrap of {name} has been running on this host for more than {timeout:.0f} s") from None
                sleep(2)
        yield


def arguments(options, config=None):
    """The command line of the bootstrap. Configuration is in a file: it may be secret, and arguments are for all to see."""
    cloud = f"{options['cloud']}/{options['region']}" if options["region"] else options["cloud"]
    made = ["bootstrap", cloud, options["name"]]
    if options["credential"]:
        made += ["--credential", options["credential"]]
    if options["bootstrap_base"]:
        made += ["--bootstrap-base", options["bootstrap_base"]]
    if options["constraints"]:
        made += ["--bootstrap-constraints", options["constraints"]]
    if options["agent_version"]:
        made += ["--agent-version", options["agent_version"]]
    if options["system_id"]:
        made += ["--to", f"system-id={options['system_id']}"]
    elif options["placement"]:
        made += ["--to", options["placement"]]
    if config:
        made += ["--config", config]
    return made


def _answers(about, timeout, sleep=time.sleep, clock=time.monotonic):
    began = clock()
    while True:
        if cli.answers(about):
            return True
        if clock() - began >= timeout:
            return False
        sleep(2)


def half_made(about):
    """What an interrupted bootstrap leaves with the client: a name without an address. Whatever has an address may be somebody's cloud."""
    return about is not None and not about["endpoint"]


def clean(command, name):
    """Removes the remains of a bootstrap: the machine it took, and what the client noted."""
    if cli.controller(command.directory, name) is None:
        return False
    code, out, err = command.run("kill-controller", name, "--no-prompt", "--timeout", "2m0s", check=False)
    if cli.controller(command.directory, name) is not None:
        code, out, err = command.run("unregister", name, "--no-prompt", check=False)
    if cli.controller(command.directory, name) is not None:
        raise JujuFault(
            f"the remains of controller {name} could not be cleaned up: {cli.last_words(err or out)}. Look at them with: juju show-controller {name}",
            rc=code,
        )
    return True


def _missing(command, options):
    """What the bootstrap needs of the client and does not find."""
    known = cli.store(command.directory, "clouds").get("clouds") or {}
    if options["cloud"] not in known and options["cloud"] not in ("localhost", "lxd"):
        raise JujuFault(f"the juju client on this host knows no cloud {options['cloud']} (it knows {', '.join(sorted(known)) or 'none'}); see juju_cloud")
    credentials = (cli.store(command.directory, "credentials").get("credentials") or {}).get(options["cloud"]) or {}
    if options["credential"] and options["credential"] not in credentials:
        raise JujuFault(
            f"the juju client on this host knows no credential {options['credential']} for cloud {options['cloud']} "
            f"(it knows {', '.join(sorted(key for key in credentials if not key.startswith('default-'))) or 'none'}); see juju_credential"
        )


def present(module, command):
    options = module.params
    name = options["name"]
    began = time.monotonic()
    about = cli.controller(command.directory, name)
    if about and not half_made(about):
        return _existing(options, about)
    diff = {"before": {"exists": False}, "after": {"exists": True, "name": name, "cloud": options["cloud"]}}
    if module.check_mode:
        return {"changed": True, "tries": 0, "cleaned": half_made(about), "controller": {"name": name, "cloud": options["cloud"]}, "diff": diff, "seconds": 0.0}
    command.need()
    with alone(command.directory, name, 7200):
        about = cli.controller(command.directory, name)
        if about and not half_made(about):
            return _existing(options, about)
        command.version()
        _missing(command, options)
        about, tries, cleaned = _until_made(command, options)
    return {"changed": True, "tries": tries, "cleaned": cleaned, "controller": shown(about), "diff": diff, "seconds": round(time.monotonic() - began, 1)}


def _until_made(command, options, sleep=time.sleep, clock=time.monotonic):
    """Tries until there is a controller: what the client knows of it, how many tries it took, whether remains were cleaned up."""
    name = options["name"]
    cleaned = clean(command, name)
    # Since when MAAS releases a machine that an earlier try had taken.
    freed = clock() if cleaned else None
    pause, tries = 1.0, 0
    while True:
        tries += 1
        code, words = _try(command, options)
        about = cli.controller(command.directory, name)
        if code == 0 and about and not half_made(about):
            return about, tries, cleaned
        if code == 0:
            words = "it ended well, and the client does not know the controller's address"
        none_free = NONE_FREE.search(words)
        try:
            cleaned = clean(command, name) or cleaned
        except JujuFault as error:
            raise JujuFault(f"the bootstrap of {name} failed: {words}. {error}", tries=tries, changed=True) from None
        # Juju itself gives back what it took, and may leave nothing to clean.
        freed = freed if none_free else clock()
        if none_free and freed is not None and clock() - freed < options["release_timeout"]:
            # Nothing was begun: no try.
            tries -= 1
            sleep(pause)
            pause = min(PAUSE, 2 * pause)
        elif tries > options["retries"]:
            raise JujuFault(
                f"the bootstrap of {name} failed {tries} time{'s' if tries > 1 else ''}, and what it left was cleaned up: {words}",
                tries=tries,
                changed=True,
            )


def _existing(options, about):
    if not about["password"]:
        raise JujuFault(
            f"the client on this host knows controller {about['name']} and has no password for it (changing it and logging out take it away). "
            f"Write it into accounts.yaml beside its user {about['username'] or 'admin'}; nothing is bootstrapped over a controller that may be alive",
            controller=shown(about),
        )
    if not _answers(about, options["answer_timeout"]):
        raise JujuFault(
            f"the client knows controller {about['name']} at {', '.join(about['endpoint'])}, and it does not answer with its own certificate within "
            f"{options['answer_timeout']:.0f} s. It is not bootstrapped again: start its machine, or remove it with state=absent",
            controller=shown(about),
        )
    same = {"before": {"exists": True}, "after": {"exists": True}}
    return {"changed": False, "tries": 0, "cleaned": False, "controller": shown(about), "diff": same, "seconds": 0.0}


def _try(command, options):
    if options["config"]:
        with cli.private_file(command.directory, options["config"]) as path:
            code, out, err = command.run(*arguments(options, path), check=False)
    else:
        code, out, err = command.run(*arguments(options), check=False)
    return code, cli.last_words(err or out)


def absent(module, command):
    options = module.params
    about = cli.controller(command.directory, options["name"])
    if about is None:
        return {"changed": False, "diff": {"before": {"exists": False}, "after": {"exists": False}}}
    diff = {"before": {"exists": True, **shown(about)}, "after": {"exists": False}}
    if not module.check_mode:
        command.need()
        with alone(command.directory, options["name"], 7200):
            clean(command, options["name"])
    return {"changed": True, "diff": diff}
