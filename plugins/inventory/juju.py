# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: juju
short_description: Units and machines of a Juju model as hosts
description:
  - Makes a host of each unit and of each machine of a model, and groups them by application.
  - Asks the controller once, whatever the size of the model.
  - What the controller says is never taken for a template. What belongs into no host's name or address becomes an underscore there.
  - The configuration's name must end with C(juju.yml) or C(juju.yaml).
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [stratus.cloud.juju]
  model:
    description: The model, by name, as owner/name, or by UUID.
    type: str
    required: true
  endpoint:
    description: Addresses of the controller, each as V(host:port). Without it the juju client's files on the control node are read.
    type: list
    elements: str
    env:
      - name: JUJU_ENDPOINT
  username:
    description: A user of the controller.
    type: str
    env:
      - name: JUJU_USERNAME
  password:
    description: The user's password. May be a template.
    type: str
    env:
      - name: JUJU_PASSWORD
  ca_cert:
    description: Certificate of the controller's authority, as PEM text. May be a template.
    type: str
    env:
      - name: JUJU_CA_CERT
  controller:
    description: Name of the controller in the juju client's files, when O(endpoint) is not given; the current one by default.
    type: str
  juju_data:
    description: The directory of the juju client's files.
    type: path
    env:
      - name: JUJU_DATA
  connect_timeout:
    description: Seconds within which a connection must stand.
    type: float
    default: 30
  hosts:
    description: What becomes a host.
    type: list
    elements: str
    choices: [units, machines]
    default: [units, machines]
  host_prefix:
    description: Put before the names of all hosts.
    type: str
    default: ""
  ssh_user:
    description: Who logs in.
    type: str
    default: ubuntu
  ssh_through:
    description: Reach the hosts through this one, as V(user@host); the controller host of MAAS, when the model's network is private.
    type: str
  ssh_private_key_file:
    description: The key to log in with.
    type: path
  known_hosts:
    description:
      - A file (0600) that the machines' ssh host keys are written to, as their agents told Juju. Connections are made with it, and any other key is refused.
      - Without it ssh does as it is configured to.
    type: path
extends_documentation_fragment:
  - constructed
"""

EXAMPLES = r"""
# openstack.juju.yml
plugin: stratus.cloud.juju
model: openstack
ssh_through: ubuntu@198.51.100.2
known_hosts: ~/.stratus/mycloud/known_hosts
keyed_groups:
  - key: juju_workload
    prefix: workload
---
# With the controller's address instead of the client's files
plugin: stratus.cloud.juju
model: openstack
endpoint: [10.0.0.5:17070]
username: admin
password: "{{ lookup('ansible.builtin.file', '~/.stratus/mycloud/juju-password') }}"
ca_cert: "{{ lookup('ansible.builtin.file', '~/.stratus/mycloud/juju-ca.crt') }}"
"""

import os
import re

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.stratus.cloud.plugins.module_utils.juju import cli, client, model, status
from ansible_collections.stratus.cloud.plugins.module_utils.juju.errors import JujuFault
from ansible_collections.stratus.cloud.plugins.plugin_utils.names import name_of


def entries(found, of, kinds, prefix=""):
    """[(host, groups, variables)] out of a status. Pure."""
    made = []
    for name, unit in found["units"].items() if "units" in kinds else ():
        machine = found["machines"].get(unit["machine"]) or {}
        address = unit["address"] or machine.get("address") or ""
        groups = ["juju_units", unit["application"], *(["juju_leaders"] if unit["leader"] else [])]
        variables = {
            "ansible_host": name_of(address, colons=True),
            "juju_model": of,
            "juju_unit": name,
            "juju_application": unit["application"],
            "juju_machine": unit["machine"],
            "juju_leader": unit["leader"],
            "juju_workload": unit["workload"],
            "juju_message": unit["message"],
            "juju_agent": unit["agent"],
            "juju_principal": unit["principal"],
        }
        made.append((prefix + name_of(name.replace("/", "-")), groups, variables))
    for name, machine in found["machines"].items() if "machines" in kinds else ():
        tenants = sorted({unit["application"] for unit in found["units"].values() if unit["machine"] == name})
        variables = {
            "ansible_host": name_of(machine["address"], colons=True),
            "juju_model": of,
            "juju_machine": name,
            "juju_system_id": machine["instance_id"],
            "juju_hostname": machine["hostname"],
            "juju_base": machine["base"],
            "juju_agent": machine["agent"],
            "juju_applications": tenants,
        }
        groups = ["juju_containers" if machine["parent"] else "juju_machines"]
        made.append((f"{prefix}machine-{name_of(name.replace('/', '-'))}", groups, variables))
    return made


def known_hosts(machines, keys):
    """The lines of ssh's known_hosts. What is no key is left out."""
    lines = []
    for name, machine in machines.items():
        for key in keys.get(name, []):
            kind, _space, body = key.strip().partition(" ")
            body = body.split(" ")[0]
            if machine["address"] and re.fullmatch(r"[a-z0-9@.-]+", kind) and re.fullmatch(r"[A-Za-z0-9+/]+=*", body):
                lines.append(f"{name_of(machine['address'], colons=True)} {kind} {body}\n")
    return "".join(lines)


