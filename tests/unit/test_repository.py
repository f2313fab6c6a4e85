"""The house itself: every module is documented, grouped and tested, every role has its interface, nothing points outside."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(p for p in (ROOT / "plugins/modules").glob("*.py") if p.name != "__init__.py")
ROLES = sorted(p for p in (ROOT / "roles").iterdir() if p.is_dir())
# Those that ask nobody's API, or whose connection is an option of their own.
WITHOUT_GROUP = {
    "bmc_info", "host_record", "job_wait", "libvirt_cpu_baseline_info", "netplan_bridge", "preflight", "python_packages_info",
    "run_lock", "show",
}  # fmt: skip
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
TRACKED = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True).stdout.split("\n")
TEXTS = [ROOT / name for name in TRACKED if Path(name).suffix in {".py", ".yml", ".yaml", ".md", ".j2", ".txt", ".sh", ""} and (ROOT / name).is_file()]


def documentation(path: Path, name: str):
    found = re.search(rf'^{name} = r?"""(.*?)"""', path.read_text(), re.S | re.M)
    assert found, f"{path.name} has no {name}"
    return found.group(1)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_module(path):
    spec = yaml.safe_load(documentation(path, "DOCUMENTATION"))
    assert spec["module"] == path.stem
    assert {"check_mode", "diff_mode"} <= set(spec.get("attributes", {})) or spec.get("extends_documentation_fragment"), "no attributes"
    examples = documentation(path, "EXAMPLES")
    assert f"stratus.cloud.{path.stem}:" in examples
    yaml.safe_load(examples)
    documentation(path, "RETURN")
    tests = "".join(p.read_text() for p in (ROOT / "tests").rglob("*.py"))
    assert re.search(rf"\b{path.stem}\b", tests), "no test names it"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_module_is_in_its_action_group(path):
    groups = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]
    assert (path.stem in WITHOUT_GROUP) != any(path.stem in names for names in groups.values())
    prefix = path.stem.split("_")[0]
    if prefix in groups:
        assert path.stem in groups[prefix]


@pytest.mark.parametrize("role", ROLES, ids=lambda p: p.name)
def test_role(role):
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    assert "main" in specs
    assert not [entry for entry, spec in specs.items() if not spec.get("description")], "entry points without a description"
    assert (role / "README.md").stat().st_size > 200
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text()) or {}
    strangers = [name for name in defaults if not name.startswith((f"{role.name}_", "stratus_", f"__{role.name}_"))]
    assert not strangers, f"variables without the role's prefix: {strangers}"
    undocumented = set(defaults) - set().union(*(spec.get("options", {}) for spec in specs.values()))
    assert not undocumented, f"defaults that no argument spec names: {sorted(undocumented)}"


def _entry_points() -> set[tuple[str, str]]:
    """(role, entry point) of every include_role of the playbooks and roles."""
    files = [*(ROOT / "playbooks").rglob("*.yml"), *ROOT.glob("roles/*/tasks/**/*.yml")]
    named = (re.finditer(r"_role:\s+name: stratus\.cloud\.(\w+)(?:\s+tasks_from: (\w+)\n)?", path.read_text()) for path in files)
    return {(match[1], match[2] or "main") for matches in named for match in matches}


def _read_by(role: str, entry: str) -> set[str]:
    """The role's variables that the tasks of an entry point read, those that it includes too."""
    left, seen, text = [ROOT / f"roles/{role}/tasks/{entry}.yml"], set(), ""
    while left:
        path = left.pop()
        if path not in seen and path.exists():
            seen.add(path)
            text += path.read_text()
            left += [path.parent / name for name in re.findall(r"_tasks:\s+(?:file: )?\"?([\w/]+\.yml)", path.read_text())]
            left += [path.parents[1] / "templates" / name for name in re.findall(r"src: ([\w.]+\.j2)", path.read_text())]
    return set(re.findall(rf"\b({role}_\w+)", text))


