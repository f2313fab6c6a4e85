"""The `maas` command of the lab's region snap: the commands that set a region up. It really uses the PostgreSQL it is given."""

import argparse
import getpass
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.parse

import lab_control as lab

COMMON = "/var/snap/maas/common"
DATA = "/var/snap/maas/current"
MODE = f"{COMMON}/snap_mode"
CONFIG = f"{DATA}/regiond.conf"
UNIT = "snap.maas.pebble"
TEST_DB = "maas-test-db:///"
URI_HELP = (
    "URI for the MAAS Postgres database: postgres://user:pass@host:port/dbname, or maas-test-db:/// when the maas-test-db snap is installed and connected"
)
URL_HELP = "URL at which nodes and other controllers reach this MAAS"


class CommandError(Exception):
    """Shown to the user by the command's own way of failing."""


# -- prompts -------------------------------------------------------------------------------------------------------------
def read_input(prompt):
    """A line from stdin. At the end of input the real command asks again for ever; this one gives up after half a minute."""
    for _ in range(30):
        try:
            return input(prompt)
        except EOFError:
            print(flush=True)
            time.sleep(1)
        except KeyboardInterrupt:
            break
    print()
    raise SystemExit(1)


def required_prompt(title, default=None, help_text=None):
    value = None
    prompt = f"{title} [default={default}]: " if default is not None else f"{title}: "
    while not value or value == "help":
        value = read_input(prompt) or default
        if value == "help" and help_text:
            print(help_text)
    return value


def read_password(prompt):
    for _ in range(30):
        try:
            return getpass.getpass(prompt)
        except EOFError:
            print(flush=True)
            time.sleep(1)
    raise SystemExit(1)


# -- state ---------------------------------------------------------------------------------------------------------------
def current_mode():
    try:
        with open(MODE) as stream:
            return stream.read().strip()
    except FileNotFoundError:
        return "none"


def read_config(path=CONFIG):
    try:
        with open(path) as stream:
            return dict(line.rstrip("\n").split(": ", 1) for line in stream if ": " in line)
    except FileNotFoundError:
        return {}


def write_config(settings):
    config = {**read_config(), **{key: str(value) for key, value in settings.items() if value is not None}}
    lab.write(CONFIG, "".join(f"{key}: {value}\n" for key, value in sorted(config.items())), 0o640)


def default_url():
    """http://<address of the interface with the default route>:5240/MAAS"""
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect(("198.51.100.1", 9))
        address = probe.getsockname()[0]
    except OSError:
        address = "localhost"
    finally:
        probe.close()
    return f"http://{address}:5240/MAAS"


# -- database ------------------------------------------------------------------------------------------------------------
def database_settings(uri):
    """The parts of a database URI, or a CommandError in the words of the real command."""
    if uri != TEST_DB and not uri.startswith("postgres://"):
        raise CommandError(f"Database URI needs to be either '{TEST_DB}' or start with 'postgres://'")
    if uri == TEST_DB:
        return {"host": f"{COMMON}/test-db-socket", "name": "maasdb", "user": "maas", "password": None, "port": 5432}
    try:
        parts = urllib.parse.urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise CommandError(f"Error parsing database URI: {error}") from error
    query = dict(urllib.parse.parse_qsl(parts.query))
    unknown = sorted(set(query) - {"user", "password", "host", "dbname", "port"})
    if unknown:
        raise CommandError("Error parsing database URI: Unsupported parameters: " + ", ".join(unknown))
    user = urllib.parse.unquote(parts.username) if parts.username else query.get("user")
    if not user:
        raise CommandError(f"No user found in URI: {uri}")
    password = urllib.parse.unquote(parts.password) if parts.password is not None else query.get("password")
    name = urllib.parse.unquote(parts.path.lstrip("/")) or query.get("dbname") or user
    host = urllib.parse.unquote(parts.hostname) if parts.hostname else query.get("host", "localhost")
    return {"host": host, "name": name, "user": user, "password": password, "port": port or int(query.get("port", 5432))}


