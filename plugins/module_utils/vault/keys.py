# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The file with the keys of a Vault. There is no second chance to write it.

The order is what keeps the keys: a marker is written and room is made before Vault is asked (so a full disk or a missing
permission shows while nothing has happened), the answer goes to a new file that is synced and then renamed into place, and only then the
marker goes. Each crash leaves a state that the next run recognises.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import os
import stat
import tempfile

from ansible_collections.stratus.cloud.plugins.module_utils import durable
from ansible_collections.stratus.cloud.plugins.module_utils.vault.errors import VaultFault

HEADER = "$ANSIBLE_VAULT;1.1;AES256"
ROUNDS = 10000
# More than the keys of any Vault, encrypted.
ROOM = 65536


class Locked(VaultFault):
    """The keys are there; what opens them is not."""


# --- ansible-vault's own format ---------------------------------------------------------------------------------------


def _cipher():
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    except ImportError:
        raise VaultFault("the python library 'cryptography' is needed to encrypt the keys file") from None
    return lambda key, nonce: Cipher(algorithms.AES(key), modes.CTR(nonce))


def _derive(password, salt):
    material = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ROUNDS, 80)
    return material[:32], material[32:64], material[64:80]


def encrypt(text, password, salt=None):
    """What `ansible-vault decrypt` opens with the password."""
    make = _cipher()
    salt = salt or os.urandom(32)
    key, sign, nonce = _derive(password, salt)
    data = text.encode()
    padding = 16 - len(data) % 16
    encryptor = make(key, nonce).encryptor()
    sealed = encryptor.update(data + bytes([padding]) * padding) + encryptor.finalize()
    signature = hmac.new(sign, sealed, hashlib.sha256).hexdigest()
    inner = "\n".join([salt.hex(), signature, sealed.hex()]).encode().hex()
    return "\n".join([HEADER, *(inner[start : start + 80] for start in range(0, len(inner), 80))]) + "\n"


def decrypt(text, password):
    lines = text.split("\n")
    if not lines[0].startswith("$ANSIBLE_VAULT;"):
        raise VaultFault("the keys file is not encrypted with ansible-vault")
    try:
        salt, signature, sealed = (binascii.unhexlify(part) for part in binascii.unhexlify("".join(lines[1:]).strip()).split(b"\n"))
    except (ValueError, binascii.Error):
        raise VaultFault("the keys file is damaged") from None
    make = _cipher()
    key, sign, nonce = _derive(password, salt)
    if not hmac.compare_digest(hmac.new(sign, sealed, hashlib.sha256).digest(), signature):
        raise Locked("the keys file cannot be decrypted with the given password")
    decryptor = make(key, nonce).decryptor()
    data = decryptor.update(sealed) + decryptor.finalize()
    return data[: -data[-1]].decode()


# --- files -----------------------------------------------------------------------------------------------------------


def _write(path, text, flags=os.O_WRONLY | os.O_CREAT | os.O_EXCL):
    """A file that only the user reads, on the disk when this returns."""
    if flags & os.O_CREAT:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    descriptor = os.open(path, flags, 0o600)
    try:
        data = text.encode()
        size = len(data)
        while data:
            data = data[os.write(descriptor, data) :]
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    durable.sync_directory(os.path.dirname(path))


