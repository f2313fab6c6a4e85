"""The `juju` command of the lab: what works on the client's own files, bootstrap, and the end of a controller."""

import argparse
import contextlib
import json
import os
import signal
import sys

import lab_control as lab
import yaml

DESCRIPTIONS = {"maas": "Metal As A Service", "lxd": "LXD Container Hypervisor", "kubernetes": "A Kubernetes Cluster", "openstack": "Openstack Cloud"}
BUILT_IN = {"localhost": {"defined": "built-in", "type": "lxd", "auth-types": ["certificate"], "endpoint": "", "regions": {"localhost": {}}}}
SECRET = {"maas": ["maas-oauth"]}
NOTHING_REGISTERED = (
    'No controllers registered.\n\nPlease either create a new controller using "juju bootstrap" or connect to\n'
    'another controller that you have been given access to using "juju register".'
)


class JujuError(Exception):
    """Shown as juju shows it: ERROR and the text, exit code 1."""


# -- the client's files --------------------------------------------------------------------------------------------------
def directory():
    return os.environ.get("JUJU_DATA") or os.path.expanduser("~/.local/share/juju")


def read(name):
    try:
        with open(os.path.join(directory(), f"{name}.yaml")) as stream:
            return yaml.safe_load(stream) or {}
    except FileNotFoundError:
        return {}


def write(name, data):
    if not os.path.isdir(directory()):
        raise JujuError(f"cannot create directory {directory()}: permission denied (the snap is strictly confined; make it first)")
    lab.write(os.path.join(directory(), f"{name}.yaml"), yaml.safe_dump(data, sort_keys=True), 0o600)


def shown(data, options, tabular):
    """Structured output when it was asked for, else the table."""
    if options.format == "json":
        print(json.dumps(data))
    elif options.format == "yaml":
        print(yaml.safe_dump(data, sort_keys=True), end="")
    else:
        print(tabular)


