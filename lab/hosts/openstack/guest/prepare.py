"""Run inside the OpenStack tree while it is built: databases, schemas, Keystone's first accounts and catalog.

``prepare.py SETUP`` reads the JSON that lab.hosts.openstack.layer wrote (services, passwords, address). Only MariaDB runs meanwhile, without
network; Keystone is asked in this process, through its WSGI application.
"""

import base64
import concurrent.futures
import importlib.metadata
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import traceback

ENVIRONMENT = {**os.environ, "OS_KEYSTONE_CONFIG_FILES": "/etc/keystone/keystone.conf"}


def databases(setup):
    """SQL that makes every database and lets its service in."""
    lines = []
    for name, service in setup["services"].items():
        for host in ("localhost", "%"):
            lines.append(f"CREATE USER '{name}'@'{host}' IDENTIFIED BY '{setup['database_password']}';")
        for database in service.get("databases", []):
            lines.append(f"CREATE DATABASE {database};")
            lines += [f"GRANT ALL ON {database}.* TO '{name}'@'{host}';" for host in ("localhost", "%")]
    return "\n".join(lines)


def run_commands(lines):
    """Run console scripts one after the other: their modules are imported once, here, and every command gets a fork (imports are most of the time)."""
    for line in lines:
        argv = line.split()
        started = time.monotonic()
        script = next(iter(importlib.metadata.entry_points(group="console_scripts", name=argv[0]))).load()
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                sys.argv[:] = ["/usr/bin/" + argv[0], *argv[1:]]
                code = script() or 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else bool(end.code)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code:
            raise SystemExit(f"{line}: exit code {code}")
        print(f"{time.monotonic() - started:.1f} s: {argv[0]} {argv[-2]} {argv[-1]}", flush=True)


def keys():
    """The keys of Keystone's tokens and credentials, as keystone-manage makes them: one to use, one to come."""
    for name in ("fernet-keys", "credential-keys"):
        place = pathlib.Path("/etc/keystone") / name
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in ("0", "1"):
            (place / number).touch(mode=0o600)
            (place / number).write_text(base64.urlsafe_b64encode(os.urandom(32)).decode())
        subprocess.run(["chown", "-R", "keystone:keystone", place], check=True)


def prepare(setup, name):
    """All that one service needs, in a process of its own."""
    lines = list(setup["services"][name].get("prepare", []))
    if name == "keystone":
        keys()
        bootstrap = f"keystone-manage bootstrap --bootstrap-username {setup['keeper']} --bootstrap-role-name Admin --bootstrap-project-name admin"
        lines.append(f"{bootstrap} --bootstrap-region-id {setup['region']}")
        os.environ["OS_BOOTSTRAP_PASSWORD"] = setup["keeper_password"]
    run_commands(lines)
    for unit in setup["services"][name]["units"]:
        # What the service imports gets its byte code now: it runs as a user who could not keep it.
        for script in importlib.metadata.entry_points(group="console_scripts", name=unit):
            script.load()
    if name == "keystone":
        started = time.monotonic()
        accounts(setup)
        print(f"{time.monotonic() - started:.1f} s: accounts", flush=True)


