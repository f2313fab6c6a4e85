# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A service in Keystone's catalog with its endpoints and accounts: what is there, what is wanted, and the steps between.

Keystone lets anybody make a second service or endpoint of the same kind (clients then take either), so everything is looked for by
what it is before it is made. https://docs.openstack.org/api-ref/identity/v3/
"""

from __future__ import annotations

from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault

HIDDEN = "(a new one)"


# -- what is there ----------------------------------------------------------------------------------------------------------
def _get(client, path, key, **filters):
    return client.ask("identity", "GET", f"/{path}", f"read the {key} of Keystone", params=filters)[0][key]


def _one(found, what):
    if len(found) != 1:
        raise NovaFault(f"Keystone has no {what}; make it first, or name the one that there is" if not found else f"Keystone has {len(found)} times {what}")
    return found[0]


def read(client, options):
    """Services of the type, endpoints, users, roles and who has which, as plain data."""
    services = _get(client, "services", "services", type=options["type"])
    found = {"services": services, "endpoints": [], "users": {}, "grants": {}}
    for service in services:
        found["endpoints"] += _get(client, "endpoints", "endpoints", service_id=service["id"])
    if options["users"]:
        found["domain"] = _one(_get(client, "domains", "domains", name=options["domain"]), f"domain {options['domain']}")["id"]
        projects = _get(client, "projects", "projects", name=options["project"], domain_id=found["domain"])
        found["project"] = _one(projects, f"project {options['project']} in the domain {options['domain']}")["id"]
        # Keystone takes the names of roles in any case: charms say Admin, others admin.
        found["roles"] = {role["name"].lower(): role["id"] for role in _get(client, "roles", "roles")}
        for user in options["users"]:
            known = _get(client, "users", "users", name=user["name"], domain_id=found["domain"])
            if known:
                number = found["users"][user["name"]] = known[0]["id"]
                grants = _get(client, "role_assignments", "role_assignments", **{"user.id": number, "scope.project.id": found["project"]})
                found["grants"][user["name"]] = [grant["role"]["id"] for grant in grants]
    return found


def service_of(found, options):
    """The service that is meant, None when there is none. Another one of its type is for the operator to judge."""
    others = [service for service in found["services"] if service["name"] != options["name"]]
    own = [service for service in found["services"] if service["name"] == options["name"]]
    if others or len(own) > 1:
        listed = ", ".join(f"{service['name'] or '(no name)'} {service['id']}" for service in [*own, *others])
        raise NovaFault(
            f"Keystone has services of type {options['type']} that are not one {options['name']}: {listed}. Clients would take any of them: "
            "remove what is too much (openstack service delete ID)"
        )
    return own[0] if own else None


# -- what is wanted, as steps -----------------------------------------------------------------------------------------------
def present(found, options):
    """Steps: (what, method, path, body). A path or body names what an earlier step makes as {service}, {user NAME} and {role NAME}."""
    service = service_of(found, options)
    number = service["id"] if service else "{service}"
    if not service:
        about = {key: options[key] for key in ("name", "type", "description")}
        yield f"service {options['name']}", "POST", "services", {"service": about}
    for interface, url in sorted(options["endpoints"].items()):
        yield from _endpoint(found, options, number, interface, url)
    for role in options["roles"]:
        if options["users"] and role.lower() not in found["roles"]:
            yield f"role {role}", "POST", "roles", {"role": {"name": role}}
    for user in options["users"]:
        yield from _user(found, options, user)


def _called(options, interface):
    return f"{interface} endpoint of {options['name']} in {options['region']}"


def _endpoint(found, options, service, interface, url):
    own = [e for e in found["endpoints"] if e["interface"] == interface and e["region_id"] == options["region"]]
    what = _called(options, interface)
    if len(own) > 1:
        listed = ", ".join(f"{e['url']} {e['id']}" for e in own)
        raise NovaFault(f"Keystone has the {what} {len(own)} times: {listed}. Remove what is too much (openstack endpoint delete ID)")
    if not own:
        body = {"service_id": service, "interface": interface, "url": url, "region_id": options["region"]}
        yield f"{what}: {url}", "POST", "endpoints", {"endpoint": body}
    elif own[0]["url"] != url:
        yield f"{what}: {url}", "PATCH", f"endpoints/{own[0]['id']}", {"endpoint": {"url": url}}


def _user(found, options, user):
    name, number = user["name"], found["users"].get(user["name"])
    if number is None:
        body = {"name": name, "password": user["password"], "domain_id": found["domain"]}
        yield f"user {name}", "POST", "users", {"user": body}
    elif options["update_passwords"]:
        yield f"password of user {name}: {HIDDEN}", "PATCH", f"users/{number}", {"user": {"password": user["password"]}}
    for role in options["roles"]:
        known = found["roles"].get(role.lower())
        if known is None or known not in found["grants"].get(name, []):
            path = f"projects/{found['project']}/users/{number or '{user ' + name + '}'}/roles/{known or '{role ' + role + '}'}"
            yield f"role {role} of user {name}", "PUT", path, None


def kept_for(found, options):
    """Other regions that have endpoints of the service; one without a region counts for all."""
    return sorted({endpoint["region_id"] or "(no region)" for endpoint in found["endpoints"]} - {options["region"]})


def absent(found, options):
    """The endpoints of the region. The service and its users are all regions' own, so they go with the last one."""
    service = service_of(found, options)
    for endpoint in sorted(found["endpoints"], key=lambda e: e["interface"]):
        if endpoint["region_id"] == options["region"]:
            yield f"{_called(options, endpoint['interface'])}: {endpoint['url']}", "DELETE", f"endpoints/{endpoint['id']}", None
    if kept_for(found, options):
        return
    if service:
        yield f"service {options['name']}", "DELETE", f"services/{service['id']}", None
    for name, number in sorted(found["users"].items()):
        yield f"user {name}", "DELETE", f"users/{number}", None


# -- the steps taken --------------------------------------------------------------------------------------------------------
def _path(path, made):
    return "/" + "/".join(made.get(part, part) for part in path.split("/"))


def _body(body, made):
    """Only an endpoint refers to what an earlier step made."""
    endpoint = (body or {}).get("endpoint", {})
    if "service_id" in endpoint:
        return {"endpoint": {**endpoint, "service_id": made.get(endpoint["service_id"], endpoint["service_id"])}}
    return body


def take(client, steps):
    made = {}
    for what, method, path, body in steps:
        verb = {"POST": "make", "PUT": "give", "PATCH": "change", "DELETE": "remove"}[method]
        answer = client.ask("identity", method, _path(path, made), f"{verb} {what.split(':')[0]} in Keystone", body=_body(body, made))[0]
        if method == "POST":
            kind, thing = next(iter(answer.items()))
            made["{service}" if kind == "service" else f"{{{kind} {thing.get('name', '')}}}"] = thing["id"]


def work(module, client):
    options = module.params
    found = read(client, options)
    steps = list((present if options["state"] == "present" else absent)(found, options))
    listed = "".join(f"{what}\n" for what, *_rest in steps)
    answer = {"changed": bool(steps), "steps": [what for what, *_rest in steps]}
    if options["state"] == "present":
        answer["diff"] = {"before": "", "after": listed}
    else:
        answer["diff"] = {"before": listed, "after": ""}
        answer["kept_for"] = kept_for(found, options)
    if not module.check_mode:
        take(client, steps)
    return answer