def table(head, rows):
    widths = [max(len(str(row[column])) for row in [head, *rows]) for column in range(len(head))]
    return "\n".join("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows])


def say(text):
    """juju tells what it does on stderr."""
    print(text, file=sys.stderr, flush=True)


def from_file(path):
    try:
        if path == "-":
            return yaml.safe_load(sys.stdin) or {}
        with open(path) as stream:
            return yaml.safe_load(stream) or {}
    except OSError as error:
        raise JujuError(f"open {path}: {error.strerror.lower()}") from None
    except yaml.YAMLError as error:
        raise JujuError(f"cannot parse {path}: {' '.join(str(error).split())}") from None


# -- clouds --------------------------------------------------------------------------------------------------------------
def personal_clouds():
    return read("clouds").get("clouds") or {}


def given_cloud(name, path):
    found = (from_file(path).get("clouds") or {}).get(name)
    if found is None:
        raise JujuError(f'cloud "{name}" not found in file "{path}"')
    if not found.get("type"):
        raise JujuError(f'cloud "{name}" lacks a type')
    if found["type"] == "maas" and not found.get("endpoint"):
        raise JujuError(f'cloud "{name}" lacks an endpoint')
    return found


def cmd_add_cloud(options):
    path = options.file or options.path
    if not options.name or not path:
        raise JujuError("interactive add-cloud needs a terminal; give a name and a file")
    definition = given_cloud(options.name, path)
    clouds = personal_clouds()
    if (options.name in clouds or options.name in BUILT_IN) and not options.force:
        raise JujuError(f'use `update-cloud {options.name} --client` to override known definition: local cloud "{options.name}" already exists')
    write("clouds", {"clouds": {**clouds, options.name: definition}})
    say(f'Cloud "{options.name}" successfully added to your local client.')
    if not (read("credentials").get("credentials") or {}).get(options.name):
        say(
            f"You will need to add a credential for this cloud (`juju add-credential {options.name}`)\nbefore you can use it to bootstrap a controller "
            f"(`juju bootstrap {options.name}`) or\nto create a model (`juju add-model <your model name> {options.name}`)."
        )
    return 0


def cmd_update_cloud(options):
    clouds = personal_clouds()
    if options.name not in clouds:
        raise JujuError(f'cloud "{options.name}" not found')
    if not options.file:
        raise JujuError("a file with the cloud's definition is needed")
    write("clouds", {"clouds": {**clouds, options.name: given_cloud(options.name, options.file)}})
    say(f'Cloud "{options.name}" updated on this client using provided file.')
    return 0


def cmd_remove_cloud(options):
    clouds = personal_clouds()
    if options.name not in clouds:
        say(f'No cloud called "{options.name}" exists on this client')
        return 0
    del clouds[options.name]
    write("clouds", {"clouds": clouds})
    say(f'Removed details of cloud "{options.name}" from this client')
    return 0


def all_clouds():
    found = {name: dict(cloud) for name, cloud in BUILT_IN.items()}
    for name, cloud in personal_clouds().items():
        found[name] = {"defined": "local", **cloud}
    for cloud in found.values():
        cloud.setdefault("description", DESCRIPTIONS.get(cloud["type"], ""))
    return found


def cmd_clouds(options):
    clouds = all_clouds()
    rows = [
        (n, len(c.get("regions") or {}), next(iter(c.get("regions") or {"default": 0}), ""), c["type"], 0, c["defined"], c["description"])
        for n, c in sorted(clouds.items())
    ]
    shown(clouds, options, "Clouds available on the client:\n" + table(("Cloud", "Regions", "Default", "Type", "Credentials", "Source", "Description"), rows))
    return 0


def cmd_show_cloud(options):
    clouds = all_clouds()
    if options.name not in clouds:
        raise JujuError(f"cloud {options.name} not found")
    options.format = options.format if options.format == "json" else "yaml"
    shown({"name": options.name, **clouds[options.name]}, options, "")
    return 0


# -- credentials ---------------------------------------------------------------------------------------------------------
def all_credentials():
    return read("credentials").get("credentials") or {}


def given_credentials(cloud, path):
    found = (from_file(path).get("credentials") or {}).get(cloud)
    if not found:
        raise JujuError(f"no credentials for cloud {cloud} exist in file {path}")
    return {name: value for name, value in found.items() if not name.startswith("default-")}


def check_credential(cloud, name, value):
    known = all_clouds()[cloud]
    kind = value.get("auth-type", "")
    if kind not in (known.get("auth-types") or ["oauth1"]):
        raise JujuError(f'credential "{name}" contains invalid auth type "{kind}", valid auth types for cloud "{cloud}" are {known.get("auth-types")}')
    for attribute in SECRET.get(known["type"], []):
        if not value.get(attribute):
            raise JujuError(f'credential "{name}" for cloud "{cloud}" is not valid: {attribute}: expected string, got nothing')


def cmd_add_credential(options):
    if options.cloud not in all_clouds():
        raise JujuError(f"cloud {options.cloud} not valid")
    if not options.file:
        raise JujuError("interactive add-credential needs a terminal; give a file")
    credentials = all_credentials()
    mine = credentials.get(options.cloud) or {}
    given = given_credentials(options.cloud, options.file)
    for name, value in given.items():
        check_credential(options.cloud, name, value)
        if name in mine and not options.replace:
            raise JujuError(f'local credentials for cloud "{options.cloud}" already exist; use --replace to overwrite / merge')
    credentials[options.cloud] = {**mine, **given}
    write("credentials", {"credentials": credentials})
    for name in given:
        say(f'Credential "{name}" added locally for cloud "{options.cloud}".\n')
    return 0


def cmd_update_credential(options):
    if options.cloud not in all_clouds():
        raise JujuError(f"cloud {options.cloud} not valid")
    if not options.file:
        raise JujuError("a file with the credential is needed")
    credentials = all_credentials()
    given = given_credentials(options.cloud, options.file)
    if options.name and options.name not in given:
        raise JujuError(f'credential "{options.name}" for cloud "{options.cloud}" not found in file {options.file}')
    for name, value in given.items():
        check_credential(options.cloud, name, value)
        credentials.setdefault(options.cloud, {})[name] = value
    write("credentials", {"credentials": credentials})
    for name in given:
        say(f'Local credential "{name}" for cloud "{options.cloud}" updated.')
    return 0


def cmd_remove_credential(options):
    credentials = all_credentials()
    if options.name not in (credentials.get(options.cloud) or {}):
        say(f'No credential called "{options.name}" exists for cloud "{options.cloud}" on this client')
        return 0
    del credentials[options.cloud][options.name]
    if not credentials[options.cloud]:
        del credentials[options.cloud]
    write("credentials", {"credentials": credentials})
    say(f'Credential "{options.name}" for cloud "{options.cloud}" removed from this client.')
    return 0


def cmd_credentials(options):
    found = {}
    for cloud, names in sorted(all_credentials().items()):
        if options.cloud and cloud != options.cloud:
            continue
        entries = {}
        for name, value in names.items():
            if name.startswith("default-") or (options.name and name != options.name):
                continue
            hidden = set() if options.show_secrets else {"maas-oauth", "client-key", "password"}
            entries[name] = {"auth-type": value.get("auth-type"), "details": {k: v for k, v in value.items() if k != "auth-type" and k not in hidden}}
        found[cloud] = {"cloud-credentials": entries}
    rows = [(cloud, ", ".join(sorted(found[cloud]["cloud-credentials"]))) for cloud in found]
    shown({"client-credentials": found}, options, "Client Credentials:\n" + table(("Cloud", "Credentials"), rows))
    return 0


# -- controllers ---------------------------------------------------------------------------------------------------------
def known_controllers():
    return read("controllers").get("controllers") or {}


def current_controller():
    return read("controllers").get("current-controller")


def need_controller(name):
    name = name or current_controller()
    if not name:
        raise JujuError(NOTHING_REGISTERED)
    if name not in known_controllers():
        raise JujuError(f"controller {name} not found")
    return name


def cmd_controllers(options):
    controllers = known_controllers()
    if not controllers and options.format == "tabular":
        raise JujuError(NOTHING_REGISTERED)
    accounts = read("accounts").get("controllers") or {}
    data = {}
    for name, entry in sorted(controllers.items()):
        data[name] = {
            "user": (accounts.get(name) or {}).get("user"),
            "access": "superuser",
            "recent-server": (entry.get("api-endpoints") or [None])[0],
            "controller-machines": {"active": 1, "total": 1},
            **{key: entry.get(key) for key in ("uuid", "api-endpoints", "cloud", "region", "agent-version", "ca-cert")},
        }
    current = current_controller()
    rows = [
        (f"{n}*" if n == current else n, "-", c["user"], c["access"], f"{c['cloud']}/{c['region']}", 1, 1, "none", c["agent-version"]) for n, c in data.items()
    ]
    text = table(("Controller", "Model", "User", "Access", "Cloud/Region", "Models", "Nodes", "HA", "Version"), rows)
    shown({"controllers": data, **({"current-controller": current} if current else {})}, options, text)
    return 0


def cmd_show_controller(options):
    options.format = options.format if options.format == "json" else "yaml"
    answer = {}
    for name in options.names or [None]:
        name = need_controller(name)
        entry = known_controllers()[name]
        account = (read("accounts").get("controllers") or {}).get(name) or {}
        answer[name] = {
            "details": {
                "controller-uuid": entry.get("uuid"), **{key: entry.get(key) for key in ("api-endpoints", "cloud", "region", "agent-version", "ca-cert")},
            },
            "controller-machines": {"0": {"instance-id": entry.get("machine") or ""}},
            "current-model": ((read("models").get("controllers") or {}).get(name) or {}).get("current-model"),
            "account": {"user": account.get("user"), "access": "superuser", **({"password": account.get("password")} if options.show_password else {})},
        }  # fmt: skip
    shown(answer, options, "")
    return 0


def forget(name):
    """Take a controller out of the client's files."""
    controllers = read("controllers")
    (controllers.get("controllers") or {}).pop(name, None)
    if controllers.get("current-controller") == name:
        controllers.pop("current-controller")
    write("controllers", controllers)
    for store in ("accounts", "models", "bootstrap-config"):
        data = read(store)
        if name in (data.get("controllers") or {}):
            del data["controllers"][name]
            write(store, data)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(directory(), "cookies", f"{name}.json"))


