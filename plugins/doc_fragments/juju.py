# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    # How to reach a controller.
    DOCUMENTATION = r"""
options:
  endpoint:
    description:
      - Addresses of the controller, each as V(host:port).
      - Taken from E(JUJU_ENDPOINT) when not given.
    type: list
    elements: str
    required: true
  username:
    description:
      - A user of the controller.
      - Taken from E(JUJU_USERNAME) when not given.
    type: str
    required: true
  password:
    description:
      - The user's password.
      - Taken from E(JUJU_PASSWORD) when not given.
    type: str
    required: true
  ca_cert:
    description:
      - Certificate of the controller's authority, as PEM text. Without it the system's authorities are trusted.
      - Taken from E(JUJU_CA_CERT) when not given.
    type: str
  connect_timeout:
    description: Seconds within which a connection must stand; a controller that restarts is tried again until then.
    type: float
    default: 60
requirements:
  - juju >= 3.6 (python-libjuju)
attributes:
  check_mode:
    description: Sends nothing that changes anything in check mode.
    support: full
  diff_mode:
    description: Returns what is different before and after.
    support: full
notes:
  - Speaks to Juju 3 controllers only; others are refused.
  - Runs wherever the controller's address can be reached, usually on the control node.
"""

    # The model that a module works on.
    MODEL = r"""
options:
  model:
    description: The model, by name, as owner/name, or by UUID.
    type: str
    required: true
"""

    # Waiting.
    WAIT = r"""
options:
  wait:
    description: Whether to wait for the end.
    type: bool
    default: true
  wait_timeout:
    description: Seconds after which the wait fails.
    type: float
  wait_interval:
    description: The longest time between two looks, in seconds.
    type: float
    default: 5
"""

    # Modules that run the juju command on the host that keeps the client's files.
    CLI = r"""
options:
  juju_command:
    description: The juju command.
    type: str
    default: juju
  juju_data:
    description:
      - The directory of the client's files, where the juju command keeps what it knows.
      - Taken from E(JUJU_DATA) when not given, else C(~/.local/share/juju).
    type: path
requirements:
  - the juju command, of major version 3, on the host that the module runs on
attributes:
  check_mode:
    description: Runs nothing that changes anything in check mode.
    support: full
  diff_mode:
    description: Returns what is different before and after.
    support: full
notes:
  - Secrets reach the juju command in files that only the user can read and that are removed at once, never in its arguments.
  - The snap of juju sees neither C(/tmp) nor hidden directories; these files are made in the user's home.
"""

    # The connection again, for modules that need it only for what they do on the controller's side.
    OPTIONAL_CONNECTION = r"""
options:
  endpoint:
    description: Addresses of the controller, each as V(host:port). Needed with O(scope=controller).
    type: list
    elements: str
  username:
    description: A user of the controller. Needed with O(scope=controller).
    type: str
  password:
    description: The user's password. Needed with O(scope=controller).
    type: str
  ca_cert:
    description: Certificate of the controller's authority, as PEM text.
    type: str
  connect_timeout:
    description: Seconds within which a connection must stand.
    type: float
    default: 60
"""
