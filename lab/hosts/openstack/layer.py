"""The OpenStack tree: a layer over the base tree with packages, configuration, byte code and prepared databases.

Time is what matters here (two cores, and lab-up from nothing has to stay under five minutes), hence: nothing is flushed to the disk (a volatile
overlay), no byte code of what never runs, no test suites, no documentation, and the schemas are made once, here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

import yaml

from lab.hosts import tree

HERE = Path(__file__).parent
GUEST = HERE / "guest"
ADDRESS = "10.42.0.8"
SETUP = "usr/lib/stratus-lab/openstack.json"
PACKAGES = "usr/lib/python3/dist-packages"
REGION = "RegionOne"
KEEPER = "lab-keeper"
TARGET = "stratus-openstack.target"

# Not unpacked: nobody runs the test suites, and byte code for them takes a third of all the time. Cinder's fake driver lives among its tests.
TESTS = ("nova", "neutron", "keystone", "glance", "placement", "heat", "networkx", "numpy", "os_ken", "botocore")
EXCLUDE = [f"/{PACKAGES}/{name}/tests/*" for name in TESTS]
EXCLUDE += ["/usr/include/*", "/usr/share/OVMF/*", "/usr/share/ovmf/*", "/usr/share/fonts/*", f"/{PACKAGES}/mypy/typeshed/*"]

# What gets byte code as a whole; all else gets it by being imported while the databases are prepared.
COMPILED = ["nova", "neutron", "neutron_lib", "keystone", "glance", "placement", "cinder", "heat", "sqlalchemy", "oslo_messaging", "kombu", "amqp", "eventlet"]
NOT_COMPILED = "/(tests?|docs?|examples|cinder/volume/drivers/[a-z_]+|nova/virt/(libvirt|hyperv|vmwareapi|powervm|zvm)|neutron/agent|drivers/ovn)/"


def services() -> dict[str, Any]:
    """What services.yml says."""
    return yaml.safe_load((HERE / "services.yml").read_text())


def packages(data: dict[str, Any]) -> list[str]:
    names = list(data["infrastructure"]["packages"])
    for service in data["services"].values():
        names += service["packages"]
    return names


def always(data: dict[str, Any]) -> list[str]:
    """Units of the services that run whatever the models ask for."""
    return [name for service in data.values() if not service.get("on_demand") for name in service["units"]]


def ingredients(base: Path, address: str = ADDRESS) -> list[Any]:
    """All that the tree is made of; another value means another build."""
    files = {str(file.relative_to(GUEST)): file.read_text() for file in sorted(GUEST.rglob("*")) if file.is_file() and "__pycache__" not in file.parts}
    return ["openstack", 1, tree.stamp(base).read_text().strip(), address, services(), files, EXCLUDE, Path(__file__).read_text()]


def secrets_of(path: Path) -> dict[str, str]:
    """Passwords of the tree at ``path`` (made by its build, so no checkout shares them): keeper, keeper_password, service_password..."""
    return json.loads((path / SETUP).read_text())


def build(path: Path, base: Path, address: str = ADDRESS, log: Path | None = None, say: Callable[[str], None] = print) -> Path:
    """The layer at ``path`` over the base tree ``base``; built when absent or made of other ingredients."""
    stuff = ingredients(base, address)
    if tree.is_built(path, stuff):
        return path
    say("building the OpenStack tree")
    started = time.monotonic()
    tree.stamp(path).unlink(missing_ok=True)
    tree.remove(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{path.name}.", dir=path.parent))
    work.chmod(0o755)
    try:
        for name in ("upper", "work", "merged"):
            (work / name).mkdir()
        # Its own mounts and processes: both are gone with it, however it ends.
        argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        argv += [sys.executable, "-m", __name__, str(work), str(base), address]
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "PYTHONPATH": str(HERE.parents[2])}
        tree.call(argv, log, environment)
        (work / "upper").rename(path)
        tree.stamp(path).write_text(tree.digest(stuff) + "\n")
    finally:
        tree.remove(work)
    say(f"built {path.name} in {time.monotonic() - started:.0f} s")
    return path


# -- inside the build's own namespaces -----------------------------------------------------------------------------------------------------
def install(merged: Path, data: dict[str, Any]) -> None:
    """The packages, with services that do not start and byte code that is not made."""
    (merged / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (merged / "usr/sbin/policy-rc.d").chmod(0o755)
    mount("--bind", "/bin/true", str(merged / "usr/bin/py3compile"))
    # MariaDB sizes its log when it makes its files, so its settings come first.
    copy(merged, "etc/mysql/mariadb.conf.d/90-lab.cnf", {})
    excludes = [f"--path-exclude={pattern}" for pattern in EXCLUDE]
    options = [f"-oDpkg::Options::={option}" for option in ["--force-unsafe-io", "--force-confold", *excludes]]
    enter(merged, ["apt-get", "-q", "update"])
    enter(merged, ["apt-get", "-q", "-y", "--no-install-recommends", *options, "install", *packages(data)])
    subprocess.run(["umount", str(merged / "usr/bin/py3compile")], check=True)


def template(name: str, values: dict[str, str]) -> str:
    """A file below guest/, with ``values`` in it."""
    text = (GUEST / name).read_text()
    return Template(text).substitute(values) if values else text


def copy(merged: Path, name: str, values: dict[str, str], owner: str = "root", mode: int = 0o640) -> None:
    target = merged / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.write_text(template(name, values))
    if values:
        target.chmod(mode)
        enter(merged, ["chown", f"root:{owner}", "/" + name])


def settings(setup: dict[str, Any], service: str) -> dict[str, str]:
    """What a service's configuration templates may use."""
    account = setup["services"][service].get("account", service)
    credentials = "\n".join(
        [
            "auth_type = password",
            f"auth_url = http://{setup['address']}:5000",
            "project_domain_name = service_domain",
            "user_domain_name = service_domain",
            "project_name = services",
            f"username = {account}",
            f"password = {setup['service_password']}",
            f"region_name = {REGION}",
        ]
    )
    authtoken = "\n".join(
        [
            "[keystone_authtoken]",
            f"www_authenticate_uri = http://{setup['address']}:5000",
            "memcached_servers = 127.0.0.1:11211",
            "interface = internal",
            "service_token_roles_required = true",
            credentials,
        ]
    )
    values = {name: setup[name] for name in ("address", "rabbit_password", "service_password", "secret")}
    values |= {"credentials": credentials, "authtoken": authtoken}
    for database in setup["services"][service].get("databases", []):
        where = f"mysql+pymysql://{service}:{setup['database_password']}@localhost/{database}?unix_socket=/run/mysqld/mysqld.sock&charset=utf8"
        values.setdefault("database", where)
        values[f"database_{database}"] = where
    return values


