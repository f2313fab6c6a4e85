"""The `snap` command of the lab: the store is the lab's, what is installed is known to this host's file system."""

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from functools import partial

import lab_control as lab

STATE = "/var/lib/snapd/state.json"
CHANGES = "/var/lib/snapd/changes"
RISKS = ("stable", "candidate", "beta", "edge")


# -- state ---------------------------------------------------------------------------------------------------------------
def installed(path=STATE):
    try:
        with open(path) as stream:
            return json.load(stream)["snaps"]
    except FileNotFoundError:
        return {}


def save(snaps, path=STATE):
    lab.write(path, json.dumps({"snaps": snaps}, indent=1), 0o600)


def full_channel(channel, tracks=("latest",)):
    """`3.5` and `stable` and nothing all name one channel: track/risk."""
    if not channel:
        return "latest/stable"
    if "/" in channel:
        return channel
    if channel in RISKS:
        return f"{tracks[0]}/{channel}"
    return f"{channel}/stable"


def find_channel(entry, channel):
    """The channel's release and whether it is classic; a riskier name of an existing track falls back to stable."""
    wanted = full_channel(channel)
    track, risk = wanted.split("/", 1)
    for key, classic in (("channels", entry.get("confinement") == "classic"), ("classic", True)):
        for name in (wanted, f"{track}/stable" if risk in RISKS else wanted):
            if name in (entry.get(key) or {}):
                return wanted, entry[key][name], classic
    return wanted, None, False


def short_channel(channel):
    """How snap names a channel in sentences: the default track is silent."""
    return channel[len("latest/") :] if channel.startswith("latest/") else channel


def publisher(name):
    return f"{name}✓" if lab.unicode_out() else f"{name}**"


