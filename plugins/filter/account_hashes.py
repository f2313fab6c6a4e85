# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What servers keep of a password."""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils import account_hashes


class FilterModule:
    def filters(self):
        return {"mysql_native_hash": account_hashes.mysql_native, "rabbitmq_hash": account_hashes.rabbitmq}