def configure(merged: Path, base: Path, setup: dict[str, Any]) -> None:
    """Configuration files, plug-ins and units; none of the packages' own units stays enabled."""
    for file in sorted((GUEST / "etc").rglob("*")):
        if not file.is_file():
            continue
        name = str(file.relative_to(GUEST))
        owner = name.split("/")[1]
        if owner == "rabbitmq":
            copy(merged, name, {"rabbit_password": setup["rabbit_password"]}, "rabbitmq")
        elif owner in setup["services"]:
            copy(merged, name, settings(setup, owner), owner)

    python = merged / PACKAGES
    shutil.copy(GUEST / "plugins/nova_virt_lab.py", python / "nova/virt/lab.py")
    shutil.copy(GUEST / "plugins/neutron_lab.py", python / "neutron_lab.py")
    information = python / "neutron_lab-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: neutron-lab\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[neutron.ml2.mechanism_drivers]\nlab = neutron_lab:LabMechanism\n")

    # Nothing that came with the packages starts by itself.
    for link in (merged / "etc/systemd/system").glob("*.wants/*"):
        if not os.path.lexists(base / link.relative_to(merged)):
            link.unlink()
    after = "mariadb.service"
    data = services()
    for name, unit in data["infrastructure"]["units"].items():
        write_unit(merged, name, unit, "", TARGET)
    for service in data["services"].values():
        for name, unit in service["units"].items():
            write_unit(merged, name, unit, after, TARGET)
    for name, unit in data["compute"].items():
        write_unit(merged, name, unit, "", "multi-user.target")
    units = [f"{name}.service" for name in [*data["infrastructure"]["units"], *always(data["services"])]]
    (merged / "etc/systemd/system" / TARGET).write_text(
        f"[Unit]\nDescription=OpenStack of the stratus lab\nWants={' '.join(units)}\n\n[Install]\nWantedBy=multi-user.target\n"
    )


