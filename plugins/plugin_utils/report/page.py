# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The page of a run: one HTML file with everything in it, no script, and no request to anywhere."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.stratus.cloud.plugins.module_utils.juju.status import machine_order, unit_order
from ansible_collections.stratus.cloud.plugins.module_utils.phases import clock
from ansible_collections.stratus.cloud.plugins.plugin_utils.record import built
from ansible_collections.stratus.cloud.plugins.plugin_utils.report import changes, timeline
from ansible_collections.stratus.cloud.plugins.plugin_utils.report.markup import constant, el, join, link, table

STYLE = Path(__file__).with_name("style.css")
# Nothing but the styles in the page itself may be loaded or run, whatever else should ever get into it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
WIDTH = 1000
TRACK = 20
GROUPS = {
    "job": ("In the background", "Jobs that Ansible started and waited for later"),
    "image": ("Images", "What MAAS imported"),
    "machine": ("Machines", "Bare metal and virtual machines, as MAAS and Juju told"),
    "application": ("Applications", "Each as its worst unit was, as Juju told"),
}


def page(run, earlier=None):
    """The whole document for a record; ``earlier``: one to compare with."""
    title = f"{run.get('cloud') or 'cloud'}: {run['playbook']}, {run['started'][:16].replace('T', ' ')}"
    sections = [
        summary(run), chart(run, earlier), path_section(run), phases_section(run, earlier), failures(run), changes_section(run, earlier), topology(run),
        access(run), versions(run),
    ]  # fmt: skip
    return join(
        [
            constant("<!doctype html>\n"),
            el(
                "html",
                el(
                    "head",
                    el("meta", charset="utf-8"),
                    el("meta", http_equiv="Content-Security-Policy", content=POLICY),
                    el("meta", name="viewport", content="width=device-width, initial-scale=1"),
                    el("meta", name="color-scheme", content="light dark"),
                    el("meta", name="referrer", content="no-referrer"),
                    el("title", title),
                    el("style", constant(STYLE.read_text(encoding="utf-8"))),
                ),
                el("body", heading(run), el("main", *[section for section in sections if section])),
                lang="en",
            ),
            constant("\n"),
        ]
    )


def section(title, *content, note=None, **attributes):
    return el("section", el("h2", title), el("p", note, class_="note") if note else None, *content, **attributes)


def plain(task):
    """A task's name with its role in front, as "maas: Commission them": the collection goes without saying."""
    return str(task).removeprefix("stratus.cloud.").replace(" : ", ": ", 1)


def short(seconds):
    """ "0.4 s", "12 s", "4:07", "1:02:03"."""
    if seconds is None:
        return "-"
    if not seconds:
        return "0"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    text = clock(seconds)
    return text[2:].lstrip("0") if text.startswith("0:") else text


def heading(run):
    ok = run.get("result") == "ok"
    good = "built" if built(run) else "changed" if run.get("changed") else "nothing had to change"
    verdict = good if ok else "interrupted" if run.get("result") == "interrupted" else "stopped"
    choices = [
        el("label", el("input", type="radio", name="theme", id=f"theme-{name}", checked=name == "auto"), el("span", name)) for name in ("auto", "light", "dark")
    ]
    return el(
        "header",
        el(
            "div",
            el("p", "stratus.cloud", class_="product"),
            el("h1", run.get("cloud") or "cloud"),
            el(
                "p",
                el("span", f"{'✓' if ok else '✗'} {verdict}", class_=f"badge {'good' if ok else 'bad'}"),
                f" {run['playbook']} · {run['started'][:19].replace('T', ' ')} UTC · {run.get('changed') or 0} changes",
            ),
        ),
        el("fieldset", el("legend", "Colours"), *choices, class_="theme"),
    )


