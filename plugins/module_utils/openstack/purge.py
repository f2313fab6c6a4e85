# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A project removed with everything in it: what depends on other things first, each waited for, and told what stayed and why."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field

from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault, Refused, Unreachable
from ansible_collections.stratus.cloud.plugins.module_utils.waiter import DONE, FAILED, PENDING, Waiter, WaitError

try:
    from keystoneauth1 import exceptions as keystone
except ImportError:
    # The client says so before anything here is used.
    keystone = None


FORBIDDEN = "it may not be deleted: "
"""Where the state of a thing begins so, no wait helps: a protected image, for one."""


@dataclass(frozen=True)
class Kind:
    """One kind of thing, by the requests that list and delete it. Paths may use the fields of a listed thing."""

    name: str
    service: str
    listing: str
    key: str
    path: str
    # A listing's filters; {project} is the project's id.
    filters: dict = field(default_factory=dict)
    # How one is deleted where that differs from its path.
    delete: str = ""
    # Whether the requests are made inside of the project; else as the administrator with a filter.
    inside: bool = True
    # The field that tells one from another.
    id: str = "id"
    # Whether a listing may be one page of many: then what is left is listed again. Not neutron's: it makes a default security group for whoever looks.
    pages: bool = False


# In the order in which they can go. https://docs.openstack.org/api-quick-start/ links the reference of each service.
KINDS = (
    Kind("stack", "orchestration", "/stacks", "stacks", "/stacks/{stack_name}/{id}"),
    Kind("container", "container", "/containers", "containers", "/containers/{uuid}", delete="/containers/{uuid}?force=true", id="uuid"),
    Kind("server", "compute", "/servers/detail", "servers", "/servers/{id}", pages=True),
    Kind("volume", "block_storage", "/volumes/detail", "volumes", "/volumes/{id}", pages=True),
    Kind("floating address", "network", "/floatingips", "floatingips", "/floatingips/{id}", {"project_id": "{project}"}, inside=False),
    Kind("router", "network", "/routers", "routers", "/routers/{id}", {"project_id": "{project}"}, inside=False),
    Kind("port", "network", "/ports", "ports", "/ports/{id}", {"project_id": "{project}"}, inside=False),
    Kind("network", "network", "/networks", "networks", "/networks/{id}", {"project_id": "{project}"}, inside=False),
    Kind("security group", "network", "/security-groups", "security_groups", "/security-groups/{id}", {"project_id": "{project}"}, inside=False),
    Kind("image", "image", "/images", "images", "/images/{id}", {"owner": "{project}", "limit": "1000"}, pages=True),
)
# Catalog types by which each service goes (https://service-types.openstack.org).
TYPES = {
    "orchestration": {"orchestration"},
    "container": {"container"},
    "compute": {"compute"},
    "block_storage": {"volumev3", "block-storage", "block-store"},
    "network": {"network"},
    "image": {"image"},
}


class Cloud:
    """The requests, by a client of nova's package; ``types``: those of the cloud's catalog."""

    def __init__(self, client):
        self.client = client
        session = client._connection.session
        try:
            self.access = session.auth.get_access(session)
        except keystone.Unauthorized as error:
            raise Refused(f"Cannot get a token for the administrator: {error}", status=401) from None
        except keystone.ClientException as error:
            raise Unreachable(f"Cannot get a token for the administrator: {error}") from None
        self.types = {service["type"] for service in self.access.service_catalog.catalog}

    def has(self, service):
        return bool(TYPES[service] & self.types)

    def inside(self, project):
        """The same administrator with a token for that project; Refused when it has no role there."""
        other = copy.copy(self.client)
        other._connection = self.client._connection.connect_as_project({key: project[key] for key in ("id", "name", "domain_id")})
        other._microversion = None
        return Cloud(other)

    def ask(self, service, method, path, what, **more):
        if service == "container":
            session = self.client._connection.session
            url = session.get_endpoint(service_type="container", interface="public", region_name=self.client._connection.config.get_region_name())
            path = url.rstrip("/") + path
        return self.client.ask(service, method, path, what, **more)[0]

    def all(self, service, path, key, what, **filters):
        return self.ask(service, "GET", path, what, params=filters)[key]

    def grant_self(self, project):
        """Let this administrator into the project, with the roles of its own token."""
        for role in self.access.role_ids:
            path = f"/projects/{project}/users/{self.access.user_id}/roles/{role}"
            self.ask("identity", "PUT", path, "let the administrator into the project")


def work(module, cloud, clock=time.monotonic, sleep=time.sleep):
    """What the module does; its answer."""
    options = module.params
    domain = _domain(cloud, options["domain"])
    project = _one(cloud, "projects", options["project"], domain)
    users = [user for name in options["users"] for user in [_one(cloud, "users", name, domain)] if user]
    flavors = [one for one in cloud.all("compute", "/flavors", "flavors", "read the flavors", is_public="None") if one["name"] in options["flavors"]]
    if project and options["description"] is not None and (project.get("description") or "") != options["description"]:
        raise NovaFault(
            f"The project {options['project']} is somebody else's: its description is '{project.get('description') or ''}', not "
            f"'{options['description']}'. Nothing was removed; use another name, or remove it by hand"
        )
    removed, left = [], []
    times = {"timeout": options["wait_timeout"], "clock": clock, "sleep": sleep}
    if project:
        _empty(cloud, project, module.check_mode, removed, left, times)
    _rest(cloud, project, users, flavors, module.check_mode, removed, left)
    answer = {"changed": bool(removed), "removed": removed, "left": left}
    answer["diff"] = {"before": "".join(f"{one['kind']} {one['name']}\n" for one in removed), "after": ""}
    if left:
        said = "; ".join(f"{one['kind']}{' ' + one['name'] if one['name'] else ''}: {one['why']}" for one in left)
        raise NovaFault(f"Not everything of the project {options['project']} could be removed, so the project stays, to be found again. {said}", **answer)
    return answer