def table(rows, gap=2):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join((" " * gap).join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def unanswered(error):
    return f"error: cannot communicate with server: {error.message}"


def need_root():
    if not lab.is_root():
        lab.fail("error: access denied (try with sudo)")


def store(name):
    try:
        return lab.ask("GET", f"/snap/{name}")
    except lab.LabError as error:
        if error.status == 404:
            return None
        lab.fail(
            f'error: cannot install "{name}": Post "https://api.snapcraft.io/v2/snaps/refresh": dial tcp: lookup api.snapcraft.io: '
            "Temporary failure in name resolution"
        )


# -- changes -------------------------------------------------------------------------------------------------------------
def clock():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def changes(name=""):
    """All changes, or those of a snap, the oldest first. One that is under way holds a lock on its file; without it, the end of the host has cut it short."""
    found = []
    for number in sorted(int(file) for file in (os.listdir(CHANGES) if os.path.isdir(CHANGES) else []) if file.isdigit()):
        with open(f"{CHANGES}/{number}") as stream:
            change = json.load(stream)
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
                status = change["status"] if change["ready"] else "Error"
            except BlockingIOError:
                status = "Doing"
        if name in ("", change["snap"]):
            found.append({**change, "id": str(number), "status": status})
    return found


def apart(work):
    """Do it in a process of its own, as snapd does, and wait for it: it goes on when the command is killed that asked for it. Its exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        os.setsid()
        work()
        code = 0
    except SystemExit as error:
        code = error.code
    except lab.LabError as error:
        print(unanswered(error), file=sys.stderr)
    except Exception:
        traceback.print_exc()
    finally:
        # Whatever happens: what the command does next is its own process' to do.
        os._exit(code)


def as_change(kind, name, summary, work):
    """Have a change of the snap, whose ``kind`` others are told while it is under way: one snap has one change at a time."""
    for change in changes(name):
        if change["status"] == "Doing":
            lab.fail(f'error: snap "{name}" has "{change["kind"]}" change in progress')
    path = f"{CHANGES}/{max([0, *(int(change['id']) for change in changes())]) + 1}"
    about = {"kind": kind, "snap": name, "summary": summary, "status": "Error", "spawn": clock(), "ready": ""}
    lab.write(path, json.dumps(about), 0o600)
    with open(path) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)

        def done():
            try:
                work()
                about["status"] = "Done"
            finally:
                lab.write(path, json.dumps({**about, "ready": clock()}), 0o600)

        code = apart(done)
    if code:
        raise SystemExit(code)


# -- what an installation brings -----------------------------------------------------------------------------------------
def place(name, release, entry):
    """Files of an installed snap, as far as anybody looks for them."""
    revision = str(release["revision"])
    os.makedirs(f"/snap/{name}/{revision}/meta", exist_ok=True)
    lab.write(f"/snap/{name}/{revision}/meta/snap.yaml", f"name: {name}\nversion: {release['version']}\nsummary: {entry['summary']}\n")
    for link, target in ((f"/snap/{name}/current", revision), (f"/var/snap/{name}/current", revision)):
        os.makedirs(os.path.dirname(link), exist_ok=True)
        if os.path.islink(link):
            os.unlink(link)
        os.symlink(target, link)
    for data in (f"/var/snap/{name}/{revision}", f"/var/snap/{name}/common"):
        os.makedirs(data, exist_ok=True)
    for app in entry.get("apps", []):
        text = f"#!/usr/bin/python3 -I\n# The {app} command of the lab.\nimport sys\nsys.path.insert(0, '/opt/lab/lib')\n"
        lab.write(f"/snap/bin/{app}", f"{text}import lab_{app}\nsys.exit(lab_{app}.main(sys.argv[1:]))\n", 0o755)


def systemctl(*words):
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)


def units(name):
    folder = "/etc/systemd/system"
    return sorted(unit for unit in os.listdir(folder) if unit.startswith(f"snap.{name}.")) if os.path.isdir(folder) else []


def take_away(name, entry, purge):
    for unit in units(name):
        systemctl("disable", "--now", unit)
        os.unlink(f"/etc/systemd/system/{unit}")
    systemctl("daemon-reload")
    for app in entry.get("apps", []):
        if os.path.exists(f"/snap/bin/{app}"):
            os.unlink(f"/snap/bin/{app}")
    shutil.rmtree(f"/snap/{name}", ignore_errors=True)
    if not purge and os.path.isdir(f"/var/snap/{name}"):
        os.makedirs("/var/lib/snapd/snapshots", exist_ok=True)
        lab.write(f"/var/lib/snapd/snapshots/1_{name}_{entry['version']}_{entry['revision']}.zip", "")
    shutil.rmtree(f"/var/snap/{name}", ignore_errors=True)


# -- commands ------------------------------------------------------------------------------------------------------------
def install(name, channel, release, classic, entry):
    try:
        lab.ask("POST", "/snap/install", {"name": name, "channel": channel})
    except lab.LabError as error:
        lab.fail(f'error: cannot perform the following tasks:\n- Download snap "{name}" ({release["revision"]}) from channel "{channel}" ({error.message})')
    place(name, release, entry)
    snaps = installed()
    snaps[name] = {
        "version": release["version"], "revision": release["revision"], "channel": channel, "publisher": entry["publisher"], "classic": classic,
        "disabled": False, "apps": entry.get("apps", []), "services": entry.get("services", []), "config": {},
    }  # fmt: skip
    save(snaps)


def cmd_install(options):
    need_root()
    snaps = installed()
    if len(options.names) > 1 and (options.channel or options.classic):
        lab.fail("error: a single snap name is needed to specify channel flags")
    done = []
    for name in options.names:
        if name.endswith(".snap"):
            lab.fail(f'error: cannot open "{name}": open {name}: no such file or directory')
        if name in snaps:
            print(f"snap \"{name}\" is already installed, see 'snap help refresh'", file=sys.stderr)
            continue
        entry = store(name)
        if entry is None:
            lab.fail(f'error: snap "{name}" not found')
        channel, release, classic = find_channel(entry, options.channel)
        if release is None:
            lab.fail(no_channel(name, channel, entry))
        if classic and not options.classic:
            lab.fail(
                f'error: This revision of snap "{name}" was published using classic confinement and thus may perform\n'
                "       arbitrary system changes outside of the security sandbox that snaps are usually confined to,\n"
                "       which may put your system at risk.\n\n"
                "       If you understand and want to proceed repeat the command including --classic."
            )
        if options.classic and not classic:
            print(f"Warning: flag --classic ignored for strictly confined snap {name}", file=sys.stderr)
        as_change("install-snap", name, f'Install "{name}" snap from "{channel}" channel', partial(install, name, channel, release, classic, entry))
        done.append(f"{name}{channel_note(channel)} {release['version']} from {publisher(entry['publisher'].capitalize())} installed")
    print("\n".join(done), end="\n" if done else "")
    return 0


def channel_note(channel):
    return "" if channel == "latest/stable" else f" ({short_channel(channel)})"


def no_channel(name, channel, entry):
    lines = [f'error: snap "{name}" is not available on {short_channel(channel)} but is available to install on the', "       following channels:", ""]
    lines += [f"       {offered:<14} snap install --channel={offered} {name}" for offered in entry["channels"]]
    return "\n".join([*lines, "", "       Please be mindful pre-release channels may include features not", "       completely tested or implemented."])


def refresh(name, channel, release, classic, entry):
    lab.ask("POST", "/snap/install", {"name": name, "channel": channel})
    place(name, release, entry)
    snaps = installed()
    snaps[name].update(version=release["version"], revision=release["revision"], channel=channel, classic=classic)
    save(snaps)


def cmd_refresh(options):
    need_root()
    snaps = installed()
    names = options.names or sorted(snaps)
    done = []
    for name in names:
        if name not in snaps:
            lab.fail(f'error: snap "{name}" is not installed')
        entry = store(name)
        channel, release, classic = find_channel(entry, options.channel or snaps[name]["channel"])
        if release is None:
            lab.fail(no_channel(name, channel, entry).replace("to install on", "to refresh to on"))
        if release["revision"] == snaps[name]["revision"]:
            if channel == snaps[name]["channel"]:
                if options.names:
                    print(f'snap "{name}" has no updates available', file=sys.stderr)
            else:
                snaps[name]["channel"] = channel
                save(snaps)
                done.append(f'snap "{name}" switched to the "{short_channel(channel)}" channel')
            continue
        as_change("refresh-snap", name, f'Refresh "{name}" snap from "{channel}" channel', partial(refresh, name, channel, release, classic, entry))
        done.append(f"{name}{channel_note(channel)} {release['version']} from {publisher(entry['publisher'].capitalize())} refreshed")
    if not options.names and not done:
        print("All snaps up to date.", file=sys.stderr)
    print("\n".join(done), end="\n" if done else "")
    return 0


def cmd_switch(options):
    need_root()
    snaps = installed()
    for name in options.names:
        if name not in snaps:
            lab.fail(f'error: snap "{name}" is not installed')
        channel, release, _classic = find_channel(store(name), options.channel)
        if release is None:
            lab.fail(f'error: cannot switch snap "{name}": no such channel')
        snaps[name]["channel"] = channel
        save(snaps)
        print(f'"{name}" switched to the "{short_channel(channel)}" channel')
    return 0


def remove(name, purge):
    lab.ask("POST", "/snap/remove", {"name": name, "purge": purge})
    snaps = installed()
    take_away(name, snaps.pop(name), purge)
    save(snaps)


def cmd_remove(options):
    need_root()
    snaps = installed()
    for name in options.names:
        if name not in snaps:
            print(f'snap "{name}" is not installed', file=sys.stderr)
            continue
        as_change("remove-snap", name, f'Remove "{name}" snap', partial(remove, name, options.purge))
        print(f"{name} removed")
    return 0


def cmd_list(options):
    snaps = installed()
    names = [name for name in sorted(snaps) if not options.names or name in options.names]
    if options.names and not names:
        lab.fail("error: no matching snaps installed")
    if not names:
        print("No snaps are installed yet. Try 'snap install hello-world'.", file=sys.stderr)
        return 0
    rows = [("Name", "Version", "Rev", "Tracking", "Publisher", "Notes")]
    for name in names:
        snap = snaps[name]
        notes = ",".join(word for word, is_so in (("disabled", snap["disabled"]), ("classic", snap["classic"])) if is_so) or "-"
        rows.append((name, snap["version"], str(snap["revision"]), snap["channel"], publisher(snap["publisher"]), notes))
    print(table(rows))
    return 0


def cmd_info(options):
    snaps = installed()
    blocks, missing = [], []
    for name in options.names:
        try:
            entry = lab.ask("GET", f"/snap/{name}")
        except lab.LabError:
            # Without the store, what is installed is still told; what is not is not found.
            entry = {"summary": name, "publisher": snaps[name]["publisher"], "license": "unset", "channels": {}} if name in snaps else None
        if entry is None:
            missing.append(f'no snap found for "{name}"')
            blocks.append(f"warning: {missing[-1]}")
            continue
        lines = [f"name:      {name}", f"summary:   {entry['summary']}", f"publisher: {publisher(entry['publisher'].capitalize())}",
                 f"license:   {entry['license']}", "description: |", f"  {entry['summary']}"]  # fmt: skip
        if name in snaps:
            lines += [f"tracking:  {snaps[name]['channel']}", f"installed: {snaps[name]['version']} ({snaps[name]['revision']})"]
        lines.append("channels:")
        for channel, release in {**entry["channels"], **(entry.get("classic") or {})}.items():
            lines.append(f"  {channel + ':':<18} {release['version']} 2026-06-01 ({release['revision']}) {release['size']} -")
        blocks.append("\n".join(lines))
    if len(options.names) == 1 and missing:
        lab.fail(f"error: {missing[0]}")
    print("\n---\n".join(blocks))
    return 0 if len(missing) < len(options.names) else 1


def cmd_get(options):
    need_root()
    snaps = installed()
    if options.name not in snaps:
        lab.fail(f'error: snap "{options.name}" is not installed')
    config = snaps[options.name]["config"]
    if not config and not options.keys:
        lab.fail(f'error: snap "{options.name}" has no configuration')
    for key in options.keys:
        if key not in config:
            lab.fail(f'error: snap "{options.name}" has no "{key}" configuration option')
    chosen = {key: config[key] for key in (options.keys or config)}
    if options.d or len(chosen) != 1:
        print(json.dumps(chosen, indent="\t"))
    else:
        print(next(iter(chosen.values())))
    return 0


def cmd_set(options):
    need_root()
    snaps = installed()
    if options.name not in snaps:
        lab.fail(f'error: snap "{options.name}" is not installed')
    for setting in options.settings:
        if "=" not in setting:
            lab.fail(f'error: invalid configuration: "{setting}" (want key=value)')
        key, value = setting.split("=", 1)
        try:
            snaps[options.name]["config"][key] = json.loads(value)
        except ValueError:
            snaps[options.name]["config"][key] = value
    save(snaps)
    return 0


def cmd_enable(options, disabled=False):
    need_root()
    snaps = installed()
    for name in options.names:
        if name not in snaps:
            lab.fail(f'error: snap "{name}" is not installed')
        snaps[name]["disabled"] = disabled
        for unit in units(name):
            systemctl(*(("disable", "--now") if disabled else ("enable", "--now")), unit)
        save(snaps)
        print(f"{name} {'disabled' if disabled else 'enabled'}")
    return 0


def cmd_disable(options):
    return cmd_enable(options, disabled=True)


def cmd_services(options):
    snaps = installed()
    rows = [("Service", "Startup", "Current", "Notes")]
    for name, snap in sorted(snaps.items()):
        for service in snap["services"]:
            if options.names and name not in options.names and service not in options.names:
                continue
            present = units(name)
            active = present and systemctl("is-active", present[-1]).stdout.strip() == "active"
            enabled = not present or systemctl("is-enabled", present[-1]).stdout.strip() == "enabled"
            rows.append((service, "enabled" if enabled else "disabled", "active" if active or not present else "inactive", "-"))
    if len(rows) == 1:
        if options.names:
            lab.fail(f'error: snap "{options.names[0]}" not found')
        print("There are no services provided by installed snaps.", file=sys.stderr)
        return 0
    print(table(rows))
    return 0


def service_action(options, verb, past):
    need_root()
    snaps = installed()
    for service in options.names:
        name = service.split(".")[0]
        if name not in snaps:
            lab.fail(f'error: snap "{name}" not found')
        for unit in units(name):
            if verb in ("start", "restart") and unit.endswith(".service"):
                continue
            enable = {"start": "enable", "stop": "disable"}.get(verb)
            if enable and getattr(options, enable):
                systemctl(enable, unit)
            systemctl(verb, unit)
    print(past)
    return 0


def cmd_start(options):
    return service_action(options, "start", "Started.")


def cmd_stop(options):
    return service_action(options, "stop", "Stopped.")


def cmd_restart(options):
    return service_action(options, "restart", "Restarted.")


def cmd_version(_options):
    print("snap    2.68.5+lab\nsnapd   2.68.5+lab\nseries  16\nubuntu  22.04\nkernel  " + os.uname().release)
    return 0


def cmd_wait(_options):
    return 0


def cmd_changes(options):
    found = changes(options.name or "")
    if not found:
        lab.fail("error: no changes found")
    rows = [(change["id"], change["status"], change["spawn"], change["ready"] or "-", change["summary"]) for change in found]
    print(table([("ID", "Status", "Spawn", "Ready", "Summary"), *rows]) + "\n")
    return 0


def parser():
    root = argparse.ArgumentParser(prog="snap", add_help=True)
    commands = root.add_subparsers(dest="command", required=True)

    def add(name, function, names="+", **flags):
        sub = commands.add_parser(name)
        sub.set_defaults(run=function)
        for flag, settings in flags.items():
            sub.add_argument(f"--{flag.replace('_', '-')}", **settings)
        if names:
            sub.add_argument("names", nargs=names)
        return sub

    switch = {"action": "store_true"}
    channels = {"channel": {}, "classic": switch, **dict.fromkeys(RISKS, switch)}
    add("install", cmd_install, dangerous=switch, devmode=switch, jailmode=switch, no_wait=switch, revision={}, **channels)
    add("refresh", cmd_refresh, "*", dangerous=switch, devmode=switch, no_wait=switch, hold={"nargs": "?", "const": "forever"}, revision={}, **channels)
    add("switch", cmd_switch, **channels)
    add("remove", cmd_remove, purge=switch, no_wait=switch, revision={})
    add("list", cmd_list, "*", all=switch)
    add("info", cmd_info, verbose=switch)
    add("enable", cmd_enable)
    add("disable", cmd_disable)
    add("services", cmd_services, "*")
    add("start", cmd_start, enable=switch)
    add("stop", cmd_stop, disable=switch)
    add("restart", cmd_restart, reload=switch)
    add("version", cmd_version, None)
    add("changes", cmd_changes, None).add_argument("name", nargs="?")
    get = add("get", cmd_get, None)
    get.add_argument("-d", action="store_true")
    get.add_argument("name")
    get.add_argument("keys", nargs="*")
    put = add("set", cmd_set, None)
    put.add_argument("name")
    put.add_argument("settings", nargs="+")
    ready = add("wait", cmd_wait, None)
    ready.add_argument("name", nargs="?")
    ready.add_argument("key", nargs="?")
    return root


def main(argv):
    options = parser().parse_args(argv)
    for risk in RISKS:
        if getattr(options, risk, False) and not options.channel:
            options.channel = risk
    try:
        return options.run(options)
    except lab.LabError as error:
        lab.fail(unanswered(error))
