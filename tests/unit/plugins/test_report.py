"""The page of a run: what its times mean, and that nothing which was read can become markup."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.stratus.cloud.plugins.filter import report_html as filters
from ansible_collections.stratus.cloud.plugins.plugin_utils import record
from ansible_collections.stratus.cloud.plugins.plugin_utils.report import changes as changes_module
from ansible_collections.stratus.cloud.plugins.plugin_utils.report import markup, page, timeline

from tests.support.runs import run

HOSTILE = [
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "{{ lookup('pipe', 'id') }}",
    "{% raw %}",
    "</title></style><style>*{display:none}",
    "red\x1b[31m\x00\u202egnp",
    "' onmouseover='alert(1)",
    "<!-- & &lt; -->",
    "javascript:alert(1)",
]


class Page(HTMLParser):
    """Elements and texts as a browser would take them apart."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag, **attributes):
        return [found for name, found in self.elements if name == tag and all(found.get(key.rstrip("_")) == value for key, value in attributes.items())]


def everywhere(data, text):
    """The data with ``text`` as every name and every value that comes from outside."""
    if isinstance(data, dict):
        return {key: everywhere(value, text) for key, value in data.items()}
    if isinstance(data, list):
        return [everywhere(value, text) for value in data]
    return f"{text} {data}" if isinstance(data, str) else data


def poisoned(text):
    """A run in which everything that hosts, MAAS, Juju and the inventory can name is hostile."""
    sick = run()
    for part in ("facts", "access", "versions", "site"):
        sick[part] = everywhere(sick[part], text)
    sick["facts"]["model"]["units"] = {f"{text}{name}": unit for name, unit in sick["facts"]["model"]["units"].items()}
    sick["states"] = {kind: {f"{text}{name}": everywhere(states, text) for name, states in things.items()} for kind, things in sick["states"].items()}
    sick["states"][text] = {text: [[1, text, text]]}
    sick["cloud"] = text
    sick["jobs"][0]["name"] = text
    for task in sick["tasks"]:
        task["name"] = text
    sick["failures"] = [{"at": 1, "task": text, "host": text, "message": text}]
    return sick


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_was_read_becomes_markup(text):
    healthy, sick = Page(page.page(run(), run())), Page(page.page(poisoned(text), poisoned(text)))
    assert not sick.open
    tags = {tag for tag, _attributes in sick.elements}
    assert tags <= {tag for tag, _attributes in healthy.elements} | {"tbody"}
    assert not tags & {"script", "img", "iframe", "object", "link", "base", "form"}
    for tag, attributes in sick.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert not attributes.get("href", "https:").startswith("javascript")
    assert len(sick.all("style")) == 1
    raw = page.page(poisoned(text))
    assert not any(ord(char) < 32 and char != "\n" or char == "\u202e" for char in raw)
    shown = markup.harmless(text)
    assert any(shown in told for told in sick.text), "the text itself is there to be read"


def test_the_page_asks_nothing_of_anybody():
    document = Page(page.page(run(), run()))
    policy = document.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert "default-src 'none'" in policy and "script" not in policy
    assert not any("src" in attributes or tag in ("script", "link") for tag, attributes in document.elements)
    style = page.STYLE.read_text()
    assert "url(" not in style and "@import" not in style


def test_every_phase_machine_and_application_has_its_line():
    document = Page(page.page(run()))
    labels = {attributes["title"] for attributes in document.all("span", class_="label") if "title" in attributes}
    assert {"machines", "orchestrator", "cloud", "compute0", "compute1", "keystone", "vault", "The bootstrap", "ubuntu/jammy amd64"} <= labels
    told = [attributes["aria-label"] for attributes in document.all("svg")]
    assert "keystone: waiting from 1:05, maintenance from 1:15, active from 1:34" in told
    assert all(told), "every picture can be read aloud"
    assert len(document.all("rect", class_="path")) == 5


def test_topology_shows_bridges_containers_and_units():
    text = " ".join(Page(page.page(run())).text)
    for part in ("br-ex (ovs) on enp1s0", "container 0/lxd/0", "keystone/0", "vault/0", "br0 on eno3", "10.42.0.0/16", "lxd-controller"):
        assert part in text


