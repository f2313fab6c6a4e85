"""Every juju_*, vault_*, nova_* and openstack_* module: what its documentation says of its options is what its specification says."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from unittest import mock

import pytest
import yaml
from ansible_collections.stratus.cloud.plugins.doc_fragments import juju, nova, vault, wait
from ansible_collections.stratus.cloud.plugins.module_utils.juju import arguments

ROOT = Path(__file__).resolve().parents[4]
NAMES = sorted(path.stem for pattern in ("juju_*.py", "vault_*.py", "nova_*.py", "openstack_*.py") for path in (ROOT / "plugins/modules").glob(pattern))
FRAGMENTS = {"juju": juju.ModuleDocFragment, "nova": nova.ModuleDocFragment, "vault": vault.ModuleDocFragment, "wait": wait.ModuleDocFragment}


class Stop(Exception):
    pass


def specification(module):
    """What main() hands to AnsibleModule."""
    seen = {}

    def catch(*unused, **options):
        seen.update(options)
        raise Stop

    target = next(place for place in (module, getattr(module, "nova", arguments)) if hasattr(place, "AnsibleModule"))
    with mock.patch.multiple(target, AnsibleModule=catch), pytest.raises(Stop):
        module.main()
    return seen


def documented(module):
    about = yaml.safe_load(module.DOCUMENTATION)
    options = {}
    for name in about.get("extends_documentation_fragment", []):
        _stratus, _cloud, fragment, *part = name.split(".")
        text = getattr(FRAGMENTS[fragment], part[0].upper() if part else "DOCUMENTATION")
        options.update(yaml.safe_load(text).get("options", {}))
    return {**options, **about.get("options", {})}


@pytest.mark.parametrize("name", NAMES)
def test_options_are_as_documented(name):
    module = importlib.import_module(f"ansible_collections.stratus.cloud.plugins.modules.{name}")
    spec = specification(module)
    options, docs = spec["argument_spec"], documented(module)
    assert spec["supports_check_mode"] is True
    assert set(options) == set(docs)
    for option, about in options.items():
        assert docs[option].get("type", "str") == about.get("type", "str"), option
        assert bool(docs[option].get("required")) == bool(about.get("required")), option
        if option not in ("wait_timeout", "wait_interval"):
            assert docs[option].get("default") == about.get("default"), option
        assert docs[option].get("choices") == about.get("choices"), option
        if re.search(r"password|secret|oauth|^keys$|root_token", option):
            assert about.get("no_log") is True, f"{option} would be shown"