def summary(run):
    found = timeline.rows(run)
    scale = run.get("time_scale")
    facts = run.get("facts") or {}
    model = facts.get("model") or {}
    tiles = [
        (short(run["seconds"]), "from start to end"),
        (short(run["scaled_seconds"]), f"on a clock {scale:g} times slower, a real rack's") if scale else None,
        (short(run["reference_seconds"]), run.get("reference")) if run.get("reference_seconds") else None,
        (max(len(facts.get("machines") or {}), len(found["machine"])), "machines"),
        (max(len(model.get("applications") or {}), len(found["application"])), "applications"),
        (len(model.get("units") or {}), "units") if model else None,
        (run.get("requests"), "requests while waiting") if run.get("requests") else None,
    ]
    return el("div", *[el("div", el("strong", value), el("span", text)) for value, text in filter(None, tiles)], class_="tiles")


# The timeline


def chart(run, earlier):
    """Phases, Ansible's own line, and everything that has a state, over the same axis."""
    end = max(run["seconds"], 0.001)
    found, path = timeline.rows(run), timeline.critical_path(run)
    timeline.mark(found, path)
    step, marks = timeline.ticks(end)
    own = timeline.Row("strand", "Ansible", timeline.strand(run), [(piece["began"], piece["ended"]) for piece in path if piece["kind"] == "task"])
    groups = [_group("Phases", None, [_phase_row(phase, end, earlier) for phase in run["phases"]])]
    groups.append(_group("Ansible", "Its own work, and where it waits", [_row(own, end, sum(segment.seconds for segment in own.segments))]))
    for kind, (title, note) in GROUPS.items():
        if found[kind]:
            groups.append(_group(title, note, [_row(row, end, row.ready if kind != "job" else row.segments[0].seconds) for row in found[kind]]))
    scale = run.get("time_scale")
    labels = [el("span", short(mark), el("small", short(mark * scale)) if scale and mark else None, style=f"left:{100 * mark / end:.3f}%") for mark in marks]
    axis = el("div", el("span", class_="label"), el("div", *labels, class_="ticks"), el("span", class_="when"), class_="axis", aria_hidden="true")
    legend = [el("span", el("i", class_=name), text) for name, text in timeline.MEANING.items()]
    legend.append(el("span", el("i", class_="critical"), "critical path"))
    legend.append(el("span", el("i", class_="ghost"), "earlier run") if earlier else None)
    note = f"Small figures: times {scale:g}, a real rack's clock." if scale else None
    return section(
        "Timeline",
        el("p", *legend, class_="legend"),
        el("div", axis, *groups, class_="chart", style=f"--step:{100 * step / end:.4f}%"),
        note=note,
        id="timeline",
    )


def _group(title, note, rows):
    return el("div", el("h3", title, el("small", note) if note else None), *rows, class_="group")


def _x(seconds, end):
    return round(WIDTH * seconds / end, 2)


def _bar(began, ended, end, name, title, top=2, height=16):
    """One rectangle with what a pointer, or a screen reader, is told of it; never narrower than can be seen."""
    return el("rect", el("title", title), x=_x(began, end), y=top, width=max(1.2, round(WIDTH * (ended - began) / end, 2)), height=height, class_=name)


def _track(*shapes, label):
    return el("svg", *shapes, viewBox=f"0 0 {WIDTH} {TRACK}", preserveAspectRatio="none", role="img", aria_label=label)


def _line(name, shapes, text, label, critical=False):
    return el(
        "div",
        el("span", plain(name), class_="label", title=plain(name)),
        _track(*shapes, label=label),
        el("span", text, class_="when"),
        class_="row critical" if critical else "row",
    )


def _row(row, end, when):
    shapes = [_bar(part.began, part.ended, end, part.group, _told(row.name, part), *_height(part)) for part in row.segments if part.seconds > 0]
    shapes += [_bar(began, ended, end, "path", "critical path", top=0, height=2.5) for began, ended in row.critical]
    told = ", ".join(f"{part.label} from {short(part.began)}" for part in row.segments[:12]) if row.kind != "strand" else f"{len(row.segments)} tasks"
    return _line(row.name, shapes, short(when) if when is not None else "not ready", f"{row.name}: {told}", bool(row.critical) and row.kind != "strand")


