# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_charm_authorize
short_description: Authorise the Vault charm and give it a certificate authority
description:
  - Makes a token that lives for minutes, lets the charm use it (action C(authorize-charm)), and revokes it.
  - Then has the charm make a root certificate (C(generate-root-ca)), unless it has one already (C(get-root-ca) answers), or hands out a
    request for a certificate and takes the signed one.
  - Does nothing when the charm has an authority. Returns the authority's certificate.
  - Speaks to Vault and to the Juju controller, and appears in neither's logs with anything secret but the short-lived token.
version_added: "0.1.0"
author:
  - The stratus.cloud developers (@stratus-cloud)
options:
  application:
    description: Name of the application.
    type: str
    default: vault
  root_token:
    description: Vault's root token. One of O(root_token) and O(keys_file) is needed.
    type: str
  keys_file:
    description: The file that M(stratus.cloud.vault_init) wrote.
    type: path
  keys_password:
    description: Password of a keys file that is encrypted.
    type: str
  token_ttl:
    description: How long the charm's token lives at most.
    type: str
    default: 10m
  authority:
    description:
      - V(root) has the charm make a root certificate of its own.
      - V(signed) has it make a request (C(get-csr)), returned in RV(csr), and takes O(signed_csr) in a later run.
      - V(none) only authorises.
    type: str
    choices: [root, signed, none]
    default: root
  authority_params:
    description: Parameters of C(generate-root-ca) or C(get-csr), such as C(ttl) or C(common-name).
    type: dict
    default: {}
  signed_csr:
    description: The certificate that was signed for the request, as PEM text.
    type: str
  root_ca:
    description: The certificate of the authority that signed it, as PEM text.
    type: str
  action_timeout:
    description: Seconds within which each action must end.
    type: float
    default: 600
notes:
  - In check mode nothing is asked of the charm. A Vault that is not active is reported as a change.
extends_documentation_fragment:
  - stratus.cloud.vault
  - stratus.cloud.juju
  - stratus.cloud.juju.model
"""

EXAMPLES = r"""
- name: Authorise the charm, and keep its authority's certificate
  stratus.cloud.vault_charm_authorize:
    vault_addr: http://10.0.0.9:8200
    keys_file: ~/.stratus/mycloud/vault-keys.json
    endpoint: 10.0.0.5:17070
    username: admin
    password: "{{ juju_password }}"
    ca_cert: "{{ juju_ca_cert }}"
    model: openstack
  register: authority
"""

RETURN = r"""
ca:
  description: Certificate of the authority, as PEM text; null while there is none.
  returned: success
  type: str
csr:
  description: The request to have signed.
  returned: with O(authority=signed), while it is not signed
  type: str
authorized:
  description: Whether the charm was authorised in this run.
  returned: success
  type: bool
unit:
  description: The unit that was asked, the leader.
  returned: success
  type: str
"""

from ansible_collections.stratus.cloud.plugins.module_utils.juju import arguments
from ansible_collections.stratus.cloud.plugins.module_utils.vault import charm, client


def main():
    module = arguments.module(
        {
            **client.CONNECTION,
            "application": {"type": "str", "default": "vault"},
            "root_token": {"type": "str", "no_log": True},
            "keys_file": {"type": "path", "no_log": False},
            "keys_password": {"type": "str", "no_log": True},
            "token_ttl": {"type": "str", "default": "10m", "no_log": False},
            "authority": {"type": "str", "choices": ["root", "signed", "none"], "default": "root"},
            "authority_params": {"type": "dict", "default": {}},
            "signed_csr": {"type": "str"},
            "root_ca": {"type": "str"},
            "action_timeout": {"type": "float", "default": 600},
        },
        required_one_of=[("root_token", "keys_file")],
    )
    arguments.run(module, charm.work)


if __name__ == "__main__":
    main()
