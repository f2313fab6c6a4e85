# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a user is told by Keystone (tokens, projects, catalog), and whether what the catalog names answers.

The requests are those of the identity API's own guide, one by one, so that each has its time and its refusal:
https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit, urlunsplit

from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault, explain

# Endpoints that are asked at the same time.
TOGETHER = 8
INTERFACES = ("public", "internal", "admin")


def identity(auth):
    """The `identity` of a request for a token, from the `auth` of a clouds.yaml."""
    if not auth.get("password"):
        raise NovaFault("The cloud's entry has no password, and a token without a scope is given for one only: name a user with a password")
    user = {"password": auth["password"]}
    if auth.get("user_id"):
        user["id"] = auth["user_id"]
    else:
        user["name"] = auth.get("username")
        user["domain"] = _domain(auth, "user_domain")
    return {"methods": ["password"], "password": {"user": user}}


def scope(auth):
    """The `scope` that the entry asks for; None when it names no project."""
    if auth.get("project_id"):
        return {"project": {"id": auth["project_id"]}}
    if auth.get("project_name"):
        return {"project": {"name": auth["project_name"], "domain": _domain(auth, "project_domain")}}
    return None


def _domain(auth, which):
    # As keystoneauth has it: an id counts more than a name.
    if auth.get(f"{which}_name") and not auth.get(f"{which}_id"):
        return {"name": auth[f"{which}_name"]}
    return {"id": auth.get(f"{which}_id") or "default"}


def look(request, auth, region=None, interfaces=INTERFACES, probe=True, clock=time.monotonic):
    """Everything, in the order in which a client learns it.

    ``request(method, url, token, body)`` gives (status, headers, content) and raises NovaFault when nothing answers. A step that is refused
    carries `error`; what comes after it is left out.
    """
    ask = _Timed(request, clock)
    base = auth["auth_url"].rstrip("/")
    base = base if base.endswith("/v3") else f"{base}/v3"
    answer = {"unscoped": {}, "projects": {}, "scoped": {}, "catalog": [], "endpoints": []}

    body = {"auth": {"identity": identity(auth), "scope": "unscoped"}}
    answer["unscoped"], headers, content = ask("POST", f"{base}/auth/tokens", "get a token without a scope", body=body)
    if answer["unscoped"]["error"]:
        return answer
    token = headers["X-Subject-Token"]
    answer["unscoped"].update(_about(content["token"]))

    answer["projects"], headers, content = ask("GET", f"{base}/auth/projects", "read the user's projects", token)
    answer["projects"]["names"] = sorted(project["name"] for project in content.get("projects", []))

    wanted = scope(auth)
    if wanted is None:
        return answer
    body = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}, "scope": wanted}}
    answer["scoped"], headers, content = ask("POST", f"{base}/auth/tokens", "get a token for the project", body=body)
    if answer["scoped"]["error"]:
        return answer
    told = content["token"]
    answer["scoped"].update(_about(told))
    answer["catalog"] = services(told.get("catalog", []), region, interfaces)
    if probe:
        answer["endpoints"] = probed(ask, answer["catalog"], headers["X-Subject-Token"], told["project"]["id"])
    return answer


def _about(told):
    """What a token says about itself, and nothing that could be used."""
    return {
        "user": told["user"]["name"],
        "expires_at": told["expires_at"],
        "project": (told.get("project") or {}).get("name"),
        "roles": sorted(role["name"] for role in told.get("roles", [])),
        "services": len(told.get("catalog", [])),
    }


def services(catalog, region=None, interfaces=INTERFACES):
    """[{type, name, endpoints: [{interface, region, url}]}] of one region (None: of all), by type."""
    found = []
    for service in catalog:
        kept = [
            {"interface": one["interface"], "region": one.get("region_id") or one.get("region"), "url": one["url"]}
            for one in service.get("endpoints", [])
            if one["interface"] in interfaces and region in (None, one.get("region_id"), one.get("region"))
        ]
        kept.sort(key=lambda one: interfaces.index(one["interface"]))
        found.append({"type": service["type"], "name": service.get("name") or "", "endpoints": kept})
    return sorted(found, key=lambda service: service["type"])


# -- endpoints --------------------------------------------------------------------------------------------------------


def probed(ask, catalog, token, project):
    """Every endpoint with what it answered: status, seconds, versions, answers, error."""
    flat = [{"type": service["type"], "name": service["name"], **endpoint} for service in catalog for endpoint in service["endpoints"]]
    if not flat:
        return []
    with ThreadPoolExecutor(min(TOGETHER, len(flat))) as pool:
        return list(pool.map(lambda endpoint: {**endpoint, **_probe(ask, endpoint, token, project)}, flat))


def _probe(ask, endpoint, token, project):
    """An endpoint answers when a document is there at its address or above it; any refusal of ours (401, 403) is an answer, too."""
    what = f"reach the {endpoint['interface']} endpoint of {endpoint['type']}"
    for url in candidates(endpoint["url"], project):
        timed, _headers, content = ask("GET", url, what, token)
        if timed["status"] != 404:
            break
    answers = timed["status"] is not None and timed["status"] < 500 and timed["status"] != 404
    return {
        "probed": url,
        "status": timed["status"],
        "seconds": timed["seconds"],
        "answers": answers,
        "versions": versions(content) if answers else [],
        "error": "" if answers else timed["error"],
    }


def candidates(url, project):
    """Where a service's version document may be: its address without the project, then each level above it."""
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment and project not in segment]
    return [urlunsplit((parts.scheme, parts.netloc, "/" + "/".join(segments[:count]), "", "")) for count in range(len(segments), -1, -1)]


def versions(content):
    """Ids of the versions that a version document tells."""
    if not isinstance(content, dict):
        return []
    told = content.get("versions") or content.get("version") or []
    if isinstance(told, dict):
        # Keystone lists its versions one level deeper.
        told = told.get("values", [told])
    return [str(version["id"]) for version in told if isinstance(version, dict) and "id" in version]


class _Timed:
    def __init__(self, request, clock):
        self._request, self._clock = request, clock

    def __call__(self, method, url, what, token=None, body=None):
        """({status, seconds, error}, headers, content) of one request; a fault or a refusal is told in `error`."""
        began = self._clock()
        try:
            status, headers, content = self._request(method, url, token, body)
        except NovaFault as fault:
            return {"status": None, "seconds": round(self._clock() - began, 3), "error": f"Cannot {what}: {fault}"}, {}, {}
        error = explain(status, content, f"{what} ({url})") if status >= 400 else ""
        return {"status": status, "seconds": round(self._clock() - began, 3), "error": error}, headers, content if isinstance(content, dict) else {}


def requester(session, timeout):
    """``request`` of ``look`` on a keystoneauth session, whose own authentication stays aside."""
    from keystoneauth1 import exceptions as keystone

    def request(method, url, token=None, body=None):
        headers = {"Accept": "application/json", **({"X-Auth-Token": token} if token else {})}
        try:
            answer = session.request(url, method, json=body, headers=headers, authenticated=False, raise_exc=False, timeout=timeout, log=False)
        except keystone.SSLError as error:
            raise NovaFault(f"the certificate of {url} is not trusted; give its authority's in ca_cert or in clouds.yaml ({error})") from None
        except keystone.ClientException as error:
            raise NovaFault(f"{url} does not answer: {' '.join(str(error).split())}") from None
        try:
            content = answer.json() if answer.content else {}
        except ValueError:
            content = answer.text
        return answer.status_code, answer.headers, content

    return request