def _height(part):
    """(top, height): what is ready is a thin line, so that the work stands out."""
    return (8, 4) if part.group == "good" else (2, 16)


def _told(name, part):
    return f"{name}: {plain(part.label)}, {short(part.began)} to {short(part.ended)}" + (f" ({part.note})" if part.note else "")


def _phase_row(phase, end, earlier):
    before = {past["name"]: past["seconds"] for past in (earlier or {}).get("phases") or []}.get(phase["name"])
    shapes = [
        _bar(play["began"], play["began"] + play["seconds"], end, "bad" if phase.get("stopped_here") else "phase", f"{play['name']}: {short(play['seconds'])}")
        for play in phase["plays"]
    ]
    if before is not None and phase["plays"]:
        began = phase["plays"][0]["began"]
        shapes.append(_bar(began, min(began + before, end), end, "ghost", f"earlier run: {short(before)}", top=18, height=2))
    return _line(phase["name"], shapes, short(phase["seconds"]), f"{phase['name']}: {short(phase['seconds'])}")


# What decided


def path_section(run):
    path = timeline.critical_path(run)
    if not path:
        return None
    end = max(run["seconds"], 0.001)
    rows = []
    for piece in path:
        if piece["kind"] == "task":
            shown = ", ".join(dict.fromkeys(map(plain, piece["tasks"][:3])))
            what = join([el("b", f"{piece['phase']}: "), shown, f" and {len(piece['tasks']) - 3} more" if len(piece["tasks"]) > 3 else ""])
        else:
            what = join([el("b", f"{piece['kind']} {piece['name']}"), f", waited for by \u201c{plain(piece['wait'])}\u201d"])
        share = el("span", el("i", style=f"width:{100 * piece['seconds'] / end:.1f}%"), class_="share")
        rows.append([short(piece["began"]), what, (short(piece["seconds"]), "number"), share])
    return section(
        "What the end waited for",
        table(["From", "What", ("Time", "number"), "Share"], rows, class_="path"),
        note="The critical path: each line is the reason why the next could not begin earlier. Everything else went on meanwhile.",
        id="path",
    )


def phases_section(run, earlier):
    scale, reference = run.get("time_scale"), run.get("reference")
    head = ["Phase", ("This run", "number")]
    if scale:
        head.append((f"× {scale:g}", "number"))
    if earlier:
        head += [("Earlier", "number"), ("Difference", "number")]
    head.append((reference or "Reference", "number"))
    rows = []
    for line in timeline.compare(run, earlier):
        row = [line["name"], (short(line["seconds"]), "number")]
        if scale:
            row.append((short(line["scaled"]), "number"))
        if earlier:
            row += [(short(line["earlier"]), "number"), _delta(line)]
        row.append((short(line["reference"]), "number"))
        rows.append(row)
    slow = [[plain(task["name"]), task["phase"], (short(task["seconds"]), "number")] for task in sorted(run["tasks"], key=lambda task: -task["seconds"])[:12]]
    note = f"Earlier: {_named(earlier)}, {earlier.get('changed') or 0} changes." if earlier else None
    return section(
        "Phases",
        table(head, rows, class_="phases"),
        el("details", el("summary", "The longest tasks"), table(["Task", "Phase", ("Time", "number")], slow)),
        note=note,
        id="phases",
    )


def _named(run):
    return f"{run['playbook']} of {run['started'][:19].replace('T', ' ')} UTC"


def _delta(line):
    """The difference to the earlier run; of less than a second and a twentieth it says nothing."""
    delta, earlier = line["delta"], line["earlier"]
    if delta is None:
        return ("-", "number")
    share = f" ({100 * delta / earlier:+.0f} %)" if earlier else ""
    small = abs(delta) < 1 or (earlier and abs(delta) / earlier < 0.05)
    return (f"{'+' if delta >= 0 else '−'}{short(abs(delta))}{share}", "number " + ("" if small else "slower" if delta > 0 else "faster"))


