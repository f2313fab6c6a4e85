"""What README and docs/ tell a reader to type, to click and to write exists, and is run by a test or listed with the reason why not."""

from __future__ import annotations

import json
import re
import shlex
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

from tests.support.docs import ALL, INLINE, NOT_ON_THE_LAB, PAGES, PLAYED, ROOT, TYPED, blocks, spans, tool

TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.M))
PLAYBOOKS = "".join(path.read_text() for path in (ROOT / "playbooks").rglob("*.yml")) + (ROOT / "extensions/awx/configure.yml").read_text()


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def shown(value):
    return name(value) if isinstance(value, Path) else None


def unique(pairs):
    return sorted(set(pairs), key=str)


def test_there_are_commands_to_look_at():
    assert len(ALL) > 15 and len(INLINE) > 50


def test_commands_are_found_where_they_are():
    text = "| a `juju status -m openstack \\| less` |\n\nsee `make\nlab-up`, `maas`.\n\n"
    text += "```console\n$ make test \\\n    X=1   # why\nout `make no`\n$ ls # x\n```\n"
    assert blocks(text) == ["make test X=1", "ls"]
    assert [span for span in spans(text) if tool(span)] == ["juju status -m openstack | less", "make lab-up"]


@pytest.mark.parametrize(("page", "command"), unique(ALL + INLINE), ids=shown)
def test_command(page, command):
    for target in re.findall(r"\bmake ([a-z][a-z0-9-]*)", command):
        assert target in TARGETS, f"no such target of make: {target}"
    for playbook in playbooks(command):
        assert (ROOT / "playbooks" / playbook).is_file(), f"no such playbook: {playbook}"
    for path in re.findall(r"(?<![\w/.-])((?:inventories|roles|extensions|bundles|profiles|docs)/[\w./-]+)", command):
        # Inventories of the reader's own are named, not brought.
        if not path.startswith("inventories/") or path.split("/")[1] in ("lab", "example"):
            assert (ROOT / path).exists(), f"no such path: {path}"


def playbooks(command: str) -> list[str]:
    """The collection's playbooks in a command, by their files' names."""
    return re.findall(r"\bplaybooks/([\w-]+\.yml)", command) + [f"{word}.yml" for word in re.findall(r"ansible-playbook .*\bstratus\.cloud\.([\w-]+)", command)]


# ansible-playbook: options, tags, variables


def variables() -> set[str]:
    """Every name that a role takes or the playbooks speak of."""
    known = set(re.findall(r"\b[a-z]\w+\b", PLAYBOOKS))
    for role in (ROOT / "roles").iterdir():
        known |= set(yaml.safe_load((role / "defaults/main.yml").read_text()) or {})
        for spec in yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"].values():
            known |= set(spec.get("options") or {})
    return known


VARIABLES = variables()
EXTRA = re.compile(r"-e (?:'(\{.*?\})'|([A-Za-z_]\w*)=)")
GIVEN = unique((page, span) for page, span in [*ALL, *((page, span) for page in PAGES for span in spans(page.read_text()))] if EXTRA.search(span))


@pytest.mark.parametrize(("page", "command"), GIVEN, ids=shown)
def test_extra_variables_are_read_by_somebody(page, command):
    for document, variable in EXTRA.findall(command):
        given = set(json.loads(document)) if document else {variable}
        assert given <= VARIABLES, f"nobody reads {sorted(given - VARIABLES)}"


@pytest.mark.parametrize(("page", "command"), unique(pair for pair in ALL + INLINE if tool(pair[1]) == "ansible-playbook"), ids=shown)
def test_ansible_playbook_takes_the_options(page, command, option_parser):
    words = shlex.split(command.replace("</dev/null", ""))
    options = option_parser.parse_args(words[1:])
    tags = set(re.findall(r"[\w-]+", " ".join(re.findall(r"tags: \[(.*?)\]", PLAYBOOKS))))
    assert {tag for given in options.tags or [] for tag in given.split(",")} <= tags, "no play has such a tag"
    assert len(options.args) == 1


@pytest.fixture(scope="module")
def option_parser():
    from ansible.cli.playbook import PlaybookCLI

    cli = PlaybookCLI(["ansible-playbook", "any.yml"])
    cli.init_parser()
    return cli.parser


# juju, maas and openstack: subcommands

