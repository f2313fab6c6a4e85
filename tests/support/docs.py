"""What README, docs/ and the roles' pages say to type, and which test types it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "roles").glob("*/README.md"), ROOT / "inventories/example/README.md"])
FENCE = re.compile(r"^ *```.*?^ *```", re.M | re.S)
BLOCK = re.compile(r"^```console\n(.*?)^```", re.M | re.S)
SPAN = re.compile(r"`([^`]+)`")
TOOL = re.compile(r"(?:sudo )?(?:[A-Z_]+=\S+ )*(ansible(?:-[a-z]+)?|make|juju|maas|openstack) \S")


def blocks(text: str) -> list[str]:
    """Lines of console blocks that begin with a prompt, with what is continued after a backslash, without their remarks."""
    lines = "".join(BLOCK.findall(text)).replace("\\\n", " ").splitlines()
    return [" ".join(line[2:].split(" # ")[0].split()) for line in lines if line.startswith("$ ")]


def spans(text: str) -> list[str]:
    """What stands in backticks outside of blocks, in text and in tables."""
    return [" ".join(span.replace(r"\|", "|").split()) for span in SPAN.findall(FENCE.sub("", text))]


def tool(command: str) -> str | None:
    """The program of a command that can be looked at; None for other commands, and for what is none."""
    found = TOOL.match(command)
    return found[1] if found else None


ALL = [(page, command) for page in PAGES for command in blocks(page.read_text())]
INLINE = [(page, span) for page in PAGES for span in spans(page.read_text()) if tool(span)]

# Each command that speaks to a rack or a cloud is in one of the three below; tests/unit/test_docs.py sees to it.

TYPED = (
    "ansible-playbook -i INVENTORY playbooks/rebalance.yml --check",
    "ansible-playbook -i INVENTORY playbooks/report.yml",
    "ansible-playbook -i INVENTORY playbooks/report.yml -e report_run=build",
    "ansible-playbook -i INVENTORY playbooks/zun.yml --check --diff",
    "ansible-playbook -i INVENTORY stratus.cloud.live_migration --check --diff",
    "ansible-playbook -i INVENTORY stratus.cloud.teardown --check",
    "ansible-playbook -i INVENTORY stratus.cloud.verify",
    "ansible-playbook -i INVENTORY stratus.cloud.verify --check",
    "ansible-playbook -i inventories/mine playbooks/certs.yml",
    "ansible-playbook -i inventories/mine playbooks/recover.yml",
    "openstack --os-cloud stratus-lab compute service list",
)
"""What only looks: tests/e2e/test_35_docs.py types it as it stands, on the lab's cloud."""

PLAYED = {
    "tests/e2e/test_10_site.py": [
        r"ansible-playbook -i (inventories/lab|inventories/mine) playbooks/site\.yml",
    ],
    "tests/e2e/test_20_record.py": [
        r"ansible-playbook -i \S+ (playbooks/preflight\.yml|stratus\.cloud\.preflight)",
        r"ansible-playbook -i inventories/lab playbooks/report\.yml",
        r"ansible-playbook playbooks/init\.yml -e .*",
    ],
    "tests/e2e/test_30_verify.py": [r"ansible-playbook -i INVENTORY stratus\.cloud\.cloud"],
    "tests/e2e/test_35_docs.py": [r"openstack --os-cloud stratus (network|subnet) create .* outside"],
    "tests/e2e/test_40_compute.py": [r"ansible-playbook -i INVENTORY (playbooks/rebalance\.yml|stratus\.cloud\.rebalance)"],
    "tests/e2e/test_45_live_migration.py": [r"ansible-playbook -i INVENTORY stratus\.cloud\.live_migration"],
    "tests/e2e/test_50_day2.py": [
        r"ansible-playbook -i INVENTORY (playbooks/(add|remove)-node\.yml|stratus\.cloud\.(add|remove)_node) -e node=compute2",
        r"ansible-playbook stratus\.cloud\.site",
    ],
    "tests/e2e/test_90_teardown.py": [r"ansible-playbook -i INVENTORY stratus\.cloud\.teardown( -e level=cloud)?( -e confirm=yes)?"],
    "molecule/zun/converge.yml": [r"ansible-playbook -i INVENTORY playbooks/zun\.yml"],
    "molecule/zun/teardown.yml": [r"ansible-playbook -i INVENTORY playbooks/zun_teardown\.yml"],
    "tests/unit/extensions/test_awx.py": [r"ansible-playbook extensions/awx/configure\.yml .*"],
}
"""What changes something: the file that has the test, which calls it in its own way, and the commands as patterns."""

NOT_ON_THE_LAB = {
    r"ansible-playbook .* --ask-vault-pass": "the lab's secrets are not encrypted, and a test has nobody to ask; without the option it is in PLAYED",
    r"ansible-playbook playbooks/init\.yml": "it asks, and a test has nobody to answer; with its answers it is in PLAYED",
    r"ansible-playbook .* -e report_run=\d+T\d+-site\.json .*": "the name of a run that the reader has; tests/unit/plugins/test_report.py compares runs",
    r"ansible-playbook .*stratus\.cloud\.site -e verify=yes": "its two halves are: site.yml by test_10_site.py, verify.yml by test_30_verify.py",
    r"ansible-playbook .*playbooks/site\.yml --tags cloud --check --diff": "the phase alone, cloud.yml with these options, is played by test_50_day2.py",
    r"juju .*": "the lab's juju knows its own files and bootstrap; what goes on in a model goes by the API, which the modules speak",
    r"maas PROFILE .*": "the lab's maas has what the roles call on the controller",
    r"(sudo )?maas (init|createadmin|apikey).*": "the role maas calls it on the lab's controller, with options of its own",
    r"openstack appcontainer .*": "the lab's cloud has no Zun; tests/integration/test_role_zun.py and molecule/zun speak to its API",
    r"openstack resource provider .*": "osc-placement is not among the checkout's tools",
    r"openstack (compute service (list|delete)|volume show|server (evacuate|list .*--host)|server migration)( .*)?": (
        "a fragment in a sentence, for a server or volume that the reader has"
    ),
}
"""What no test types, and why."""