def connect(settings):
    """A connection to the region's database; a CommandError in libpq's words when there is none."""
    import pg8000.dbapi

    try:
        found = socket.getaddrinfo(settings["host"], settings["port"], type=socket.SOCK_STREAM)
    except OSError:
        raise CommandError(f'could not translate host name "{settings["host"]}" to address: Name or service not known') from None
    problems = []
    for address in dict.fromkeys(entry[4][0] for entry in found):
        where = f'connection to server at "{settings["host"]}" ({address}), port {settings["port"]} failed'
        try:
            return pg8000.dbapi.connect(
                user=settings["user"], password=settings["password"], host=address, port=settings["port"], database=settings["name"], timeout=10
            )
        except pg8000.dbapi.DatabaseError as error:
            detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
            problems.append(f"{where}: {detail.get('S', 'FATAL')}:  {detail.get('M', error)}")
        except pg8000.dbapi.InterfaceError as error:
            if "password" in str(error):
                problems.append(f"{where}: fe_sendauth: no password supplied")
            else:
                problems.append(f"{where}: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?")
    raise CommandError("\n".join(problems))


def has_tables(connection):
    cursor = connection.cursor()
    cursor.execute(
        "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema') AND pg_catalog.pg_table_is_visible(c.oid)"
    )
    return cursor.fetchone()[0] > 0


def migrate(settings):
    """Make what marks a database as a region's. Fails as Django does on a server that is too old or without the right to create."""
    try:
        connection = connect(settings)
        cursor = connection.cursor()
        cursor.execute("SHOW server_version_num")
        number = int(cursor.fetchone()[0])
        if number < 120000:
            raise CommandError(f"PostgreSQL 12 or later is required (found {number // 10000}.{number % 10000}).")
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS django_migrations (id bigserial PRIMARY KEY, app varchar(255) NOT NULL, name varchar(255) NOT NULL, "
            "applied timestamptz NOT NULL DEFAULT now())"
        )
        cursor.execute(
            "INSERT INTO django_migrations (app, name) SELECT 'maasserver', '0001_initial' "
            "WHERE NOT EXISTS (SELECT 1 FROM django_migrations WHERE app = 'maasserver' AND name = '0001_initial')"
        )
        cursor.execute("CREATE TABLE IF NOT EXISTS maasserver_config (id bigserial PRIMARY KEY, name varchar(255) UNIQUE NOT NULL, value jsonb)")
        connection.commit()
        connection.close()
    except CommandError as error:
        return str(error)
    except Exception as error:
        detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        return detail.get("M") or str(error)
    return None


def need_init(settings):
    """The real command takes every failure for an empty database, and fails in the migrations."""
    try:
        connection = connect(settings)
    except CommandError:
        return True
    try:
        return not has_tables(connection)
    finally:
        connection.close()


def saved_database():
    config = read_config()
    return {
        "host": config.get("database_host"), "name": config.get("database_name"), "user": config.get("database_user"),
        "password": config.get("database_pass"), "port": int(config.get("database_port", 5432)),
    }  # fmt: skip


# -- services ------------------------------------------------------------------------------------------------------------
def systemctl(*words):
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)


def start_services():
    """The region's door: its port on this host leads to the lab's region."""
    lab.write(f"/etc/systemd/system/{UNIT}.socket", "[Unit]\nDescription=Region of the lab\n\n[Socket]\nListenStream=0.0.0.0:5240\nNoDelay=true\n\n"
              "[Install]\nWantedBy=sockets.target\n")  # fmt: skip
    lab.write(f"/etc/systemd/system/{UNIT}.service", f"[Unit]\nDescription=Region of the lab\nRequires={UNIT}.socket\n\n[Service]\n"
              "ExecStart=/lib/systemd/systemd-socket-proxyd /opt/lab/run/maas.sock\n")  # fmt: skip
    systemctl("daemon-reload")
    systemctl("enable", f"{UNIT}.socket")
    result = systemctl("restart", f"{UNIT}.socket")
    if result.returncode:
        raise CommandError(f"the services of the region could not be started: {result.stderr.strip()}")


def stop_services():
    systemctl("stop", f"{UNIT}.socket", f"{UNIT}.service")


# -- commands ------------------------------------------------------------------------------------------------------------
def traceback_exit(kind, message, where="maas"):
    """Errors of the snap's own commands are shown as Python shows them."""
    print(f'Traceback (most recent call last):\n  File "/snap/maas/current/bin/{where}", line 8, in <module>\n    sys.exit(main())', file=sys.stderr)
    print(f"{kind}: {message}", file=sys.stderr)
    raise SystemExit(1)


