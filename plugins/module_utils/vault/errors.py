# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can go wrong with a Vault, without anything secret in the words."""

from __future__ import annotations


class VaultFault(Exception):
    def __init__(self, message, /, **result):
        super().__init__(message)
        self.result = result


class Unreachable(VaultFault):
    """No answer; whether a request took effect is not known."""