def confirm(options, question):
    if options.no_prompt or getattr(options, "yes", False):
        return
    print(question, end="", flush=True)
    try:
        answer = input()
    except EOFError:
        answer = ""
    if answer.strip() != options.name and answer.strip().lower() not in ("y", "yes"):
        raise JujuError("aborted")


def cmd_unregister(options):
    need_controller(options.name)
    confirm(options, f'This command will remove connection information for controller "{options.name}".\nContinue [y/N]? ')
    forget(options.name)
    return 0


def cmd_kill_controller(options):
    need_controller(options.name)
    confirm(options, f'This command will destroy the "{options.name}" controller.\nTo continue, enter the name of the controller to be destroyed: ')
    try:
        lab.ask("POST", "/juju/kill-controller", {"name": options.name})
    except lab.LabError as error:
        if error.status not in (400, 404):
            raise
        # A controller that is gone already: only the client's memory of it is left.
        say(f"Unable to open API: {error.message}\n")
    say(f'Destroying controller "{options.name}"\nWaiting for resources to be reclaimed\nAll models reclaimed, cleaning up controller machines')
    forget(options.name)
    return 0


def cmd_destroy_controller(options):
    """The way out that asks first: models have to be named by a flag, and a controller that does not answer is refused."""
    need_controller(options.name)
    confirm(options, f'This command will destroy the "{options.name}" controller.\nTo continue, enter the name of the controller to be destroyed: ')
    try:
        lab.ask("POST", "/juju/destroy-controller", {"name": options.name, "models": options.destroy_all_models, "force": options.force})
    except lab.LabError as error:
        if error.status == 409:
            raise JujuError(
                f'cannot destroy controller "{options.name}"\n\nThe controller has live models. If you want\nto destroy all models in the controller,\n'
                "run this command again with the --destroy-all-models\noption."
            ) from None
        if error.status in (400, 404):
            raise JujuError(f"cannot connect to API: {error.message}") from None
        raise
    say("Destroying controller\nWaiting for model resources to be reclaimed\nAll models reclaimed, cleaning up controller machines")
    forget(options.name)
    return 0