def cmd_init(options):
    if not lab.is_root():
        lab.fail("The 'init' command must be run by root.")
    mode = options.run_mode
    if current_mode() != "none" and not options.force:
        print("Controller has already been initialized.")
        while True:
            answer = read_input("Are you sure you want to initialize again (yes/no) [default=no]? ") or "no"
            if answer in ("yes", "no"):
                break
            print("Invalid input, try again.\n")
        if answer == "no":
            return 0
    settings = {}
    database = None
    if mode in ("region", "region+rack"):
        uri = options.database_uri or required_prompt("Database URI", help_text=URI_HELP)
        try:
            database = database_settings(uri)
        except CommandError as error:
            traceback_exit("maascli.command.CommandError", error)
        settings = {"database_host": database["host"], "database_port": database["port"], "database_name": database["name"],
                    "database_user": database["user"], "database_pass": database["password"]}  # fmt: skip
    url = options.maas_url or required_prompt("MAAS URL", default_url(), URL_HELP)
    if mode == "rack" and not getattr(options, "secret", None):
        required_prompt("Secret")
    if current_mode() != "none":
        print("Stopping services", flush=True)
        stop_services()
    write_config({"maas_url": url, "num_workers": getattr(options, "num_workers", None), **settings})
    fresh = False
    if database:
        fresh = need_init(database)
        if fresh:
            print("Performing database migrations", flush=True)
            problem = migrate(database)
            if problem:
                if sys.stdout.isatty():
                    print(f"Failed to perfom migrations:\n{problem}\n")
                    return 1
                print(f"django.db.utils.OperationalError: {problem}\n", file=sys.stderr)
                traceback_exit(
                    "subprocess.CalledProcessError", "Command '['/snap/maas/current/bin/maas-region', 'dbupgrade']' returned non-zero exit status 1."
                )
            print("Running migrations:\n  Applying maasserver.0001_initial... OK", flush=True)
        lab.ask("POST", "/maas/init", {"url": url, "mode": mode, "fresh": fresh, "version": snap_version()})
    print("Starting services", flush=True)
    os.makedirs(f"{COMMON}/maas", exist_ok=True)
    if not os.path.exists(f"{COMMON}/maas/secret"):
        lab.write(f"{COMMON}/maas/secret", secrets.token_hex(16), 0o640)
    lab.write(MODE, mode)
    start_services()
    if fresh:
        print(
            "MAAS has been set up.\n\nIf you want to configure external authentication or use\nMAAS with Canonical RBAC, please run\n\n"
            "  sudo maas configauth\n\n"
            "To create admins when not using external authentication, run\n\n  sudo maas createadmin\n\nTo enable TLS for secured communication, please run\n\n"
            "  sudo maas config-tls enable\n"
        )
    return 0


def cmd_migrate(_options):
    if not lab.is_root():
        lab.fail("The 'migrate' command must be run by root.")
    if current_mode() == "none":
        print("MAAS is not configured")
        return 1
    if current_mode() == "rack":
        print("Mode 'rack' is not connected to a database. No migrations to perform.")
        return 1
    problem = migrate(saved_database())
    if problem:
        lab.fail(f"django.db.utils.OperationalError: {problem}\n")
    print("Running migrations:\n  No migrations to apply.")
    return 0


def snap_version():
    """Which release of the snap runs here."""
    try:
        with open("/snap/maas/current/meta/snap.yaml") as stream:
            return next(line.split()[1] for line in stream if line.startswith("version:"))
    except (OSError, StopIteration):
        return ""


def region_only():
    """Commands of the region's database: they fail as Django does when there is no region or no database."""
    if current_mode() not in ("region", "region+rack"):
        lab.fail("usage: maas [-h] COMMAND ...\n\nno such command on this controller: it runs no region", 2)
    try:
        connection = connect(saved_database())
    except CommandError as error:
        traceback_exit("django.db.utils.OperationalError", error, "maas-region")
    empty = not has_tables(connection)
    connection.close()
    if empty:
        traceback_exit("django.db.utils.ProgrammingError", 'relation "auth_user" does not exist', "maas-region")


def usage_exit(message):
    """How the command shows an error of a management command: its help, a blank line, the message, exit code 2."""
    print(f"usage: maas [-h] COMMAND ...\n\noptions:\n  -h, --help  show this help message and exit\n\n{message}", file=sys.stderr)
    raise SystemExit(2)


def cmd_createadmin(options):
    ask_for_keys = options.ssh_import is None and None in (options.username, options.password, options.email)
    region_only()
    username, password, email = options.username, options.password, options.email
    if username is None and not (username := read_input("Username: ")):
        usage_exit("You must input a username or provide it with --username.")
    if password is None:
        password, again = read_password("Password: "), read_password("Again: ")
        if password != again:
            usage_exit("Passwords do not match")
        if not password:
            usage_exit("Passwords cannot be empty")
    if email is None and not (email := read_input("Email: ")):
        usage_exit("You must input an email or provide it with --email")
    keys = read_input("Import SSH keys [] (lp:user-id or gh:user-id): ") if ask_for_keys else options.ssh_import
    if keys and not keys.startswith(("lp:", "gh:")):
        print("SSH import protocol was not entered.  Using Launchpad protocol (default).")
    try:
        lab.ask("POST", "/maas/createadmin", {"username": username, "password": password, "email": email})
    except lab.LabError as error:
        if error.status in (400, 409):
            usage_exit(f"A user with the email {email} already exists.")
        raise
    if keys:
        usage_exit("Importing SSH keys failed.\nnetwork is unreachable")
    return 0


