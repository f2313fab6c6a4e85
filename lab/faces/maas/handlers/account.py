"""Users, API keys, SSH keys."""

from __future__ import annotations

from typing import Any

from lab.errors import bad, forbidden
from lab.faces.maas.call import Call, Reply
from lab.faces.maas.registry import REGISTRY
from lab.world.maas.users import token_text

account = REGISTRY.add("AccountHandler", "account/")
sshkeys = REGISTRY.add("SSHKeysHandler", "account/prefs/sshkeys/")
sshkey = REGISTRY.add("SSHKeyHandler", "account/prefs/sshkeys/{id}/")
users = REGISTRY.add("UsersHandler", "users/")
user = REGISTRY.add("UserHandler", "users/{username}/")


@account.post("create_authorisation_token")
def create_token(call: Call) -> Any:
    token = call.maas.users.add_token(call.user, call.data.text("name", "MAAS consumer"))
    return {"token_key": token["key"], "token_secret": token["secret"], "consumer_key": token["consumer"], "name": token["name"]}


@account.post("delete_authorisation_token")
def delete_token(call: Call) -> Any:
    call.maas.users.delete_token(call.user, call.data)
    return Reply(status=204, content_type="text/plain")


@account.get("list_authorisation_tokens")
def list_tokens(call: Call) -> Any:
    return [{"name": token["name"], "token": token_text(token)} for token in call.maas.users.tokens_of(call.user)]


@account.post("update_token_name")
def update_token_name(call: Call) -> Any:
    call.maas.users.rename_token(call.user, call.data)
    return Reply("Accepted", 202, "text/plain")


@sshkeys.read()
def list_keys(call: Call) -> Any:
    return [call.render.sshkey(row) for row in call.maas.sshkeys.of(call.user)]


@sshkeys.create()
def create_key(call: Call) -> Any:
    row = call.render.sshkey(call.maas.sshkeys.create(call.user, call.data))
    del row["resource_uri"]
    if call.maas.personality == "3.7":
        del row["keysource"]
    else:
        # A key given by hand has no source yet when it is created, and an empty one ever after.
        row["keysource"] = None
    return Reply(row, 201)


@sshkeys.post("import")
def import_keys(call: Call) -> Any:
    return [call.render.sshkey(row) for row in call.maas.sshkeys.import_keys(call.user, call.data)]


@sshkey.read()
def read_key(call: Call) -> Any:
    return call.render.sshkey(call.maas.sshkeys.get(call.user, call.params["id"]))


@sshkey.delete()
def delete_key(call: Call) -> None:
    call.maas.sshkeys.delete(call.user, call.params["id"])


@users.read()
def list_users(call: Call) -> Any:
    return [call.render.user(row) for row in call.maas.users.rows.values()]


@users.create(admin="")
def create_user(call: Call) -> Any:
    return call.render.user(call.maas.users.create(call.data))


@users.get("whoami")
def whoami(call: Call) -> Any:
    return call.render.user(call.maas.users.get(call.user))


@user.read()
def read_user(call: Call) -> Any:
    return call.render.user(call.maas.users.get(call.params["username"]))


@user.delete(admin="")
def delete_user(call: Call) -> None:
    name = call.params["username"]
    call.maas.users.get(name)
    if name == call.user:
        raise bad("An administrator cannot self-delete.")
    if any(machine["owner"] == name for machine in call.maas.machines()):
        raise forbidden(f"User {name} cannot be deleted: 1 node(s) are still allocated.")
    call.maas.users.delete(name)