def failures(run):
    if not run.get("failures"):
        return None
    rows = [[short(entry["at"]), plain(entry["task"]), entry["host"], entry["message"]] for entry in run["failures"]]
    note = "The run came to its end: these were expected, or tried again." if run.get("result") == "ok" else None
    return section("Failed tasks", table(["At", "Task", "Host", "Message"], rows), note=note, id="failures")


# The cloud


def changes_section(run, earlier):
    """Versions, charms, machines and units that are not what they were."""
    if not earlier:
        return None
    rows = [[what, "-" if before is None else before, "-" if now is None else now] for what, before, now in changes.compare(run, earlier)]
    found = table(["What", "Earlier", "This run"], rows, class_="changes") if rows else el("p", "Of what both runs looked at, nothing.")
    return section("What changed", found, note=f"Earlier: {_named(earlier)}. Versions, charms, machines and units that differ.", id="changes")


def topology(run):
    """The controller with its bridge, the private network, and every machine on it with its bridges and units."""
    facts, site = run.get("facts") or {}, run.get("site") or {}
    model = facts.get("model") or {}
    last = {name: states[-1][1] for name, states in ((run.get("states") or {}).get("machine") or {}).items() if states}
    machines = {name: {**machine, "status": last.get(name, machine.get("status", ""))} for name, machine in (facts.get("machines") or {}).items()}
    by_host = {}
    for machine in model.get("machines") or []:
        if machine.get("hostname") and not machine.get("parent"):
            by_host.setdefault(machine["hostname"], machine)
            machines.setdefault(machine["hostname"], {"hostname": machine["hostname"], "ip_addresses": [machine.get("address", "")]})
    if not machines:
        return None
    metal = [machine for machine in machines.values() if machine.get("power_type") != "lxd"]
    virtual = [machine for machine in machines.values() if machine.get("power_type") == "lxd"]
    groups = []
    for title, note, some in (("Bare metal", None, metal), ("Virtual machines", f"on the controller, at {site.get('lxd_bridge') or 'its bridge'}", virtual)):
        cards = [_machine(machine, by_host.get(machine["hostname"]), model) for machine in sorted(some, key=lambda m: timeline.natural(m["hostname"]))]
        if cards:
            groups += [el("h3", title, el("small", note) if note else None, class_="hung"), el("div", *cards, class_="rack")]
    return section(
        "Topology",
        _controllers(facts, site),
        el("div", el("b", site.get("maas_subnet_cidr") or "private network"), _network(site), class_="bus"),
        *groups,
        id="topology",
        class_="topology",
    )


def _network(site):
    dhcp = site.get("maas_dynamic_range") or {}
    parts = [f"gateway {site['maas_gateway_ip']}" if site.get("maas_gateway_ip") else None]
    if isinstance(dhcp, dict) and dhcp.get("start"):
        parts.append(f"DHCP {dhcp['start']} to {dhcp.get('end')}")
    return el("span", " · ".join(filter(None, parts)))


def _controllers(facts, site):
    nat = site.get("juju_nat") or {}
    names = list(facts.get("controllers") or {}) or ["controller"]
    lines = [
        el("li", el("b", "MAAS"), f" {facts.get('maas_version') or site.get('maas_channel') or ''}"),
        *[
            el("li", el("b", "VM host"), f" {host['name']}, {host.get('type', '')} {host.get('version', '')}")
            for host in (facts.get("vm_hosts") or {}).values()
        ],
    ]
    outside = f"{nat['interface']} → outside" + (f" (NAT from {nat['source']})" if nat.get("source") else "") if nat.get("interface") else None
    inside = f"{site['lxd_bridge']} on {site.get('lxd_bridge_interface', '')}" if site.get("lxd_bridge") else None
    ports = [el("span", text, class_="port") for text in (outside, inside) if text]
    return el(
        "div", el("div", el("h4", ", ".join(names), " ", el("small", "controller")), el("ul", *lines), el("div", *ports), class_="card host"), class_="top"
    )


