# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Clouds and credentials, with the juju client (its command and files) and with a controller (its API)."""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils.juju import cli
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import Refused

# --- clouds ----------------------------------------------------------------------------------------------------------


def cloud_definition(options):
    """As the client's files have it; only what is set."""
    made = {"type": options["type"], "auth-types": sorted(options["auth_types"]), "endpoint": (options["cloud_endpoint"] or "").rstrip("/")}
    for key, option in (("regions", "regions"), ("ca-certificates", "ca_certificates"), ("config", "config")):
        if options[option]:
            made[key] = options[option]
    return made


def _comparable(definition):
    """The parts of a known definition that the module manages. Juju adds a region 'default' by itself."""
    made = {}
    for key in ("type", "auth-types", "endpoint", "regions", "ca-certificates", "config"):
        value = (definition or {}).get(key)
        if key == "auth-types":
            value = sorted(value or [])
        elif key == "endpoint":
            value = (value or "").rstrip("/")
        elif key == "regions":
            value = {name: about or {} for name, about in (value or {}).items() if name != "default"}
        if value:
            made[key] = value
    return made


def client_side(module, command):
    options = module.params
    name = options["name"]
    known = (cli.store(command.directory, "clouds").get("clouds") or {}).get(name)
    if options["state"] == "absent":
        if known is not None and not module.check_mode:
            command.run("remove-cloud", name, "--client")
        return {"changed": known is not None, "cloud": None, "diff": {"before": _comparable(known), "after": {}}}
    wanted = cloud_definition(options)
    before, after = _comparable(known), _comparable(wanted)
    changed = known is None or before != after
    if changed and not module.check_mode:
        with cli.private_file(command.directory, {"clouds": {name: wanted}}) as path:
            command.run("add-cloud" if known is None else "update-cloud", name, "--client", "-f", path)
    return {"changed": changed, "cloud": after, "diff": {"before": before, "after": after}}


def controller_side(module, client):
    options = module.params
    name = options["name"]
    clouds = client.controller("Cloud", "Clouds", {}, repeat=True).get("clouds") or {}
    known = clouds.get(f"cloud-{name}")
    if known is not None and isinstance(known.get("regions"), list):
        known = {**known, "regions": {region.get("name"): {"endpoint": region.get("endpoint")} for region in known["regions"]}}
    before = _comparable(known) if known else {}
    if options["state"] == "absent":
        if known is not None and not module.check_mode:
            client.controller("Cloud", "RemoveClouds", {"entities": [{"tag": f"cloud-{name}"}]}, repeat=True)
        return {"changed": known is not None, "cloud": None, "diff": {"before": before, "after": {}}}
    wanted = cloud_definition(options)
    after = _comparable(wanted)
    changed = before != after
    if changed and not module.check_mode:
        wire = {**wanted, "regions": [{"name": region, "endpoint": (about or {}).get("endpoint", "")} for region, about in options["regions"].items()]}
        if known is None:
            client.controller("Cloud", "AddCloud", {"name": name, "cloud": wire, "force": False})
        else:
            client.controller("Cloud", "UpdateCloud", {"clouds": [{"name": name, "cloud": wire}]}, repeat=True)
    return {"changed": changed, "cloud": after, "diff": {"before": before, "after": after}}


# --- credentials -----------------------------------------------------------------------------------------------------


def attributes(options):
    made = {str(key): str(value) for key, value in (options["attributes"] or {}).items()}
    if options["maas_oauth"]:
        made["maas-oauth"] = options["maas_oauth"]
    return made


def _shown(cloud, name, kind, names):
    """A credential as it may be shown: never a value."""
    return {"cloud": cloud, "name": name, "auth_type": kind, "attributes": sorted(names)}


def credential_client_side(module, command):
    options = module.params
    cloud, name = options["cloud"], options["name"]
    known = ((cli.store(command.directory, "credentials").get("credentials") or {}).get(cloud) or {}).get(name)
    before = _shown(cloud, name, known.get("auth-type"), set(known) - {"auth-type"}) if known else {}
    if options["state"] == "absent":
        if known is not None and not module.check_mode:
            command.run("remove-credential", cloud, name, "--client")
        return {"changed": known is not None, "credential": None, "diff": {"before": before, "after": {}}}
    wanted = {"auth-type": options["auth_type"], **attributes(options)}
    after = _shown(cloud, name, options["auth_type"], set(wanted) - {"auth-type"})
    changed = known != wanted
    if changed and known is not None and before == after:
        before, after = {**before, "value": "before"}, {**after, "value": "changed"}
    if changed and not module.check_mode:
        with cli.private_file(command.directory, {"credentials": {cloud: {name: wanted}}}) as path:
            if known is None:
                command.run("add-credential", cloud, "--client", "-f", path)
            else:
                command.run("update-credential", cloud, name, "--client", "-f", path)
    return {
        "changed": changed,
        "credential": _shown(cloud, name, options["auth_type"], set(wanted) - {"auth-type"}),
        "diff": {"before": before, "after": after},
    }


def _known_to_controller(client, cloud, owner, name):
    """Attributes of a credential with their secrets, or None. They are compared here and go nowhere."""
    try:
        answer = client.controller(
            "Cloud",
            "CredentialContents",
            {
                "credentials": [{"cloud-name": cloud, "credential-name": name}],
                "include-secrets": True,
            },
            repeat=True,
        )
    except Refused as error:
        if error.absent:
            return None
        raise
    for item in answer.get("results") or []:
        content = (item.get("result") or {}).get("content") or {}
        if content.get("name") == name and content.get("cloud") == cloud:
            return {"auth-type": content.get("auth-type"), **(content.get("attrs") or {})}
    return None


def credential_controller_side(module, client):
    options = module.params
    cloud, name = options["cloud"], options["name"]
    owner = options["owner"] or client.identity_tag.removeprefix("user-").split("@")[0]
    tag = f"cloudcred-{cloud}_{owner}_{name}"
    known = _known_to_controller(client, cloud, owner, name)
    before = _shown(cloud, name, known["auth-type"], set(known) - {"auth-type"}) if known else {}
    if options["state"] == "absent":
        if known is not None and not module.check_mode:
            client.controller("Cloud", "RevokeCredentialsCheckModels", {"credentials": [{"tag": tag, "force": False}]}, repeat=True)
        return {"changed": known is not None, "credential": None, "diff": {"before": before, "after": {}}}
    wanted = attributes(options)
    after = _shown(cloud, name, options["auth_type"], wanted)
    changed = known != {"auth-type": options["auth_type"], **wanted}
    if changed and known is not None and before == after:
        before, after = {**before, "value": "before"}, {**after, "value": "changed"}
    if changed and not module.check_mode:
        client.controller(
            "Cloud",
            "UpdateCredentialsCheckModels",
            {
                "force": False,
                "credentials": [{"tag": tag, "credential": {"auth-type": options["auth_type"], "attrs": wanted}}],
            },
            repeat=True,
        )
    return {"changed": changed, "credential": _shown(cloud, name, options["auth_type"], wanted), "diff": {"before": before, "after": after}}
