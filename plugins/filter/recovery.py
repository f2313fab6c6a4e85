# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for what is looked at after a power cut, and before certificates end."""

from __future__ import annotations

import contextlib
import datetime
import re
from urllib.parse import urlsplit

from ansible_collections.stratus.cloud.plugins.module_utils.juju import expect

DATABASE = re.compile(r"(^|[:/])mysql-innodb-cluster(-\d+)?$")

# What mysql-innodb-cluster's charm says of a unit that cannot reach its cluster, and what it says, beside active, of one whose cluster answered it
# (src/lib/charm/openstack/mysql_innodb_cluster.py, _assess_status).
INACCESSIBLE = "Cluster is inaccessible"
ANSWERED = ("MySQL InnoDB Cluster not healthy", "Units not allowed to replicate")


def _databases(status):
    """The units of each database cluster, by its application."""
    names = [name for name, about in status["applications"].items() if DATABASE.search(about.get("charm") or "")]
    return {name: [unit for unit in status["units"].values() if unit["application"] == name] for name in sorted(names)}


def _down(unit):
    return unit["agent"] != "lost" and unit["workload"] == "blocked" and INACCESSIBLE in unit["message"]


def _claims(unit):
    return unit["agent"] != "lost" and (unit["workload"] == "active" or any(words in unit["message"] for words in ANSWERED))


def database_claims(status):
    """Whose word that its cluster works may be from before the power cut: nobody's in a model where all is active."""
    if all(unit["workload"] == "active" for unit in status["units"].values()):
        return []
    return [unit["name"] for units in _databases(status).values() for unit in units if _claims(unit)]


def juju_outages(status):
    found = []
    for application, units in _databases(status).items():
        down = [unit for unit in units if _down(unit)]
        if down and not any(_claims(unit) for unit in units):
            asked = sorted(down, key=lambda unit: not unit["leader"])
            others = [unit["name"] for unit in units if unit not in down]
            found.append({"application": application, "members": [unit["name"] for unit in asked], "others": others})
    return found


def units_at(status, application, address):
    """Living units on a machine that has the address: a cluster's may be in another space than the one that Juju tells of the unit."""
    found = []
    for unit in status["units"].values():
        known = (status["machines"].get(unit["machine"]) or {}).get("addresses") or []
        if unit["application"] == application and unit["agent"] != "lost" and address in (unit["address"], *known):
            found.append(unit["name"])
    return found


def database_troubles(status):
    """Units of the clusters that no unit says to work, each with what it says."""
    silent = [units for units in _databases(status).values() if not any(unit["agent"] != "lost" and unit["workload"] == "active" for unit in units)]
    return [f"{unit['name']} {expect.describe(unit)}" for units in silent for unit in units]


def days_left(ends, now):
    return (ends.replace(tzinfo=None) - now.replace(tzinfo=None)).days


def _place(host, port):
    return f"https://{f'[{host}]' if ':' in host else host}:{port}"


def _tls_place(url):
    """Where the address leads to; None when not by TLS, ValueError when nowhere."""
    if not url.lower().startswith("https:"):
        return None
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("no host")
    return _place(parts.hostname, parts.port or 443)


def tls_endpoints(urls):
    found = set()
    for url in urls:
        with contextlib.suppress(ValueError):
            found.add(_tls_place(url))
    return sorted(found - {None})


def malformed_endpoints(urls):
    found = set()
    for url in urls:
        try:
            _tls_place(url)
        except ValueError:
            found.add(url)
    return sorted(found)


def unit_endpoints(endpoints, status, applications):
    """Where each unit of an application that has several shows its own certificate.

    At the port that all know answers its haproxy, which passes the connection to any unit; Apache is ten ports below (charmhelpers, determine_apache_port).
    """
    found = set()
    for parts in map(urlsplit, endpoints):
        for name in status["applications"]:
            units = [unit for unit in status["units"].values() if unit["application"] == name and not unit["principal"]]
            addresses = [unit["address"] for unit in units if unit["agent"] != "lost" and unit["address"]]
            virtual = str(((applications.get(name) or {}).get("options") or {}).get("vip") or "").split()
            if len(units) > 1 and parts.hostname in (*virtual, *addresses):
                found |= {_place(address, parts.port - 10) for address in addresses}
    return sorted(found)


def _date(text):
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ")


def certificates_due(read, days, now):
    return {row["item"]: row["serial_number"] for row in read if "not_after" in row and days_left(_date(row["not_after"]), now) < days}


def certificates_old(read, days, now, before, asked):
    """Those that end soon and are not new: the same as before, made before new ones were asked for, or ended already.

    A new one may end soon, too, where Vault makes short ones. Clocks may differ, and Vault dates a certificate back by half a minute: an hour is left.
    """
    due, found = certificates_due(read, days, now), {}
    for row in (row for row in read if row["item"] in due):
        made_before = _date(row["not_before"]) < _date(asked) - datetime.timedelta(hours=1)
        if row["serial_number"] == before.get(row["item"]) or made_before or row.get("expired"):
            found[row["item"]] = row["serial_number"]
    return found


class FilterModule:
    def filters(self):
        return {
            "database_claims": database_claims,
            "database_troubles": database_troubles,
            "juju_outages": juju_outages,
            "units_at": units_at,
            "days_left": days_left,
            "tls_endpoints": tls_endpoints,
            "malformed_endpoints": malformed_endpoints,
            "unit_endpoints": unit_endpoints,
            "certificates_due": certificates_due,
            "certificates_old": certificates_old,
        }
