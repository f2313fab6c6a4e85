# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One cloud, by openstacksdk's session: requests and plain dictionaries, nothing of the SDK's own resources.

The SDK's resources filter what they read once more by names of their own: ``compute.servers(host=...)`` is always empty
(openstacksdk 4.22, because ``host`` is also a field of the body). Here every filter goes to the service as it is.
"""

from __future__ import annotations

import os
import time
import traceback
from email.utils import parsedate_to_datetime

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.stratus.cloud.plugins.module_utils.nova.errors import NovaFault, Refused, Unreachable, WriteInCheckMode, explain, sentence

try:
    from keystoneauth1 import exceptions as keystone
    from openstack import config, connection
    from openstack import exceptions as sdk
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    OPENSTACK_IMPORT_ERROR = None
except ImportError:
    OPENSTACK_IMPORT_ERROR = traceback.format_exc()

# Nova of Yoga; the oldest release in bundles/versions.yml. Gives services and hypervisors by UUID (2.53), asynchronous
# checks of live migrations (2.34), the words of a failed action (2.84), and no `force` (gone in 2.68).
# https://docs.openstack.org/nova/latest/reference/api-microversion-history.html
COMPUTE = (2, 90)
# From here on a server says which availability zone it was asked into.
PINNED = (2, 96)
# Placement of Train, all that is used here; Zun of Rocky: containers are deleted by force from 1.7 on.
MICROVERSIONS = {"placement": "1.36", "container": "1.20"}
PAGE = 500
# Seconds for which reads are tried again when the fault passes.
RETRY_FOR = 60.0
# Of a write these leave open what became of it. A read may be asked again after any fault of the service.
PASSING = (429, 502, 503, 504)
# The SDK sends what was lost a second time, also a write; what is repeated is decided here.
ONCE = {"connect_retries": 0, "status_code_retries": 0}


class Client:
    def __init__(self, options, read_only=False, clock=time.monotonic, sleep=time.sleep):
        """``options``: the module's."""
        if OPENSTACK_IMPORT_ERROR:
            raise NovaFault(missing_required_lib("openstacksdk"), exception=OPENSTACK_IMPORT_ERROR)
        self.read_only, self.retry_for = read_only, RETRY_FOR
        self._clock, self._sleep = clock, sleep
        self._connection = _connect(options)
        self._microversion = None
        self.requests = 0
        self.date = None

    def close(self):
        self._connection.close()

    # -- requests -----------------------------------------------------------------------------------------------------
    def ask(self, service, method, path, what, params=None, body=None, data=None):
        """The answer's body and headers. ``body`` is sent as JSON, ``data`` (bytes) as it is. Reads are repeated while the fault passes; a write never is."""
        if method != "GET" and self.read_only:
            raise WriteInCheckMode(f"Cannot {what}: check mode sends no write")
        began = self._clock()
        while True:
            try:
                return self._once(service, method, path, what, params, body, data)
            except Unreachable:
                if method != "GET" or self._clock() - began >= self.retry_for:
                    raise
            self._sleep(2)

    def _once(self, service, method, path, what, params, body, data):
        self.requests += 1
        headers = {"OpenStack-API-Version": f"{service} {MICROVERSIONS[service]}"} if service in MICROVERSIONS else {}
        if data is not None:
            headers["Content-Type"] = "application/octet-stream"
        try:
            more = {"microversion": self._compute_version()} if service == "compute" else {"headers": headers}
            # openstacksdk knows no Zun: its path is a whole URL, which any proxy takes.
            proxy = getattr(self._connection, "identity" if service == "container" else service)
            answer = proxy.request(path, method, params=params, json=body, data=data, raise_exc=False, **ONCE, **more)
        except keystone.SSLError as error:
            raise NovaFault(
                f"Cannot {what}: the certificate of the cloud is not trusted; give its authority's in ca_cert or in clouds.yaml ({error})"
            ) from None
        except keystone.ConnectionError as error:
            # Only a connection that never stood says that nothing was done.
            raise Unreachable(f"Cannot {what}: {error}", sent=_stood(error)) from None
        except (keystone.ClientException, sdk.SDKException) as error:
            raise _refusal(error, what) from None
        self.date = answer.headers.get("Date", self.date)
        try:
            content = answer.json() if answer.content else {}
        except ValueError:
            content = answer.text
        if answer.status_code in PASSING or (method == "GET" and answer.status_code >= 500):
            raise Unreachable(explain(answer.status_code, content, what), sent=True)
        if answer.status_code >= 400:
            raise Refused(explain(answer.status_code, content, what), status=answer.status_code, said=sentence(content))
        return content, answer.headers

    def _compute_version(self):
        if self._microversion is None:
            about = self._connection.compute.get_endpoint_data()
            newest = tuple(about.max_microversion or ()) if about else ()
            self._microversion = "{}.{}".format(*(min(newest, PINNED) if newest > COMPUTE else COMPUTE))
        return self._microversion

    @property
    def pins_known(self):
        """Whether servers say which availability zone they were asked into."""
        return self._compute_version() == "{}.{}".format(*PINNED)

    def _get(self, service, path, what, **params):
        return self.ask(service, "GET", path, what, params={key: value for key, value in params.items() if value is not None})[0]

    def _all(self, path, key, what, marker="id", **params):
        """A listing of nova, page by page."""
        found = []
        while True:
            page = self._get("compute", path, what, limit=PAGE, marker=found[-1][marker] if found else None, **params)[key]
            found += page
            if len(page) < PAGE:
                return found

    def now(self):
        """The cloud's own time as of its last answer, in seconds since 1970; None when it tells none."""
        return parsedate_to_datetime(self.date).timestamp() if self.date else None

    # -- reading ------------------------------------------------------------------------------------------------------
    def services(self):
        found = self._get("compute", "/os-services", "read the compute services", binary="nova-compute")["services"]
        return _whole(found, "id", "compute host", "host")

    def hypervisors(self):
        return self._all("/os-hypervisors/detail", "hypervisors", "read the hypervisors")

    def servers(self, **filters):
        return _whole(self._all("/servers/detail", "servers", "read the servers", all_tenants=1, **filters), "name", "server", "id")

    def server(self, server):
        return _whole([self._get("compute", f"/servers/{server}", f"read server {server}")["server"]], "name", "server", "id")[0]

    def server_groups(self):
        # This listing knows no marker, but an offset.
        found = []
        while True:
            page = self._get("compute", "/os-server-groups", "read the server groups", all_projects=True, limit=PAGE, offset=len(found))["server_groups"]
            found += page
            if len(page) < PAGE:
                return found

    def migrations(self, **filters):
        """Records of live migrations, the newest first."""
        what = "read the records of migrations"
        return self._all("/os-migrations", "migrations", what, marker="uuid", migration_type="live-migration", **filters)

    def progress(self, server, migration):
        """Memory and disk of a migration that is under way; empty when it is none any more."""
        try:
            return self._get("compute", f"/servers/{server}/migrations/{migration}", f"read migration {migration}")["migration"]
        except Refused as error:
            if error.status == 404:
                return {}
            raise

    def action(self, server, request):
        """What nova noted of one request to a server; empty when nothing."""
        try:
            return self._get("compute", f"/servers/{server}/os-instance-actions/{request}", f"read the actions of server {server}")["instanceAction"]
        except Refused as error:
            if error.status == 404:
                return {}
            raise

    def inventories(self, provider):
        return self._get("placement", f"/resource_providers/{provider}/inventories", "read inventories of placement")["inventories"]

    def allocations(self, provider):
        return self._get("placement", f"/resource_providers/{provider}/allocations", "read allocations of placement")["allocations"]

    def providers(self, name):
        return self._get("placement", "/resource_providers", "read resource providers of placement", name=name)["resource_providers"]

    def agents(self, host):
        return self._get("network", "/agents", "read the network agents", host=host)["agents"]

    # -- writing ------------------------------------------------------------------------------------------------------
    def update_service(self, service, **fields):
        return self.ask("compute", "PUT", f"/os-services/{service}", "change the compute service", body=fields)[0]["service"]

    def delete_service(self, service):
        self.ask("compute", "DELETE", f"/os-services/{service}", "remove the compute service")

    def delete_agent(self, agent):
        self.ask("network", "DELETE", f"/agents/{agent}", "remove the network agent")

    def delete_provider(self, provider):
        self.ask("placement", "DELETE", f"/resource_providers/{provider}", "remove the resource provider")

    def live_migrate(self, server, host, block_migration):
        """The id under which nova notes what comes of it. The answer is 202 whatever comes of it."""
        body = {"os-migrateLive": {"host": host, "block_migration": block_migration}}
        return self.ask("compute", "POST", f"/servers/{server}/action", "live-migrate it", body=body)[1].get("x-openstack-request-id")

    def abort(self, server, migration):
        self.ask("compute", "DELETE", f"/servers/{server}/migrations/{migration}", "abort its migration")

    def force_complete(self, server, migration):
        self.ask("compute", "POST", f"/servers/{server}/migrations/{migration}/action", "force its migration to the end", body={"force_complete": None})