def cmd_switch(options):
    if not options.name:
        print(need_controller(None))
        return 0
    data = read("controllers")
    if options.name.split(":")[0] not in (data.get("controllers") or {}):
        raise JujuError(f'"{options.name}" is not the name of a model or controller')
    data["current-controller"] = options.name.split(":")[0]
    write("controllers", data)
    return 0


def cmd_whoami(options):
    name = current_controller()
    if not name:
        say("There is no current controller.\nRun juju controllers to see available controllers.")
        return 0
    account = (read("accounts").get("controllers") or {}).get(name) or {}
    model = ((read("models").get("controllers") or {}).get(name) or {}).get("current-model") or ""
    shown(
        {"controller": name, "model": model, "user": account.get("user")},
        options,
        f"Controller:  {name}\nModel:       {model}\nUser:        {account.get('user')}",
    )
    return 0


# -- bootstrap -----------------------------------------------------------------------------------------------------------
def settings(values):
    """--config takes key=value, or a file; later ones win."""
    found = {}
    for value in values or []:
        if "=" in value and not os.path.exists(value):
            key, text = value.split("=", 1)
            found[key] = yaml.safe_load(text)
        else:
            found.update(from_file(value))
    return found


def choose_credential(cloud, name):
    known = all_credentials().get(cloud) or {}
    names = [key for key in known if not key.startswith("default-")]
    if name:
        if name not in known:
            raise JujuError(f'loading credentials: credential "{name}" for cloud "{cloud}" not found')
        return name, known[name]
    chosen = known.get("default-credential") or (names[0] if len(names) == 1 else None)
    if not names:
        raise JujuError(f"loading credentials: no credentials found for cloud \"{cloud}\". See 'juju help add-credential' for instructions")
    if not chosen:
        raise JujuError(f"more than one credential is available ({', '.join(sorted(names))}): please specify one with --credential")
    return chosen, known[chosen]


