"""Users, API keys and SSH keys of the region."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from lab.errors import BARE_JSON, BARE_TEXT, NAKED, ApiError, bad, invalid, missing
from lab.world.maas.base import Fields, Part, Row, Table

ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
SYSTEM_USER = "MAAS"
# What the region's database conflict page says once its retries are used up (a user that exists already).
CONFLICT_PAGE = """<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
  <head>
    <title>Error: Conflict Error</title>
  </head>
  <body>
    <h2 class="p-heading--four">
      Conflict error. Try your request again, as it will most likely succeed.
    </h2>
  </body>
</html>
"""
SSH_TYPES = re.compile(r"\A(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp(256|384|521)|sk-\S+)\Z")


def digest(password: str, salt: str) -> str:
    return hashlib.sha256(f"{salt}:{password}".encode()).hexdigest()


def ssh_key_problem(text: str, personality: str) -> str | None:
    """What is wrong with the text of a public key; None when it is one."""
    parts = text.split()
    if personality == "3.7":
        problem = "Invalid value."
    elif len(parts) < 2:
        problem = f"Key should contain 2 or more space separated parts (key type, base64-encoded key, optional comments), not {len(parts)}: {text}"
    elif not SSH_TYPES.match(parts[0]):
        problem = f"Key type {parts[0]} not recognised; it should be one of: ssh-rsa, ssh-dss, ssh-ed25519."
    else:
        problem = "Key could not be converted to RFC4716 form."
    if len(parts) >= 2 and SSH_TYPES.match(parts[0]):
        try:
            blob = base64.b64decode(parts[1], validate=True)
        except ValueError:
            return problem
        size = int.from_bytes(blob[:4], "big")
        # The first string of the blob repeats the type, and something has to follow it.
        if blob[4 : 4 + size] == parts[0].encode() and len(blob) > 4 + size + 4:
            return None
    return problem


class Users(Part):
    """People and their tokens. A token's text is ``consumer:token:secret``, as the command line shows it."""

    @property
    def rows(self) -> dict[str, Row]:
        return self.state["users"]

    @property
    def tokens(self) -> list[Row]:
        return self.state["tokens"]

    def get(self, username: str) -> Row:
        if username not in self.rows:
            raise missing("User")
        return self.rows[username]

    def add(self, username: str, email: str, password: str = "", is_superuser: bool = False, is_local: bool = True) -> Row:
        salt = self.secret(8)
        row = {
            "username": username,
            "email": email,
            "is_superuser": is_superuser,
            "is_local": is_local,
            "salt": salt,
            "password": digest(password, salt) if password else "",
        }
        self.rows[username] = row
        self.engine.touch()
        return row

    def create(self, fields: Fields) -> Row:
        for name in ("username", "email", "password", "is_superuser"):
            if not fields.get(name):
                raise bad(f"No provided {name}!")
        if fields.text("username") in self.rows:
            raise ApiError(409, CONFLICT_PAGE, "text/html; charset=utf-8", {"Retry-After": "5", **NAKED})
        return self.add(fields.text("username"), fields.text("email"), fields.text("password"), fields.flag("is_superuser"))

    def delete(self, username: str) -> None:
        self.get(username)
        del self.rows[username]
        self.state["tokens"] = [t for t in self.tokens if t["username"] != username]
        self.engine.touch()

    def check_password(self, username: str, password: str) -> bool:
        row = self.rows.get(username)
        return bool(row and row["password"]) and hmac.compare_digest(row["password"], digest(password, row["salt"]))

    # -- tokens ---------------------------------------------------------------------------------------------------------
    def secret(self, length: int) -> str:
        return "".join(self.maas.random.choice(ALPHABET) for _ in range(length))

    def add_token(self, username: str, name: str = "MAAS consumer") -> Row:
        token = {"username": username, "name": name, "consumer": self.secret(18), "key": self.secret(18), "secret": self.secret(32)}
        self.tokens.append(token)
        self.engine.touch()
        return token

    def tokens_of(self, username: str) -> list[Row]:
        return [t for t in self.tokens if t["username"] == username]

    def rename_token(self, username: str, fields: Fields) -> None:
        text = fields.get("token")
        if text is None:
            raise bad("No provided token!")
        if not fields.get("name"):
            raise bad("No provided name!")
        for token in self.tokens_of(username):
            if text in (token["key"], token_text(token)):
                token["name"] = fields.text("name")
                self.engine.touch()
                return
        raise missing("Token")

    def delete_token(self, username: str, fields: Fields) -> None:
        key = fields.get("token_key")
        if key is None:
            raise bad("No provided token_key!")
        self.state["tokens"] = [t for t in self.tokens if not (t["username"] == username and t["key"] == key)]
        self.engine.touch()


def token_text(token: Row) -> str:
    return f"{token['consumer']}:{token['key']}:{token['secret']}"


class SSHKeys(Part):
    """Public keys that deployed machines get, by user."""

    def __init__(self, maas: object):
        super().__init__(maas)
        self.table = Table(maas, "sshkeys", "SSHKey")

    def of(self, username: str) -> list[Row]:
        return self.table.where(username=username)

    def get(self, username: str, key_id: str) -> Row:
        row = self.table.get(key_id)
        if row["username"] != username:
            raise missing("SSHKey")
        return row

    def create(self, username: str, fields: Fields) -> Row:
        key = fields.text("key").strip()
        if not key:
            raise invalid({"key": "This field is required."})
        problem = ssh_key_problem(key, self.maas.personality)
        if problem:
            raise invalid({"key": f"Invalid SSH public key: {problem}"})
        if any(row["key"] == key for row in self.of(username)):
            raise invalid({"__all__": "This key has already been added for this user."})
        return self.table.add(username=username, key=key, keysource="")

    def import_keys(self, username: str, fields: Fields) -> list[Row]:
        """Import from a key service: the lab reaches none, so only the refusals are the real ones."""
        source = fields.get("keysource")
        if source is None:
            raise bad("No provided keysource!")
        protocol = source.partition(":")[0]
        if protocol not in ("lp", "gh"):
            if self.maas.personality == "3.7":
                raise ApiError(500, f"'{protocol}' is not a valid SshKeysProtocolType")
            raise invalid({"protocol": f"Value '{protocol}' is not a valid choice."}, BARE_JSON)
        raise ApiError(400, "Unable to import SSH keys. There are no SSH keys for user.", BARE_TEXT)

    def delete(self, username: str, key_id: str) -> None:
        self.table.remove(self.get(username, key_id))

    def texts(self) -> list[str]:
        return [row["key"] for row in self.table]
