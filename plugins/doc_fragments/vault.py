# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  vault_addr:
    description:
      - URL of one unit of Vault, such as V(http://10.0.0.9:8200). Each unit is sealed by itself and is asked at its own address.
      - Taken from E(VAULT_ADDR) when not given.
    type: str
    required: true
  validate_certs:
    description: Whether to check the server's certificate.
    type: bool
    default: true
  ca_path:
    description: File with the certificates of the authority that the server's certificate is checked against.
    type: path
  vault_timeout:
    description: Seconds after which a request that got no answer fails.
    type: float
    default: 30
requirements:
  - hvac >= 2.1
attributes:
  check_mode:
    description: Sends nothing that changes anything in check mode.
    support: full
  diff_mode:
    description: Returns what is different before and after, without anything secret.
    support: full
"""
