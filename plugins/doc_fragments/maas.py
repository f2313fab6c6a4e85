# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  maas_url:
    description:
      - Address of the region, for example V(http://10.42.0.1:5240/MAAS).
      - Every request goes to this host, also where the region's own description of its API names another one.
      - If not set, the environment variable E(MAAS_URL) is used.
    type: str
    required: true
  maas_api_key:
    description:
      - API key of a MAAS user, three parts separated by colons, as C(maas apikey --username NAME) prints it.
      - If not set, the environment variable E(MAAS_API_KEY) is used.
    type: str
    required: true
  validate_certs:
    description: Whether the region's certificate is verified when O(maas_url) begins with C(https).
    type: bool
    default: true
  ca_path:
    description: File with the certificates of the authorities to trust, in PEM; without it those of the system are trusted.
    type: path
requirements:
  - python-libmaas >= 0.6.8 (on the machine that runs the module, normally the control node)
notes:
  - The module runs wherever the region can be reached, normally on the control node (C(delegate_to=localhost)).
  - The description of the region's API is kept in C(~/.cache/stratus.cloud/maas) (directories 0700, files 0600) and renewed when the region is upgraded.
  - Requests that are safe to repeat are repeated for up to a minute after lost connections, 502, 504, a 503 of a proxy that finds no region up,
    and after 409 and 503 with C(Retry-After).
    A create whose answer was lost is looked up before it is tried again.
"""

    # For modules that write.
    WRITES = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Says what would change; no request other than GET leaves.
  diff_mode:
    support: full
    description: Shows the fields that change, before and after; secrets never.
  idempotent:
    support: full
    description: A second run changes nothing and sends no write.
  action_group:
    support: full
    description: Use C(group/stratus.cloud.maas) in C(module_defaults) to set the connection once.
    membership:
      - stratus.cloud.maas
"""

    # For modules that read.
    READS = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Reads only, also without check mode.
  diff_mode:
    support: N/A
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
  action_group:
    support: full
    description: Use C(group/stratus.cloud.maas) in C(module_defaults) to set the connection once.
    membership:
      - stratus.cloud.maas
"""
