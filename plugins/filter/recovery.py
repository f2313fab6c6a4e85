# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for what is looked at after a power cut, and before certificates end."""

from __future__ import annotations

# What mysql-innodb-cluster's charm says of a unit that cannot reach its cluster (src/lib/charm/openstack/mysql_innodb_cluster.py).
INACCESSIBLE = "Cluster is inaccessible"


def juju_outages(status):
    units = {}
    for unit in status["units"].values():
        units.setdefault(unit["application"], []).append(unit["workload"] == "blocked" and INACCESSIBLE in unit["message"])
    return sorted(application for application, down in units.items() if all(down))


def days_left(ends, now):
    return (ends.replace(tzinfo=None) - now.replace(tzinfo=None)).days


class FilterModule:
    def filters(self):
        return {"juju_outages": juju_outages, "days_left": days_left}
