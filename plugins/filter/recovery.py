# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for what is looked at after a power cut, and before certificates end."""

from __future__ import annotations

import datetime
from urllib.parse import urlsplit

# What mysql-innodb-cluster's charm says of a unit that cannot reach its cluster (src/lib/charm/openstack/mysql_innodb_cluster.py).
INACCESSIBLE = "Cluster is inaccessible"


def juju_outages(status):
    units = {}
    # A unit that is lost says nothing of its cluster; the others start it without that one.
    for unit in (unit for unit in status["units"].values() if unit["agent"] != "lost"):
        units.setdefault(unit["application"], []).append(unit["workload"] == "blocked" and INACCESSIBLE in unit["message"])
    return sorted(application for application, down in units.items() if all(down))


def days_left(ends, now):
    return (ends.replace(tzinfo=None) - now.replace(tzinfo=None)).days


def tls_endpoints(urls):
    found = set()
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme == "https":
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            found.add(f"https://{host}:{parts.port or 443}")
    return sorted(found)


def certificates_due(read, days, now):
    found = {}
    for row in read:
        if "not_after" in row and days_left(datetime.datetime.strptime(row["not_after"], "%Y%m%d%H%M%SZ"), now) < days:
            found[row["item"]] = row["serial_number"]
    return found


class FilterModule:
    def filters(self):
        return {"juju_outages": juju_outages, "days_left": days_left, "tls_endpoints": tls_endpoints, "certificates_due": certificates_due}