def _machine(machine, inside, model):
    """One machine: state, addresses, bridges, and the units on it and in its containers."""
    sizes = [f"{machine['cpu_count']} cores" if machine.get("cpu_count") else None, f"{machine['memory'] / 1024:.0f} GiB" if machine.get("memory") else None]
    bridges = [interface for interface in machine.get("interfaces") or [] if interface.get("type") == "bridge"]
    ports = [f"{bridge['name']} ({bridge.get('bridge_type') or 'bridge'}) on {', '.join(bridge.get('parents') or []) or '-'}" for bridge in bridges]
    places = [(inside["id"], None)] if inside else []
    if inside:
        places += [(m["id"], m["id"]) for m in sorted(model["machines"], key=lambda m: machine_order(m["id"])) if m.get("parent") == inside["id"]]
    return el(
        "div",
        el("h4", el("i", class_=f"dot {timeline.group(machine.get('status', ''))}"), machine["hostname"], " ", el("small", machine.get("status", ""))),
        el("p", ", ".join(map(str, machine.get("ip_addresses") or [])), class_="addresses"),
        el("p", ", ".join(filter(None, [*sizes, machine.get("distro_series")])), class_="note") if any(sizes) else None,
        el("div", *[el("span", port, class_="port") for port in ports]) if ports else None,
        *[_units(place, container, model) for place, container in places],
        class_="card",
    )


def _units(place, container, model):
    units = model.get("units") or {}
    here = sorted((name for name, unit in units.items() if unit.get("machine") == place and not unit.get("principal")), key=unit_order)
    chips = []
    for name in here:
        lower = sorted((other for other, unit in units.items() if unit.get("principal") == name), key=unit_order)
        state = units[name].get("workload", "")
        title = "; ".join(filter(None, [state, units[name].get("message"), *(f"with {other}" for other in lower)]))
        extra = el("small", f"+{len(lower)}") if lower else None
        chips.append(el("li", el("i", class_=f"dot {timeline.group(state)}"), name, " ", extra, title=title))
    if not chips:
        return None
    return el("div", el("span", f"container {container}", class_="note") if container else None, el("ul", *chips, class_="units"), class_="place")


def access(run):
    found = run.get("access") or {}
    if not found:
        return None
    words = {
        "dashboard_url": "Dashboard",
        "auth_url": "Keystone",
        "region": "Region",
        "project": "Project",
        "username": "User",
        "domain": "Domain",
        "clouds_file": "clouds.yaml",
        "openrc_file": "openrc",
        "ca_file": "CA",
    }
    rows = [[text, link(found[name])] for name, text in words.items() if found.get(name)]
    if (run.get("site") or {}).get("maas_url"):
        rows.append(["MAAS", link(run["site"]["maas_url"])])
    return section("Access", table(["What", "Where"], rows), note="Passwords and keys are in the files, and in no report.", id="access")


def versions(run):
    facts, site, told = run.get("facts") or {}, run.get("site") or {}, run.get("versions") or {}
    model = facts.get("model") or {}
    hosts = (facts.get("vm_hosts") or {}).values()
    rows = [
        ["stratus.cloud", told.get("collection")],
        ["ansible-core", told.get("ansible-core")],
        ["Python", told.get("python")],
        ["MAAS", facts.get("maas_version") or site.get("maas_channel")],
        ["LXD", ", ".join(str(host["version"]) for host in hosts if host.get("version")) or site.get("lxd_channel")],
        ["Juju", model.get("version") or site.get("juju_channel")],
        ["Bundle", " + ".join([str(site.get("openstack_bundle_file") or ""), *map(str, site.get("openstack_bundle_overlays") or [])])],
    ]
    charms = [
        [name, str(about.get("charm", "")).rpartition(":")[2], about.get("channel", ""), (about.get("revision", ""), "number"), about.get("version", "")]
        for name, about in (model.get("applications") or {}).items()
    ]
    more = el("details", el("summary", f"{len(charms)} charms"), table(["Application", "Charm", "Channel", ("Revision", "number"), "Version"], charms))
    return section("Versions", table(["What", "Version"], [row for row in rows if row[1]]), more if charms else None, id="versions")
