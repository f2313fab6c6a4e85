# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for compute machines that come and go."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.stratus.cloud.plugins.module_utils import nodes


def node_names(wanted, groups, hostvars=None):
    try:
        return nodes.names(wanted, groups, hostvars)
    except nodes.NodeError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {
            "node_names": node_names,
            "node_applications": nodes.applications,
            "node_survey": nodes.survey,
            "node_add_problems": nodes.add_problems,
            "node_going": nodes.going,
            "node_remove_problems": nodes.remove_problems,
            "node_taken": nodes.taken,
            "node_remains": nodes.remains,
        }
