# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What servers keep of a password, so that an account can be made without telling the password to whoever carries the command."""

from __future__ import annotations

import base64
import hashlib
import os


def mysql_native(password: str) -> str:
    """As mysql_native_password keeps it, says MySQL's "Native Authentication" (page_protocol_connection_phase_authentication_methods)."""
    inner = hashlib.sha1(password.encode()).digest()
    return "*" + hashlib.sha1(inner).hexdigest().upper()


def rabbitmq(password: str, salt: bytes | None = None) -> str:
    """As RabbitMQ keeps it (rabbit_password_hashing_sha256): https://www.rabbitmq.com/docs/passwords"""
    secret = password.encode()
    salt = os.urandom(4) if salt is None else salt
    return base64.b64encode(salt + hashlib.sha256(salt + secret).digest()).decode()