def test_a_run_that_saw_little_still_has_a_page():
    document = page.page(run(states={}, jobs=[], waits=[], tasks=[], facts={}, site={}, access={}, versions={}, time_scale=None, scaled_seconds=None))
    assert "Timeline" in document and "Topology" not in document


def test_a_failed_run_says_so():
    failed = run(result="failed", failures=[{"at": 3, "task": "Stumble", "host": "c", "message": "why"}])
    assert "✗ stopped" in page.page(failed) and "Stumble" in page.page(failed)


def test_an_interrupted_run_and_one_that_only_changed_something_say_so():
    assert "✗ interrupted" in page.page(run(result="interrupted"))
    assert "✓ built" in page.page(run()) and "✓ changed" in page.page(run(states={"machine": {"compute0": [[1, "Deployed", ""]]}}))


def changed_since(**changes):
    """What is told of a run beside one whose facts were other."""
    earlier = run(started="2026-04-01T10:00:00+00:00")
    for path, value in changes.items():
        *above, last = path.split("__")
        place = earlier
        for name in above:
            place = place[name]
        place[last] = value
    return changes_module.compare(run(), earlier)


def test_what_changed_in_the_cloud_is_told():
    assert changed_since() == []
    assert changed_since(facts__maas_version="3.4.0", site__maas_channel="3.4/stable", versions__collection="0.0.9") == [
        ("stratus.cloud", "0.0.9", "0.1.0"),
        ("MAAS", "3.4.0", "3.5.13"),
    ], "a channel is not compared with a version, and nothing is said of what only one of them knows"
    old = {"keystone": {"charm": "ch:amd64/keystone-1", "channel": "yoga/stable", "revision": 0, "version": "21.0"}, "ovn": {"charm": "ch:ovn-7"}}
    assert changed_since(facts__model__applications=old) == [
        ("Application keystone", "amd64/keystone-1, yoga/stable, revision 0, version 21.0", "amd64/keystone-1, 2023.1/stable, revision 1, version 23.0"),
        ("Application vault", None, "there"),
        ("Application ovn", "ovn-7", None),
    ]
    units = {"keystone/1": {"application": "keystone", "machine": "2"}, "vault/0": {"application": "vault", "machine": "1"}}
    assert changed_since(facts__model__units=units) == [
        ("Unit keystone/0", None, "on 0/lxd/0"),
        ("Unit vault/0", "on 1", "on 0"),
        ("Unit keystone/1", "on 2", None),
    ], "and of subordinates nothing: they go with their principals"
    assert changed_since(facts__machines={"compute7": {}}) == [("Machine compute7", "there", None)], "the others are in the model"


def test_nothing_is_gone_that_a_run_did_not_come_to_see():
    assert changed_since(facts__machines={}, facts__model=None)[:1] == [], "the earlier run looked at nothing"
    stopped = run(result="interrupted", facts={**run()["facts"], "machines": {"compute0": {}}, "model": None})
    assert changes_module.compare(stopped, run()) == []
    assert changes_module.compare(run(), {**stopped, "result": "failed"}) == []


def test_the_page_has_a_table_of_what_changed():
    earlier = run(started="2026-04-01T10:00:00+00:00")
    assert 'id="changes"' not in page.page(run())
    assert "Of what both runs looked at, nothing." in page.page(run(), earlier)
    earlier["facts"]["maas_version"] = "<b>3.4</b>"
    text = page.page(run(), earlier)
    assert '<th scope="row">MAAS</th><td>&lt;b&gt;3.4&lt;/b&gt;</td><td>3.5.13</td>' in text


def test_the_critical_path_goes_through_what_was_waited_for():
    path = timeline.critical_path(run())
    assert [(piece["kind"], piece["name"], piece["began"], piece["ended"]) for piece in path] == [
        ("task", "Commission", 0, 20),
        ("job", "The bootstrap", 20, 60),
        ("task", "Apply", 60, 65),
        ("application", "keystone", 65, 95),
        ("task", "Access", 95, 100),
    ]
    assert sum(piece["seconds"] for piece in path) == 100, "without gaps and overlaps"