class InventoryModule(BaseInventoryPlugin, Constructable):
    NAME = "stratus.cloud.juju"

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(("juju.yml", "juju.yaml"))

    def _text(self, name):
        """An option that may be a template."""
        value = self.get_option(name)
        return self.templar.template(value) if isinstance(value, str) else value

    def _account(self):
        if self.get_option("endpoint"):
            return {name: self._text(name) for name in ("endpoint", "username", "password", "ca_cert")}
        directory = cli.data_directory(self.get_option("juju_data"))
        about = cli.controller(directory, self.get_option("controller"))
        if about is None:
            wanted = self.get_option("controller") or "current one"
            raise JujuFault(f"no endpoint is given, and the juju client's files in {directory} know no controller ({wanted})")
        return about

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            account = self._account()
            link = client.Client(
                account["endpoint"],
                account["username"],
                account["password"],
                account["ca_cert"],
                model=self._text("model"),
                timeout=self.get_option("connect_timeout"),
            )
            with link:
                found = status.read(link)
                keys = model.host_keys(link, found["machines"]) if self.get_option("known_hosts") else {}
        except JujuFault as error:
            raise AnsibleParserError(f"inventory {path}: {error}") from error
        if self.get_option("known_hosts"):
            self._keep(known_hosts(found["machines"], keys))
        self._fill(found)

    def _keep(self, text):
        """Write the host keys; whoever reads them meanwhile finds the old ones or the new ones whole."""
        path = self.get_option("known_hosts")
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(f"{path}.new", path)

    def _fill(self, found):
        reach = {"ansible_user": self.get_option("ssh_user")}
        arguments = []
        if self.get_option("ssh_private_key_file"):
            reach["ansible_ssh_private_key_file"] = self.get_option("ssh_private_key_file")
        if self.get_option("ssh_through"):
            arguments.append(f"-o ProxyJump={self._text('ssh_through')}")
        if self.get_option("known_hosts"):
            arguments.append(f"-o UserKnownHostsFile={self.get_option('known_hosts')} -o StrictHostKeyChecking=yes")
        if arguments:
            reach["ansible_ssh_common_args"] = " ".join(arguments)
        strict = self.get_option("strict")
        for host, groups, variables in entries(found, found["model"]["name"], self.get_option("hosts"), self.get_option("host_prefix")):
            self.inventory.add_host(host)
            for group in groups:
                self.inventory.add_host(host, self.inventory.add_group(self._sanitize_group_name(group)))
            # What the controller says is no template; ansible-core before 2.19 would take it for one.
            variables = {**reach, **{name: wrap_var(value) for name, value in variables.items()}}
            for name, value in variables.items():
                self.inventory.set_variable(host, name, value)
            self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
            self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)