def write_unit(merged: Path, name: str, unit: dict[str, str], after: str, wanted_by: str) -> None:
    directories = unit.get("directories")
    values = {
        "name": name,
        "after": f"{after} {unit.get('after', '')}".strip(),
        "part_of": f"PartOf={TARGET}" if wanted_by == TARGET else "",
        "type": unit.get("type", "simple"),
        "user": unit["user"],
        "nice": unit.get("nice", 0),
        "directories": f"RuntimeDirectory={directories}\nRuntimeDirectoryPreserve=yes" if directories else "",
        "command": unit["command"],
        "restart": unit.get("restart", "on-failure"),
        "wanted_by": wanted_by,
    }
    # In /etc, where it hides the package's unit of the same name.
    target = merged / "etc/systemd/system" / f"{name}.service"
    target.unlink(missing_ok=True)
    target.write_text(Template((GUEST / "unit.service").read_text()).substitute(values))


def compile_code(merged: Path) -> None:
    """Byte code of what the services import: they run as their own users and could not keep it."""
    places = [f"/{PACKAGES}/{name}" for name in COMPILED]
    enter(merged, ["python3", "-m", "compileall", "-q", "-j", str(os.cpu_count() or 1), "-x", NOT_COMPILED, *places], check=False)


def mount(*argv: str) -> None:
    subprocess.run(["mount", *argv], check=True)


def enter(merged: Path, argv: list[str], check: bool = True) -> None:
    started = time.monotonic()
    environment = {"PATH": os.environ["PATH"], "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["chroot", str(merged), *argv], check=check, env=environment)
    print(f"-- {time.monotonic() - started:.1f} s: {' '.join(argv)[:120]}", flush=True)


def main(work: Path, base: Path | str, address: str) -> None:
    merged = work / "merged"
    mount("-t", "overlay", "overlay", "-o", f"lowerdir={base},upperdir={work}/upper,workdir={work}/work,volatile", str(merged))
    mount("-t", "proc", "proc", str(merged / "proc"))
    for name in ("sys", "dev"):
        mount("--rbind", f"/{name}", str(merged / name))
    for name in ("run", "tmp"):
        mount("-t", "tmpfs", "tmpfs", str(merged / name))
    if not (merged / "etc/resolv.conf").is_symlink():
        (merged / "etc/resolv.conf").write_text(Path("/etc/resolv.conf").read_text())
    data = services()
    password = {f"{name}_password": os.urandom(12).hex() for name in ("keeper", "service", "database", "rabbit")}
    password["secret"] = os.urandom(16).hex()
    setup = {"address": address, "region": REGION, "keeper": KEEPER, "services": data["services"], **password}
    install(merged, data)
    configure(merged, base, setup)
    place = merged / SETUP
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch(mode=0o600)
    place.write_text(json.dumps(setup, indent=1))
    compile_code(merged)
    shutil.copy(GUEST / "prepare.py", place.parent / "prepare.py")
    enter(merged, ["python3", f"/{place.parent.relative_to(merged)}/prepare.py", "/" + SETUP])
    tree.finish(merged)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
