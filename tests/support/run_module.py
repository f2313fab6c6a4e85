"""Runs a module of the collection with the least around it: within this process, or (apart=True) in one of its own as Ansible does."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from ansible.module_utils.common.parameters import PASS_VARS

try:
    from ansible.module_utils.testing import patch_module_args
except ImportError:  # before ansible-core 2.19

    def patch_module_args(given: dict[str, Any]) -> Any:
        return mock.patch("ansible.module_utils.basic._ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode())


ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = next(path for path in map(Path, sys.path) if (path / "ansible_collections/stratus/cloud").is_dir())
"""Where this Python finds the collections: .venv/collections, or those of a row of the matrix."""
PACKAGE = "ansible_collections.stratus.cloud.plugins.modules"


class Ran(dict):
    """The module's answer; `text` is everything it wrote, for looking for secrets."""

    text = ""

    @property
    def failed(self) -> bool:
        return bool(self.get("failed"))


def run_module(
    name: str,
    options: dict[str, Any],
    folder: Path,
    /,
    check: bool = False,
    environment: dict[str, str] | None = None,
    timeout: float = 120,
    apart: bool = False,
) -> Ran:
    # None stands for an option that was left out.
    given = {key: value for key, value in options.items() if value is not None}
    given |= {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_verbosity": 4}
    # From ansible-core 2.21 on the options are repeated for whoever asks for it, and older ones know no such question.
    if "inject_invocation" in PASS_VARS:
        given["_ansible_inject_invocation"] = True
    if apart:
        out, err = _apart(name, given, folder, environment, timeout)
    else:
        out, err = _inside(name, given, environment)
    lines = [line for line in out.splitlines() if line.startswith("{")]
    assert lines, f"{name} answered nothing: {out}{err}"
    assert "Traceback" not in err, err
    answer = Ran(json.loads(lines[-1]))
    answer.text = out + err
    return answer


def _inside(name: str, given: dict[str, Any], environment: dict[str, str] | None) -> tuple[str, str]:
    module = importlib.import_module(f"{PACKAGE}.{name}")
    out, err = io.StringIO(), io.StringIO()
    surroundings = patch_module_args(given), mock.patch.dict(os.environ, environment or {})
    with surroundings[0], surroundings[1], contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.suppress(SystemExit):
        module.main()
    return out.getvalue(), err.getvalue()


def _apart(name: str, given: dict[str, Any], folder: Path, environment: dict[str, str] | None, timeout: float) -> tuple[str, str]:
    arguments = Path(folder) / f"{name}-{os.urandom(4).hex()}.json"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": given}))
    path = os.pathsep.join([str(COLLECTIONS), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", f"{PACKAGE}.{name}", str(arguments)], capture_output=True, text=True, timeout=timeout, cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **(environment or {})}, check=False,
    )  # fmt: skip
    arguments.unlink()
    return done.stdout, done.stderr