class KeysFile:
    """The keys file and what may lie beside it: the new file that was not yet put in place, and the marker."""

    def __init__(self, path, password=None):
        self.path = os.path.abspath(os.path.expanduser(path))
        self.password = password
        self.new = f"{self.path}.new"
        self.marker = f"{self.path}.intent"
        self.owed = f"{self.path}.owed"

    def exists(self):
        return os.path.exists(self.path)

    def intended(self):
        """What the marker says, or None."""
        try:
            with open(self.marker, encoding="utf-8") as stream:
                return json.load(stream)
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return {}

    def prepare(self):
        """The directory, for the user alone."""
        folder = os.path.dirname(self.path)
        try:
            if not os.path.isdir(folder):
                os.makedirs(folder, mode=0o700, exist_ok=True)
                # A directory that is new must itself be found again after a power cut.
                durable.sync_directory(os.path.dirname(folder))
            if stat.S_IMODE(os.stat(folder).st_mode) & 0o077:
                os.chmod(folder, 0o700)
        except OSError as error:
            raise VaultFault(f"the directory {folder} for the keys cannot be prepared: {error.strerror}") from None

    def intend(self, about):
        """The marker, and room on the disk for the keys, before Vault is asked."""
        try:
            _write(self.marker, json.dumps(about) + "\n")
            _write(self.new, " " * ROOM)
        except OSError as error:
            self.withdraw()
            raise VaultFault(f"nothing was asked of Vault: {self.marker} cannot be written: {error.strerror}") from None

    def withdraw(self):
        """Vault has refused, or was not asked: nothing is to be kept."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.new)
        self.forget()

    def forget(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.marker)

    def _dump(self, content):
        text = json.dumps(content, indent=2) + "\n"
        return encrypt(text, self.password) if self.password else text

    def _load(self, path):
        try:
            with open(path, encoding="utf-8") as stream:
                text = stream.read()
        except OSError as error:
            raise VaultFault(f"the keys file {path} cannot be read: {error.strerror}") from None
        if text.startswith("$ANSIBLE_VAULT;"):
            if not self.password:
                raise Locked(f"the keys file {path} is encrypted: its password is needed in keys_password")
            text = decrypt(text, self.password)
        try:
            content = json.loads(text)
        except ValueError:
            raise VaultFault(f"the keys file {path} is not readable JSON") from None
        if not isinstance(content, dict) or not content.get("keys_base64"):
            raise VaultFault(f"the keys file {path} holds no keys")
        return content

    def save(self, content):
        text = self._dump(content)
        try:
            self._place(text)
        except OSError as error:
            # Anywhere is better than nowhere.
            raise VaultFault(
                f"{self.path} cannot be written ({error.strerror}): the keys are in {self._refuge(text)}. Move them to {self.path} and run again",
                changed=True,
            ) from None

    def _refuge(self, text):
        for folder in (os.path.expanduser("~"), tempfile.gettempdir()):
            path = os.path.join(folder, f"vault-keys-{os.urandom(4).hex()}.json")
            with contextlib.suppress(OSError):
                _write(path, text)
                return path
        return "no file, as no other place could be written either, and are lost"

    def _place(self, text):
        if os.path.exists(self.new):
            # Into the room that was made, so that a disk which has filled up meanwhile does not matter.
            _write(self.new, text, os.O_WRONLY)
        else:
            _write(self.new, text)
        os.replace(self.new, self.path)
        durable.sync_directory(os.path.dirname(self.path))
        self.forget()

    def read(self):
        return self._load(self.path)

    def saved(self):
        """Whether a save broke before the rename, and what it left is whole."""
        if self.exists() or not os.path.exists(self.new):
            return False
        try:
            self._load(self.new)
        except Locked:
            # Whether it is whole only its password tells. These may be the only keys: nobody must hear that they are lost.
            raise
        except VaultFault:
            return False
        return True

    def salvage(self):
        """Finishes such a save."""
        os.replace(self.new, self.path)
        durable.sync_directory(os.path.dirname(self.path))
        self.forget()

    def owe(self):
        """Written before Vault is asked, when a command is to get the keys: until it has them, every run hands them over."""
        try:
            _write(self.owed, "\n")
        except OSError as error:
            raise VaultFault(f"nothing was asked of Vault: {self.owed} cannot be written: {error.strerror}") from None

    def owing(self):
        return os.path.exists(self.owed)

    def settled(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.owed)

    def permissions(self):
        """Too much may be told about the file; never what is in it."""
        mode = stat.S_IMODE(os.stat(self.path).st_mode)
        if mode & 0o077:
            os.chmod(self.path, 0o600)
            return True
        return False


def content(answer, shares, threshold, addresses):
    """What is kept of Vault's answer, with the names that Vault uses."""
    keys = answer.get("keys") or []
    return {
        "keys": keys,
        "keys_base64": answer.get("keys_base64") or [base64.b64encode(bytes.fromhex(key)).decode() for key in keys],
        "root_token": answer.get("root_token"),
        "shares": shares,
        "threshold": threshold,
        "vault_addr": addresses,
    }
