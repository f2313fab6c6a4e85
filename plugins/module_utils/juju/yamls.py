# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""YAML for the modules, on hosts that may not have the library: its absence is a fault with a sentence, when it is needed and not before."""

from __future__ import annotations

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import JujuFault

try:
    import yaml
except ImportError:
    yaml = None

    class Malformed(Exception):
        """Never raised without the library; there for who catches it."""

else:
    Malformed = yaml.YAMLError


def _library():
    if yaml is None:
        raise JujuFault(missing_required_lib("PyYAML"))
    return yaml


def load(source):
    return _library().safe_load(source)


def load_all(source):
    return _library().safe_load_all(source)


def dump(content):
    return _library().safe_dump(content, sort_keys=True)