def cmd_bootstrap(options):
    if not options.cloud:
        raise JujuError("interactive bootstrap needs a terminal; give a cloud and a name")
    cloud, _slash, region = options.cloud.partition("/")
    clouds = all_clouds()
    if cloud not in clouds:
        raise JujuError(f"cloud {cloud} not found, valid clouds are: {', '.join(sorted(clouds))}")
    name = options.name or (f"{cloud}-{region}" if region else cloud)
    if name in known_controllers():
        raise JujuError(f'controller "{name}" already exists')
    credential_name, credential = choose_credential(cloud, options.credential)
    write("credentials", {"credentials": all_credentials()})
    config = settings(options.config)
    machine = None
    for placement in [options.to] if options.to else []:
        kind, equals, value = placement.partition("=")
        if equals and kind not in ("system-id", "zone", "subnet"):
            raise JujuError(f"failed to bootstrap model: cannot start bootstrap instance: unknown placement directive: {placement}")
        machine = value if kind == "system-id" else None if equals else placement
    base = options.bootstrap_base or (f"series:{options.bootstrap_series}" if options.bootstrap_series else None)
    body = {
        "name": name, "cloud": {"name": cloud, **clouds[cloud]},
        "credential": {
            "name": credential_name, "auth-type": credential.get("auth-type"), "attributes": {k: v for k, v in credential.items() if k != "auth-type"},
        },
        "system_id": machine, "constraints": " ".join([*(options.constraints or []), *(options.bootstrap_constraints or [])]), "base": base, "config": config,
    }  # fmt: skip
    try:
        lab.ask("POST", "/juju/bootstrap", body)
    except lab.LabError as error:
        raise JujuError(f"failed to bootstrap model: {error.message}") from None
    told = 0

    def interrupted(_number, _frame):
        # As the real client: give the machine back before leaving.
        say("Interrupt signalled: waiting for bootstrap to exit")
        lab.ask("POST", "/juju/kill-controller", {"name": name})
        say("ERROR failed to bootstrap model: cancelled")
        raise SystemExit(1)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    while True:
        state = lab.ask("GET", f"/juju/bootstrap/{name}?lines={told}")
        for line in state["lines"][told:]:
            say(line)
        told = len(state["lines"])
        if state["state"] == "failed":
            return 1
        if state["state"] == "done":
            break
    remember(name, cloud, region or "default", state, not options.no_switch)
    return 0


def remember(name, cloud, region, state, switch):
    """What the client knows of a new controller."""
    controllers = read("controllers")
    endpoint = state["endpoint"]
    controllers.setdefault("controllers", {})[name] = {
        "uuid": state["uuid"], "api-endpoints": endpoint if isinstance(endpoint, list) else [endpoint], "ca-cert": state["ca_cert"],
        "cloud": cloud, "region": region, "type": "maas", "agent-version": snap_version(),
        "controller-machine-count": 1, "active-controller-machine-count": 1, "dns-cache": {},
    }  # fmt: skip
    if switch:
        controllers["current-controller"] = name
    write("controllers", controllers)
    accounts = read("accounts")
    accounts.setdefault("controllers", {})[name] = {
        "type": "userpass",
        "user": state["username"],
        "password": state["password"],
        "last-known-access": "superuser",
    }
    write("accounts", accounts)
    models = read("models")
    models.setdefault("controllers", {})[name] = {
        "models": {f"{state['username']}/controller": {"uuid": state.get("model") or "", "type": "iaas", "branch": "master"}},
        "current-model": f"{state['username']}/controller",
    }  # fmt: skip
    write("models", models)
    cookies = os.path.join(directory(), "cookies")
    os.makedirs(cookies, mode=0o700, exist_ok=True)
    lab.write(os.path.join(cookies, f"{name}.json"), "null", 0o600)


def snap_version():
    try:
        with open("/snap/juju/current/meta/snap.yaml") as stream:
            return next(line.split()[1] for line in stream if line.startswith("version:"))
    except (OSError, StopIteration):
        return "3.6.14"


def cmd_version(_options):
    print(f"{snap_version()}-genericlinux-amd64")
    return 0