def _domain(cloud, name):
    found = cloud.all("identity", "/domains", "domains", "read the domains", name=name) or [
        one for one in cloud.all("identity", "/domains", "domains", "read the domains") if one["id"] == name
    ]
    if not found:
        raise NovaFault(f"There is no domain {name}")
    return found[0]["id"]


def _one(cloud, kind, name, domain):
    found = cloud.all("identity", f"/{kind}", kind, f"read the {kind}", name=name, domain_id=domain)
    return found[0] if found else None


def _empty(cloud, project, check_mode, removed, left, times):
    """Everything inside of the project."""
    if not check_mode:
        cloud.grant_self(project["id"])
    try:
        inside = cloud.inside(project)
    except Refused:
        if not check_mode:
            raise
        # Without a role in it nothing of it is seen, and check mode takes none.
        return
    for kind in KINDS:
        if not cloud.has(kind.service):
            continue
        by = inside if kind.inside else cloud
        try:
            things = listed(by, kind, project["id"])
            if check_mode:
                removed += [_named(kind, thing) for thing in things]
                continue
            seen = set()
            while things:
                seen |= {thing[kind.id] for thing in things}
                removed += _sweep(by, kind, things, left, **times)
                things = [thing for thing in listed(by, kind, project["id"]) if thing[kind.id] not in seen] if kind.pages else []
        except NovaFault as error:
            left.append({"kind": f"{kind.name}s", "id": "", "name": "", "why": str(error)})


def listed(cloud, kind, project):
    filters = {name: value.format(project=project) for name, value in kind.filters.items()}
    things = cloud.all(kind.service, kind.listing, kind.key, f"read the {kind.name}s", **filters)
    if kind.name == "port":
        # Those of routers and of DHCP go with what they belong to.
        things = [thing for thing in things if not thing.get("device_owner", "").startswith("network:")]
    return things


def _named(kind, thing):
    return {"kind": kind.name, "id": thing[kind.id], "name": thing.get("name") or thing.get("stack_name") or thing[kind.id]}


def _sweep(cloud, kind, things, left, timeout, clock, sleep):
    """Delete these and wait until each is gone; those that stay are told in ``left``."""
    known = {thing[kind.id]: thing for thing in things}
    asked, last = set(), {}

    def poll():
        return {key: _push(cloud, kind, known[key], asked, last) for key in known if last.get(key) != "gone"}

    try:
        if known:
            Waiter(timeout, 5, tolerate=(Unreachable,), goal="gone", clock=clock, sleep=sleep).run(known, poll, _gone)
    except WaitError as error:
        for key in error.outcome.pending + error.outcome.failed:
            left.append({**_named(kind, known[key]), "why": error.outcome.states[key]})
    return [_named(kind, thing) for key, thing in known.items() if last.get(key) == "gone"]


def _gone(_name, state):
    if state == "gone":
        return DONE
    return FAILED if state.startswith(FORBIDDEN) else PENDING


def _push(cloud, kind, thing, asked, last):
    """Ask for a thing's deletion, again while that is refused, then look whether it is gone. Its state in words."""
    key = thing[kind.id]
    try:
        if key not in asked:
            if kind.name == "router":
                _detach(cloud, thing)
            cloud.ask(kind.service, "DELETE", (kind.delete or kind.path).format(**thing), f"delete the {kind.name}")
            asked.add(key)
        shown = cloud.ask(kind.service, "GET", kind.path.format(**thing), f"read the {kind.name}")
        last[key] = "gone" if _deleted(kind, shown) else "still there"
    except Refused as error:
        if error.status not in (400, 403, 404, 409):
            raise
        # Something still holds it, or it is gone, or it is protected.
        last[key] = "gone" if error.status == 404 else f"{FORBIDDEN if error.status == 403 else ''}{error}"
    return last[key]


def _deleted(kind, shown):
    """Heat shows a stack that is gone for a while."""
    return kind.name == "stack" and (shown.get("stack") or {}).get("stack_status") == "DELETE_COMPLETE"


def _detach(cloud, router):
    for port in cloud.all("network", "/ports", "ports", "read the router's ports", device_id=router["id"]):
        if port.get("device_owner", "").startswith("network:router_interface"):
            path = f"/routers/{router['id']}/remove_router_interface"
            cloud.ask("network", "PUT", path, "detach the router", body={"port_id": port["id"]})


def _rest(cloud, project, users, flavors, check_mode, removed, left):
    """What lies outside of the project: key pairs of its users, these themselves, flavors; at last the project, when nothing is left in it."""
    doomed = []
    for user in users:
        pairs = cloud.all("compute", "/os-keypairs", "keypairs", "read the key pairs", user_id=user["id"])
        doomed += [("key pair", "compute", f"/os-keypairs/{pair['keypair']['name']}?user_id={user['id']}", pair["keypair"]["name"]) for pair in pairs]
        doomed.append(("user", "identity", f"/users/{user['id']}", user["name"]))
    doomed += [("flavor", "compute", f"/flavors/{flavor['id']}", flavor["name"]) for flavor in flavors]
    if project and not left:
        doomed.append(("project", "identity", f"/projects/{project['id']}", project["name"]))
    for kind, service, path, name in doomed:
        if not check_mode:
            try:
                cloud.ask(service, "DELETE", path, f"delete the {kind}")
            except Refused as error:
                if error.status != 404:
                    raise
        removed.append({"kind": kind, "id": path.rsplit("/", 1)[1].partition("?")[0], "name": name})