class Keystone:
    """Keystone's API without a server."""

    def __init__(self, user, password):
        # The application reads sys.argv as its own command line.
        sys.argv[1:] = []
        os.environ.update(ENVIRONMENT)
        from keystone.server.wsgi import initialize_public_application

        self.application = initialize_public_application()
        self.token = None
        identity = {"methods": ["password"], "password": {"user": {"name": user, "password": password, "domain": {"id": "default"}}}}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        self.token = self.call("POST", "/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}}, header="X-Subject-Token")

    def call(self, method, path, body=None, header=None):
        data = json.dumps(body).encode() if body is not None else b""
        got = {}

        def start_response(status, headers, exc_info=None):
            got.update(status=status, headers=dict(headers))

        answer = b"".join(
            self.application(
                {
                    "REQUEST_METHOD": method,
                    "SCRIPT_NAME": "",
                    "PATH_INFO": path,
                    "QUERY_STRING": "",
                    "SERVER_NAME": "localhost",
                    "SERVER_PORT": "5000",
                    "SERVER_PROTOCOL": "HTTP/1.1",
                    "CONTENT_TYPE": "application/json",
                    "CONTENT_LENGTH": str(len(data)),
                    "HTTP_X_AUTH_TOKEN": self.token or "",
                    "REMOTE_ADDR": "127.0.0.1",
                    "wsgi.version": (1, 0),
                    "wsgi.url_scheme": "http",
                    "wsgi.input": io.BytesIO(data),
                    "wsgi.errors": sys.stderr,
                    "wsgi.multithread": False,
                    "wsgi.multiprocess": False,
                    "wsgi.run_once": False,
                },
                start_response,
            )
        )
        if not got["status"].startswith("2"):
            raise SystemExit(f"{method} {path}: {got['status']} {answer.decode()}")
        return got["headers"][header] if header else (json.loads(answer) if answer else None)

    def create(self, kind, **what):
        """POST one thing; its id."""
        plural = {"policy": "policies"}.get(kind, kind + "s")
        return self.call("POST", f"/v3/{plural}", {kind: what})[kind]["id"]

    def role(self, name):
        return next((r["id"] for r in self.call("GET", "/v3/roles")["roles"] if r["name"] == name), None)

    def grant(self, project, user, role):
        self.call("PUT", f"/v3/projects/{project}/users/{user}/roles/{role}")


def accounts(setup):
    """The accounts as the keystone charm makes them: admin in a domain of its own, the services in theirs; and the internal endpoints."""
    keystone = Keystone(setup["keeper"], setup["keeper_password"])
    admin_role = keystone.role("Admin")
    service_role = keystone.role("service") or keystone.create("role", name="service")

    domain = keystone.create("domain", name="admin_domain", description="Created by the lab")
    project = keystone.create("project", name="admin", domain_id=domain)
    user = keystone.create("user", name="admin", domain_id=domain, password=setup["keeper_password"])
    keystone.grant(project, user, admin_role)
    keystone.call("PUT", f"/v3/domains/{domain}/users/{user}/roles/{admin_role}")
    keystone.call("PUT", f"/v3/system/users/{user}/roles/{admin_role}")

    domain = keystone.create("domain", name="service_domain", description="Created by the lab")
    project = keystone.create("project", name="services", domain_id=domain)
    for service in setup["services"].values():
        if "account" in service:
            user = keystone.create("user", name=service["account"], domain_id=domain, password=setup["service_password"])
            keystone.grant(project, user, admin_role)
            keystone.grant(project, user, service_role)

    # Heat's own domain, as its charm's action domain-setup makes it.
    domain = keystone.create("domain", name="heat", description="Created by the lab")
    user = keystone.create("user", name="heat_domain_admin", domain_id=domain, password=setup["service_password"])
    keystone.call("PUT", f"/v3/domains/{domain}/users/{user}/roles/{admin_role}")
    keystone.create("role", name="heat_stack_user")

    known = {s["type"]: s["id"] for s in keystone.call("GET", "/v3/services")["services"]}
    for name, service in setup["services"].items():
        catalog = service.get("catalog")
        if catalog and not service.get("on_demand"):
            number = known.get(catalog["type"]) or keystone.create("service", type=catalog["type"], name=catalog.get("name", name))
            url = f"http://{setup['address']}:{catalog['port']}{catalog['path']}"
            keystone.create("endpoint", service_id=number, interface="internal", url=url, region_id="RegionOne")


def separately(name):
    """``prepare`` of one service as a process; its output."""
    done = subprocess.run([sys.executable, *sys.argv[:2], name], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"{name} could not be prepared:\n{done.stdout[-4000:]}")
    return "\n".join(f"{name}: {line}" for line in done.stdout.splitlines() if " s: " in line)


def main():
    setup = json.loads(pathlib.Path(sys.argv[1]).read_text())
    if len(sys.argv) > 2:
        prepare(setup, sys.argv[2])
        return
    place = pathlib.Path("/run/mysqld")
    place.mkdir(exist_ok=True)
    shutil.chown(place, "mysql", "mysql")
    log = pathlib.Path("/tmp/mariadbd.log").open("w+")  # noqa: SIM115
    server = subprocess.Popen(["/usr/sbin/mariadbd", "--user=mysql", "--skip-networking"], stdout=log, stderr=log)
    try:
        for _attempt in range(300):
            if (place / "mysqld.sock").exists():
                break
            if server.poll() is not None:
                log.seek(0)
                raise SystemExit(f"mariadbd ended with {server.returncode}\n{log.read()[-2000:]}")
            time.sleep(0.1)
        subprocess.run(["mariadb"], input=databases(setup), text=True, check=True)
        # The longest first, one for each processor.
        longest = ("nova", "neutron", "keystone")
        order = sorted(setup["services"], key=lambda name: longest.index(name) if name in longest else len(longest))
        with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
            for output in pool.map(separately, order):
                print(output, flush=True)
    finally:
        server.terminate()
        server.wait(60)


if __name__ == "__main__":
    main()