# -- command line --------------------------------------------------------------------------------------------------------
class Parser(argparse.ArgumentParser):
    def error(self, message):
        lab.fail(f"ERROR {message}", 2)


def parser():
    root = Parser(prog="juju")
    commands = root.add_subparsers(dest="command", required=True, parser_class=Parser)
    switch = {"action": "store_true"}

    def add(names, run, *arguments):
        for name in names.split():
            sub = commands.add_parser(name)
            sub.set_defaults(run=run)
            for flags, details in arguments:
                sub.add_argument(*flags.split(), **details)

    client = [("--client", switch), ("-c --controller", {})]
    formats = ("--format", {"default": "tabular", "choices": ["tabular", "json", "yaml"]})
    optional = {"nargs": "?"}
    add("version", cmd_version, ("--format", {}), ("--all", switch))
    add("add-cloud", cmd_add_cloud, ("name", optional), ("path", optional), ("-f --file", {}), ("--force", switch), ("--credential", {}), *client)
    add("update-cloud", cmd_update_cloud, ("name", {}), ("-f --file", {}), *client)
    add("remove-cloud", cmd_remove_cloud, ("name", {}), *client)
    add("clouds list-clouds", cmd_clouds, formats, ("--all", switch), *client)
    add("show-cloud", cmd_show_cloud, ("name", {}), formats, ("--include-config", switch), *client)
    add("add-credential", cmd_add_credential, ("cloud", {}), ("-f --file", {}), ("--replace", switch), ("--region", {}), *client)
    add(
        "update-credential update-credentials",
        cmd_update_credential,
        ("cloud", {}),
        ("name", optional),
        ("-f --file", {}),
        ("--force", switch),
        ("--region", {}),
        *client,
    )
    add("remove-credential", cmd_remove_credential, ("cloud", {}), ("name", {}), ("--force", switch), *client)
    add("credentials list-credentials", cmd_credentials, ("cloud", optional), ("name", optional), formats, ("--show-secrets", switch), *client)
    add("controllers list-controllers", cmd_controllers, formats, ("--refresh", switch), ("--managed", switch))
    add("show-controller", cmd_show_controller, ("names", {"nargs": "*"}), formats, ("--show-password", switch))
    add("unregister", cmd_unregister, ("name", {}), ("--no-prompt", switch), ("-y --yes", switch))
    add("kill-controller", cmd_kill_controller, ("name", {}), ("--no-prompt", switch), ("-y --yes", switch), ("-t --timeout", {}))
    add("destroy-controller", cmd_destroy_controller, ("name", {}), ("--no-prompt", switch), ("-y --yes", switch), ("--destroy-all-models", switch),
        ("--destroy-storage", switch), ("--release-storage", switch), ("--force", switch), ("--no-wait", switch), ("-t --model-timeout", {}))  # fmt: skip
    add("switch", cmd_switch, ("name", optional))
    add("whoami", cmd_whoami, formats)
    many = {"action": "append"}
    add("bootstrap", cmd_bootstrap, ("cloud", optional), ("name", optional), ("--credential", {}), ("--config", many), ("--model-default", many),
        ("--constraints", many), ("--bootstrap-constraints", many), ("--bootstrap-base", {}), ("--bootstrap-series", {}), ("--to", {}), ("--no-switch", switch),
        ("--agent-version", {}), ("--add-model", {}), ("--keep-broken", switch), ("--no-gui", switch), ("--force", switch), ("--controller-charm-channel", {}),
        ("--build-agent", switch), ("--metadata-source", {}), ("--storage-pool", many), ("-B --no-browser-login", switch))  # fmt: skip
    for name, sub in commands.choices.items():
        if name != "version":
            sub.add_argument("--debug", action="store_true")
            sub.add_argument("-q", "--quiet", action="store_true")
            sub.add_argument("-v", "--verbose", action="store_true")
    return root


def main(argv):
    if argv == ["--version"]:
        argv = ["version"]
    options = parser().parse_args(argv)
    try:
        return options.run(options)
    except (JujuError, lab.LabError) as error:
        lab.fail(f"ERROR {error}")