def cmd_apikey(options):
    region_only()
    if options.username is None:
        usage_exit("You must provide a username with --username.")
    if options.generate and options.delete:
        usage_exit("Specify one of --generate, --delete or --update.")
    try:
        answer = lab.ask("POST", "/maas/apikey", {"username": options.username, "generate": options.generate, "delete": options.delete})
    except lab.LabError as error:
        if error.status in (400, 404):
            usage_exit("User does not exist." if "user" in error.message.lower() else error.message)
        raise
    for key in answer["keys"]:
        print(key)
    return 0


def cmd_status(_options):
    if not lab.is_root():
        lab.fail("The 'status' command must be run by root.")
    if current_mode() == "none":
        print("MAAS is not configured")
        return 1
    active = systemctl("is-active", f"{UNIT}.socket").stdout.strip() == "active"
    state = "active" if active else "inactive"
    print(f"{'Service':<17}{'Startup':<10}{'Current':<10}Since")
    for service in lab.ask("POST", "/maas/status")["services"]:
        own = state if service not in ("dhcpd",) else "inactive"
        print(f"{service:<17}{'disabled':<10}{own:<10}-")
    return 0


def cmd_config(options):
    if not lab.is_root():
        lab.fail("The 'config' command must be run by root.")
    mode, config = current_mode(), read_config()
    if options.maas_url and not options.show:
        write_config({"maas_url": options.maas_url})
        print("Restarting services" if mode != "none" else "Stopping services")
        return 0
    print(f"mode={mode}" if options.parsable else f"Mode: {mode}")
    if mode == "none":
        return 0
    if not options.parsable:
        print("Settings:")
    for key in ("maas_url", "database_host", "database_port", "database_name", "database_user", "database_pass"):
        hidden = key == "database_pass" and not options.show_database_password
        print(f"{key}={'(hidden)' if hidden else config.get(key)}")
    return 0


def parser():
    root = argparse.ArgumentParser(prog="maas", formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = root.add_subparsers(metavar="COMMAND", dest="command", required=True)
    init = commands.add_parser("init")
    init.set_defaults(run=cmd_init)
    modes = init.add_subparsers(dest="run_mode", required=True)
    for mode in ("region+rack", "region", "rack"):
        sub = modes.add_parser(mode)
        sub.add_argument("--maas-url")
        sub.add_argument("--force", action="store_true")
        if mode == "rack":
            sub.add_argument("--secret")
            continue
        sub.add_argument("--database-uri")
        sub.add_argument("--num-workers", type=int)
        sub.add_argument("--skip-admin", action="store_true")
        sub.add_argument("--enable-debug", action="store_true")
        for option in ("--vault-uri", "--vault-approle-id", "--vault-wrapped-token", "--vault-secrets-path", "--vault-secrets-mount",
                       "--admin-username", "--admin-password", "--admin-email", "--admin-ssh-import"):  # fmt: skip
            sub.add_argument(option)
    admin = commands.add_parser("createadmin")
    admin.set_defaults(run=cmd_createadmin)
    for option in ("--username", "--password", "--email", "--ssh-import"):
        admin.add_argument(option)
    key = commands.add_parser("apikey")
    key.set_defaults(run=cmd_apikey)
    key.add_argument("--username")
    key.add_argument("--generate", action="store_true")
    key.add_argument("--delete")
    commands.add_parser("status").set_defaults(run=cmd_status)
    commands.add_parser("migrate").set_defaults(run=cmd_migrate)
    config = commands.add_parser("config")
    config.set_defaults(run=cmd_config)
    config.add_argument("--maas-url")
    for option in ("--show", "--parsable", "--show-database-password", "--show-secret"):
        config.add_argument(option, action="store_true")
    return root


def main(argv):
    if not argv:
        lab.fail("usage: maas [-h] COMMAND ...\nmaas: error: the following arguments are required: COMMAND", 2)
    options = parser().parse_args(argv)
    try:
        return options.run(options)
    except lab.LabError as error:
        traceback_exit("OSError", error)