def _connect(options):
    """A connection as the modules of openstack.cloud make it: by the cloud's name, by a dictionary, or by the environment."""
    names = {
        "auth": "auth",
        "auth_type": "auth_type",
        "region_name": "region_name",
        "validate_certs": "verify",
        "ca_cert": "cacert",
        "client_cert": "cert",
        "client_key": "key",
        "api_timeout": "api_timeout",
        "interface": "interface",
    }
    given = {theirs: options[ours] for ours, theirs in names.items() if options.get(ours) is not None}
    cloud, file = options.get("cloud"), options.get("clouds_file")
    if file and not os.path.isfile(file):
        raise NovaFault(f"There is no file {file} (clouds_file, or OS_CLIENT_CONFIG_FILE)")
    try:
        if isinstance(cloud, dict):
            region = config.OpenStackConfig(load_yaml_config=False, load_envvars=False).get_one(**{**cloud, **given})
        else:
            region = config.OpenStackConfig(config_files=[file] if file else None).get_one(cloud=cloud, **given)
        return connection.Connection(config=region)
    except (sdk.SDKException, keystone.ClientException) as error:
        raise NovaFault(f"Cannot tell which cloud is meant: {error} Give its name in clouds.yaml as cloud (or OS_CLOUD)") from None


def _stood(error):
    """Whether there was a connection. keystoneauth tells of one that was cut after the request as of one that was never made."""
    # What requests raised, then what urllib3 put inside. Not all that is chained: faults of earlier tries are among that.
    inner = error.__cause__ or error.__context__
    while isinstance(inner, Exception):
        # Refused, no such name, no route, or no answer to the attempt.
        if isinstance(inner, (NewConnectionError, ConnectTimeoutError)):
            return False
        inner = getattr(inner, "reason", None) or getattr(inner, "original_error", None) or next(iter(inner.args), None)
    return True


def _whole(found, key, kind, name):
    """What was read, if it has all that counts: of a cell that does not answer nova tells little more than names (from 2.69 on), without ``key``.

    https://docs.openstack.org/api-guide/compute/down_cells.html
    """
    lost = [one[name] for one in found if key not in one]
    if lost:
        named = f"{kind} {lost[0]}" if len(lost) == 1 else f"{kind}s {', '.join(lost[:10])}{' and others' if len(lost) > 10 else ''}"
        raise Unreachable(
            f"The cell of {named} does not answer: see that its database and its message queue run (`nova-manage cell_v2 list_cells` tells where they are)"
        )
    return found


def _refusal(error, what):
    status = getattr(error, "http_status", None) or getattr(error, "status_code", None) or 0
    if status == 429 or status >= 500:
        return Unreachable(explain(status, str(error), what), sent=True)
    if status:
        return Refused(explain(status, str(error), what), status=status, said=str(error))
    return NovaFault(f"Cannot {what}: {' '.join(str(error).split())}")
