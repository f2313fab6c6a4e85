# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  cloud:
    description:
      - The cloud, by its name in C(clouds.yaml), or a dictionary as an entry of that file is.
      - Taken from E(OS_CLOUD) when not given. Without either, O(auth) or the other C(OS_*) variables say which cloud is meant.
    type: raw
  clouds_file:
    description:
      - The C(clouds.yaml) to read, on the machine that the module runs on.
      - Taken from E(OS_CLIENT_CONFIG_FILE) when not given; without it openstacksdk looks in its usual places.
    type: path
  auth:
    description: What the authentication plugin needs, such as C(auth_url), C(username), C(password) and C(project_name). Not needed with O(cloud).
    type: dict
  auth_type:
    description: The authentication plugin, where it is not the one for passwords.
    type: str
  region_name:
    description: The region.
    type: str
  interface:
    description: Which of the catalog's endpoints to use. Without it what C(clouds.yaml) says counts, else V(public).
    type: str
    choices: [admin, internal, public]
    aliases: [endpoint_type]
  validate_certs:
    description: Whether the certificates of the cloud are checked. Without it what C(clouds.yaml) says counts, else they are.
    type: bool
    aliases: [verify]
  ca_cert:
    description: File with the certificates of the authorities to trust, in PEM. Without it what C(clouds.yaml) says counts, else those of the system.
    type: path
    aliases: [cacert]
  client_cert:
    description: File with a certificate to show to the cloud.
    type: path
    aliases: [cert]
  client_key:
    description: File with the key of O(client_cert).
    type: path
    aliases: [key]
  api_timeout:
    description: Seconds within which an answer must come.
    type: int
requirements:
  - openstacksdk >= 4
  - nova of Yoga or newer (microversion 2.90), and a user who is administrator of the cloud
notes:
  - The options to reach the cloud are those of the collection openstack.cloud; set them once with C(group/stratus.cloud.nova) in C(module_defaults).
  - Reads are repeated for up to a minute after lost connections, 429 and all 5xx. Writes are not; a write whose answer was lost is looked up.
"""

    # For modules that write.
    WRITES = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Says what would change; no request other than GET leaves.
  diff_mode:
    support: full
    description: Shows what changes, before and after.
  action_group:
    support: full
    description: Use C(group/stratus.cloud.nova) in C(module_defaults) to set the connection once.
    membership:
      - stratus.cloud.nova
"""

    # For modules that read.
    READS = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Reads only, also without check mode.
  diff_mode:
    support: N/A
    description: Changes nothing.
  action_group:
    support: full
    description: Use C(group/stratus.cloud.nova) in C(module_defaults) to set the connection once.
    membership:
      - stratus.cloud.nova
"""

    # For modules that have servers migrate. Given before stratus.cloud.wait, whose options it says more closely.
    MIGRATES = r"""
options:
  block_migration:
    description: Whether local disks are copied. With V(auto) nova finds out whether the two hosts share them.
    type: str
    choices: [auto, "true", "false"]
    default: auto
  concurrency:
    description:
      - How many at a time. One that needs the room which another leaves waits for that.
      - A host does not work on more than C(max_concurrent_live_migrations) of its own (1 unless set otherwise), and queues the rest.
    type: int
    default: 2
  migration_timeout:
    description: Seconds for each migration; then O(on_timeout) happens to it.
    type: float
  on_timeout:
    description:
      - What happens to a migration at O(migration_timeout), and to all that are under way at O(wait_timeout).
      - V(abort) leaves the server where it is. V(force_complete) pauses it (or switches to post-copy) so that it arrives. V(leave) lets it go on.
    type: str
    choices: [abort, force_complete, leave]
    default: abort
  wait:
    description:
      - Whether to wait. Without it all are asked for at once, whatever O(concurrency) says, and what comes of it is not seen; only sensible when the
        hosts have plenty of room.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds for all of them. Nothing is begun after it; what is under way is dealt with as O(on_timeout) says and is given a minute to end.
    type: float
    default: 7200
  wait_interval:
    description: The longest time between two looks, in seconds.
    type: float
    default: 5
"""
