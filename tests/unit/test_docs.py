"""What README and docs/ tell a reader to type, to click and to write exists, and the playbooks among it are run by a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "roles").glob("*/README.md"), ROOT / "inventories/example/README.md"])
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
RUN = "".join(path.read_text() for path in [*(ROOT / "tests").rglob("*.py"), *(ROOT / "molecule").rglob("*.yml")])
BLOCK = re.compile(r"^```console\n(.*?)^```", re.M | re.S)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def commands(page: Path) -> list[str]:
    """Lines that begin with a prompt, with what is continued after a backslash."""
    blocks = "".join(BLOCK.findall(page.read_text())).replace("\\\n", " ")
    return [line[2:].split("  #")[0].strip() for line in blocks.splitlines() if line.startswith("$ ")]


ALL = [(page, command) for page in PAGES for command in commands(page)]


def test_there_are_commands_to_look_at():
    assert len(ALL) > 15


@pytest.mark.parametrize(("page", "command"), ALL, ids=lambda value: name(value) if isinstance(value, Path) else None)
def test_command(page, command):
    for target in re.findall(r"\bmake ([a-z][a-z-]*)", command):
        assert target in TARGETS, f"no such target of make: {target}"
    for playbook in re.findall(r"\bplaybooks/([\w-]+\.yml)", command) + [
        f"{word}.yml" for word in re.findall(r"ansible-playbook .*\bstratus\.cloud\.([\w-]+)", command)
    ]:
        assert (ROOT / "playbooks" / playbook).is_file(), f"no such playbook: {playbook}"
        assert f"playbooks/{playbook}" in RUN, f"no test runs {playbook}"
    for path in re.findall(r"(?<![\w/.-])((?:inventories|roles|extensions|bundles|profiles|docs)/[\w./-]+)", command):
        # Inventories of the reader's own are named, not brought.
        if not path.startswith("inventories/") or path.split("/")[1] in ("lab", "example"):
            assert (ROOT / path).exists(), f"no such path: {path}"


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