def test_the_path_reaches_back_to_where_the_last_machine_began():
    one = run(jobs=[], waits=run()["waits"][:1], seconds=40, tasks=run()["tasks"][:4])
    assert [(piece["name"], piece["began"], piece["ended"]) for piece in timeline.critical_path(one)] == [("Commission", 0, 1), ("compute1", 1, 40)]


def test_short_waits_decide_nothing():
    one = run()
    for wait in one["waits"]:
        wait["waited"] = 0.2
    assert {piece["kind"] for piece in timeline.critical_path(one)} == {"task"}


def test_neighbours_in_one_state_are_one_bar():
    segments = timeline.lifeline([[1, "maintenance", "a"], [2, "maintenance", "b"], [4, "active", ""]], 10)
    assert [(part.began, part.ended, part.label, part.group, part.note) for part in segments] == [
        (1, 4, "maintenance", "busy", "a; b"),
        (4, 10, "active", "good", ""),
    ]


@pytest.mark.parametrize(
    ("state", "group"),
    [("Ready", "good"), ("Commissioning", "busy"), ("80 %", "busy"), ("New", "wait"), ("blocked", "block"), ("Failed testing", "bad"), ("error", "bad")],
)
def test_states_in_groups(state, group):
    assert timeline.group(state) == group


def test_differences_to_the_earlier_run():
    earlier = run(phases=[{**phase, "seconds": phase["seconds"] + 10} for phase in run()["phases"]][:2] + [{"name": "old", "seconds": 5}], seconds=120)
    found = {line["name"]: line["delta"] for line in timeline.compare(run(), earlier)}
    assert found == {"machines": -10, "orchestrator": -10, "cloud": None, "old": None, "total": -20}


@pytest.mark.parametrize(("seconds", "text"), [(0, "0"), (0.44, "0.4 s"), (12.4, "12 s"), (59.6, "1:00"), (247, "4:07"), (3723, "1:02:03"), (None, "-")])
def test_durations(seconds, text):
    assert page.short(seconds) == text


@pytest.mark.parametrize(
    ("url", "linked"), [("https://10.0.0.1/x", True), ("javascript:alert(1)", False), ("http://[broken", False), ("data:text/html,x", False)]
)
def test_only_addresses_of_the_web_are_links(url, linked):
    assert ("<a " in markup.link(url)) is linked


def test_the_filter_finds_the_runs(tmp_path):
    with pytest.raises(AnsibleFilterError, match="holds no record"):
        filters.report_html(str(tmp_path))
    record.save(tmp_path, run(cloud="first", started="2026-05-01T10:00:00+00:00"))
    record.save(tmp_path, run(cloud="second", started="2026-05-02T10:00:00+00:00"))
    record.save(tmp_path, run(cloud="third", started="2026-05-03T10:00:00+00:00", changed=0))
    assert "<h1>third</h1>" in filters.report_html(str(tmp_path))
    build = filters.report_html(str(tmp_path), "build")
    assert "<h1>second</h1>" in build and "2026-05-01" in build, "a build is compared with the build before"
    assert "2026-05-01" not in filters.report_html(str(tmp_path), "build", "none")
    record.save(tmp_path, run(cloud="killed", started="2026-05-04T10:00:00+00:00", result="interrupted"))
    record.save(tmp_path, run(cloud="fourth", started="2026-05-05T10:00:00+00:00", changed=0))
    assert "site.yml of 2026-05-03" in filters.report_html(str(tmp_path)), "an interrupted run is compared with by nobody"
    assert "<h1>second</h1>" in filters.report_html(str(tmp_path), "build")
    assert "site.yml of 2026-05-02" in filters.report_html(str(tmp_path), "20260504T100000-site.json"), "but is itself, with a build"
    assert "<h1>first</h1>" in filters.report_html(str(tmp_path), "20260501T100000-site.json")
    with pytest.raises(AnsibleFilterError, match="20260503T100000-site.json"):
        filters.report_html(str(tmp_path), "nothing.json")