# Of Juju 3.6, what an operator types. Those of 2.9 that are gone (run-action, show-action-output, agree, ...) are not among them.
JUJU = {
    "actions", "add-cloud", "add-credential", "add-machine", "add-model", "add-unit", "bootstrap", "clouds", "config", "controllers", "create-backup",
    "credentials",
    "debug-log", "deploy", "destroy-controller", "destroy-model", "exec", "integrate", "kill-controller", "machines", "models", "operations", "refresh",
    "remove-application", "remove-machine", "remove-relation", "remove-unit", "resolved", "run", "scp", "show-application", "show-controller", "show-machine",
    "show-model", "show-operation", "show-status-log", "show-task", "show-unit", "ssh", "status", "switch", "trust", "unregister", "update-cloud",
    "upgrade-controller", "upgrade-model", "whoami",
}  # fmt: skip
MAAS = set(re.findall(r"^def cmd_(\w+)", (ROOT / "lab/hosts/image/lab_maas.py").read_text(), re.M))
# Commands of the OpenStack client that its own package does not have.
PACKAGES = {"appcontainer": "python-zunclient", "resource provider": "osc-placement"}


def openstack_commands() -> set[str]:
    found = entry_points()
    return {entry.name.replace("_", " ") for group in found.groups if group.startswith("openstack.") for entry in found.select(group=group)}


def begins(words: list[str], known: set[str]) -> bool:
    return any(" ".join(words[:length]) in known for length in range(1, len(words) + 1))


SPOKEN = unique(pair for pair in ALL + INLINE if tool(pair[1]) in ("juju", "maas", "openstack"))


@pytest.mark.parametrize(("page", "command"), SPOKEN, ids=shown)
def test_subcommand(page, command):
    words = shlex.split(command.removeprefix("sudo "))
    client, rest = words[0], words[1:]
    if client == "juju":
        assert rest[0] in JUJU, f"juju has no {rest[0]}"
    elif client == "maas":
        # A profile is a name of the reader's; what follows is the API's.
        assert rest[0] in MAAS or rest[0] == "PROFILE"
    else:
        if rest[0] == "--os-cloud":
            rest = rest[2:]
        package = next((package for words, package in PACKAGES.items() if " ".join(rest).startswith(words)), None)
        if package:
            assert package in page.read_text(), f"the page does not say that this takes {package}"
        elif not openstack_commands():
            pytest.skip("there is no OpenStack client beside this Python")
        else:
            assert begins(rest, openstack_commands()), "openstack has no such command"


# Run by a test, or not, with the reason

BY_PATTERN = [*((pattern, where) for where, patterns in PLAYED.items() for pattern in patterns), *NOT_ON_THE_LAB.items()]
NEEDS_A_PLACE = sorted({command for _page, command in ALL + INLINE if tool(command) in ("ansible-playbook", "juju", "maas", "openstack")})


@pytest.mark.parametrize("command", NEEDS_A_PLACE)
def test_a_command_is_run_by_a_test_or_has_its_reason(command):
    places = [pattern for pattern, _where in BY_PATTERN if re.fullmatch(pattern, command)] + [line for line in TYPED if line == command]
    assert places, "add it to TYPED, PLAYED or NOT_ON_THE_LAB in tests/support/docs.py"


def test_the_lists_have_nothing_that_the_docs_have_not():
    in_blocks = {command for _page, command in ALL}
    assert set(TYPED) <= in_blocks, f"no page says {sorted(set(TYPED) - in_blocks)}"
    idle = [pattern for pattern, _where in BY_PATTERN if not any(re.fullmatch(pattern, command) for command in NEEDS_A_PLACE)]
    assert not idle, f"no page has a command for {idle}"


@pytest.mark.parametrize("where", PLAYED)
def test_the_test_that_is_named_runs_the_playbook(where):
    text = (ROOT / where).read_text()
    commands = [command for command in NEEDS_A_PLACE if any(re.fullmatch(pattern, command) for pattern in PLAYED[where])]
    for playbook in {playbook for command in commands for playbook in playbooks(command)}:
        assert f"playbooks/{playbook.replace('_node', '-node')}" in text, f"{where} does not run {playbook}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http", "#", "mailto:")):
            path, _hash, anchor = target.partition("#")
            found = (page.parent / path).resolve()
            assert found.exists(), f"{target} leads nowhere"
            if anchor and found.suffix == ".md":
                slugs = {
                    re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).strip().replace(" ", "-")
                    for line in found.read_text().splitlines()
                    if line.startswith("#")
                }
                assert anchor in slugs, f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_modules_and_roles_exist(page):
    plugins = {path.stem for folder in ("modules", "filter", "callback", "inventory", "lookup") for path in (ROOT / "plugins" / folder).glob("*.*")}
    known = plugins | {path.name for path in (ROOT / "roles").iterdir()} | {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
    known |= {path.stem for path in (ROOT / "extensions").rglob("*.*")}
    named = set(re.findall(r"(?<![/\w.-])stratus\.cloud\.([a-z][\w-]*)", page.read_text()))
    assert named <= known, f"not there: {sorted(named - known)}"