# The parts of host hand each other their variables.
@pytest.mark.parametrize(("role", "entry"), sorted(pair for pair in _entry_points() if pair[0] != "host"))
def test_an_entry_points_spec_has_what_its_tasks_read(role, entry):
    specs = yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text())["argument_specs"]
    assert entry in specs, f"{role} has no argument spec for {entry}"
    known = set(yaml.safe_load((ROOT / f"roles/{role}/defaults/main.yml").read_text()) or {}) | set(specs["main"].get("options") or {})
    lacking = (_read_by(role, entry) & known) - set(specs[entry].get("options") or {})
    assert not lacking, f"{entry} of {role} reads what its spec does not name: {sorted(lacking)}"


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda p: p.name)
def test_playbook_plays_are_named(path):
    for entry in yaml.safe_load(path.read_text()):
        assert entry.get("name"), f"a play of {path.name} has no name"


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda p: p.name)
def test_a_playbook_can_be_called_by_the_collections_name(path):
    """`ansible-playbook stratus.cloud.NAME` takes no hyphens."""
    assert path.stem.isidentifier() or path.with_stem(path.stem.replace("-", "_")).exists()


UNKNOWN = {
    "Apply the network": "it is included outside of check mode only",
    "Let libvirt read its certificate again": "check mode does not ask libvirt which one it shows",
    "Make the administrator": "the look for it fails as well while the database is down",
    "Tables of the database": "only the upgrade itself tells whether there is one",
    "Wind up the way back": "it is included outside of check mode only",
}
"""Commands of which check mode cannot say whether they would change something."""


def _changing(tasks):
    """The tasks, those of blocks too, that run a command which may change something, and are not left out in check mode."""
    for task in tasks or []:
        if "not ansible_check_mode" not in str(task.get("when")):
            yield from _changing([inner for part in ("block", "rescue", "always") for inner in task.get(part, [])])
            command = next((task[name] for name in ("ansible.builtin.command", "ansible.builtin.shell") if name in task), None)
            if command and task.get("changed_when") is not False and task.get("check_mode") is not False:
                yield task["name"], command


def test_check_mode_counts_what_a_command_would_change():
    """Without `creates` or `removes` the module is skipped in check mode, whatever `changed_when` says. `removes: /` is for one whose `when` says it all."""
    tasks = [task for path in ROOT.glob("roles/*/tasks/**/*.yml") for task in _changing(yaml.safe_load(path.read_text()))]
    hidden = {name for name, command in tasks if not {"creates", "removes"} & set(command)}
    assert hidden == set(UNKNOWN)


READ_ONLY = {"init", "preflight", "report", "verify"}
"""Playbooks that leave the cloud as it is; verify has a lock of its own. ``lock`` is what the others begin with."""


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda p: p.name)
def test_a_playbook_that_writes_takes_the_lock_first(path):
    """Phases are parts of site.yml; run alone they are one person's work on a cloud that is being built."""
    imported = {entry.get("ansible.builtin.import_playbook") for entry in yaml.safe_load((ROOT / "playbooks/site.yml").read_text())}
    if path.stem in READ_ONLY | {"lock"} or path.name in imported:
        pytest.skip("it is read by others, or part of site.yml")
    twin = path.with_stem(path.stem.replace("_", "-"))
    if twin != path and twin.exists():
        assert [entry["ansible.builtin.import_playbook"] for entry in yaml.safe_load(path.read_text())] == [twin.name]
        return
    assert yaml.safe_load(path.read_text())[0].get("ansible.builtin.import_playbook") in ("lock.yml", "stratus.cloud.lock")


def test_the_product_does_not_know_the_lab():
    parts = ("plugins", "roles", "playbooks", "bundles", "profiles", "extensions", "meta")
    for path in [path for part in parts for path in (ROOT / part).rglob("*") if path.suffix in (".py", ".yml", ".yaml", ".j2", ".md")]:
        assert not re.search(r"^\s*(from|import) lab\b|(?<![\w.])\.lab\b|\bLAB_[A-Z]+|\blab_\w+|stratus_lab|stratus-lab", path.read_text(), re.M), path


def test_nothing_is_left_unfinished_and_nothing_names_this_machine():
    words = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    for path in TEXTS:
        if path == Path(__file__) or path.name in {"LICENSE", "Makefile"}:
            continue
        text = path.read_text(errors="replace")
        assert not words.search(text), path
        assert f"{ROOT}/" not in text, path


def test_json_stays_text_before_ansible_core_2_19():
    """Only by its short name a filter at the end keeps older releases from reading its text as a mapping again (STRING_TYPE_FILTERS)."""
    files = [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/**/*.yml")]
    assert not [str(file.relative_to(ROOT)) for file in files if "ansible.builtin.to_json" in file.read_text()]
