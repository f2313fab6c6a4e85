"""Boot sources, selections, and boot resources that arrive over virtual time: on the region first, then on the rack."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import yaml

from lab.engine import DATA
from lab.errors import BARE_JSON, bad, invalid
from lab.world.maas.base import Fields, Part, Row, Table

STREAMS: dict[str, Any] = yaml.safe_load((DATA / "maas" / "streams.yml").read_text())
DEFAULT_URL = "http://images.maas.io/ephemeral-v3/stable/"
KEYRING = "/usr/share/keyrings/ubuntu-cloudimage-keyring.gpg"
# Part of an import that the region needs; the rack fetches from the region in the rest.
REGION_SHARE = 0.88
STEPS = 8
# Seconds until the region has read what a source offers, which it does in its own time.
CATALOGUE = 20


class Images(Part):
    """Sources and selections say what is wanted; an import makes resources of it."""

    def __init__(self, maas: object):
        super().__init__(maas)
        self.sources = Table(maas, "boot_sources", "BootSource")
        self.selections = Table(maas, "boot_selections", "BootSourceSelection")
        self.resources = Table(maas, "boot_resources", "BootResource")
        self.engine.handler("maas.import_step", self._step)
        self.engine.handler("maas.catalogue", self.read_catalogues)

    # -- what is wanted -------------------------------------------------------------------------------------------------
    def add_default_source(self) -> None:
        """The source and selection that a region makes for itself when it starts."""
        if len(self.sources):
            return
        source = self._add_source(DEFAULT_URL, KEYRING, "")
        release = self.maas.config.get("commissioning_distro_series")
        self.selections.add(boot_source_id=source["id"], os="ubuntu", release=release, arches=["amd64"], subarches=["*"], labels=["*"])

    def _add_source(self, url: str, filename: str, data: str) -> Row:
        now = self.engine.now()
        self.read_soon()
        return self.sources.add(url=url, keyring_filename=filename, keyring_data=data, created=now, updated=now, unread=True)

    def read_soon(self) -> None:
        """A source or the proxy changed: the region answers, and reads its sources then."""
        self.engine.after(CATALOGUE, "maas.catalogue")

    def read_catalogues(self) -> None:
        """What the sources offer; from one that cannot be read nothing can be selected, and nothing comes."""
        for source in self.sources:
            if source.get("unread") and not self.engine.fault("image_source"):
                del source["unread"]
        self.engine.touch()

    def create_source(self, fields: Fields) -> Row:
        self._check_source(fields, fields.text("keyring_filename"), fields.text("keyring_data"))
        return self._add_source(fields.text("url"), fields.text("keyring_filename"), fields.text("keyring_data"))

    def update_source(self, row: Row, fields: Fields) -> Row:
        merged = Fields({"url": row["url"], **fields.values})
        filename = fields.text("keyring_filename") if "keyring_filename" in fields else row["keyring_filename"]
        data = fields.text("keyring_data") if "keyring_data" in fields else row["keyring_data"]
        self._check_source(merged, filename, data)
        row.update(url=merged.text("url"), keyring_filename=filename, keyring_data=data, updated=self.engine.now())
        self.engine.touch()
        return row

    @staticmethod
    def _check_source(fields: Fields, filename: str, data: str) -> None:
        errors: dict[str, str] = {}
        url = fields.text("url")
        if not url:
            errors["url"] = "This field is required."
        elif not re.match(r"\Ahttps?://[\w.:\[\]-]+(/|\Z)", url):
            errors["url"] = "Enter a valid URL."
        if not filename and not data:
            errors["__all__"] = "One of keyring_data or keyring_filename must be specified."
        elif filename and data:
            errors["__all__"] = "Only one of keyring_filename or keyring_data can be specified."
        if errors:
            raise invalid(errors)

    def delete_source(self, row: Row) -> None:
        for selection in self.selections.where(boot_source_id=row["id"]):
            self.selections.remove(selection)
        self.sources.remove(row)

    def selection(self, source_id: str, selection_id: str) -> Row:
        source = self.sources.get(source_id)
        row = self.selections.get(selection_id)
        if row["boot_source_id"] != source["id"]:
            return self.selections.get(None)
        return row

    def create_selection(self, source_id: str, fields: Fields) -> Row:
        source = self.sources.get(source_id)
        values = self._selection(source, fields, {"os": "", "release": "", "arches": [], "subarches": [], "labels": []})
        if self.selections.one(boot_source_id=source["id"], os=values["os"], release=values["release"]):
            raise invalid({"__all__": "Boot source selection with this Boot source, Os and Release already exists."}, BARE_JSON)
        return self.selections.add(boot_source_id=source["id"], **values)

    def update_selection(self, row: Row, fields: Fields) -> Row:
        row.update(self._selection(self.sources.get(row["boot_source_id"]), fields, row))
        self.engine.touch()
        return row

    @staticmethod
    def _selection(source: Row, fields: Fields, old: Row) -> Row:
        values = {name: fields.text(name) if name in fields else old[name] for name in ("os", "release")}
        values.update({name: fields.list(name) or old[name] for name in ("arches", "subarches", "labels")})
        offered = STREAMS.get(values["os"], {}).get(values["release"]) if values["os"] == "ubuntu" and not source.get("unread") else None
        if offered is None:
            text = f"OS {values['os']} with release {values['release']} has no available images for download"
            raise invalid({"os": text})
        absent = [arch for arch in values["arches"] if arch != "*" and arch not in offered["arches"]]
        if absent:
            raise invalid({"arches": f"No available images to download for {absent}"})
        return values

    # -- importing ------------------------------------------------------------------------------------------------------
    @property
    def importing(self) -> Row | None:
        return self.state["import"]

    def is_importing(self) -> bool:
        return self.importing is not None

    def start_import(self) -> None:
        """Begin an import, unless one runs: it takes long when something is missing, and little when only to look."""
        if self.importing is not None or not len(self.sources):
            return
        self.read_catalogues()
        wanted = self._wanted()
        missing = [key for key in wanted if not self._complete(key)]
        seconds = self.engine.duration("image_import" if missing else "image_check")
        self.state["import"] = {"started": self.engine.now(), "seconds": seconds, "step": 0, "stalled": False}
        for name, architecture in missing:
            if not self.resources.one(name=name, architecture=architecture):
                self.resources.add(name=name, architecture=architecture, type="Synced", progress=0.0, rack=False, last_deployed=None, created=self.engine.now())
        if missing and self.engine.fault("image_stalled"):
            self.state["import"]["stalled"] = True
        self.engine.log("import", state="started")
        self._next()

    def stop_import(self) -> None:
        if self.importing is not None:
            self.engine.cancel("maas.import_step")
            self.state["import"] = None
            self.engine.log("import", state="stopped")
            self.engine.touch()

    def finish_import(self) -> None:
        """End a running import at once, all complete (tests start from there)."""
        self.start_import()
        while self.importing is not None:
            self.engine.cancel("maas.import_step")
            self.importing["stalled"] = False
            self._step()

    def _next(self) -> None:
        self.engine.after(self.importing["seconds"] / (STEPS + 1), "maas.import_step")

    def _step(self) -> None:
        run = self.importing
        if run is None:
            return
        run["step"] += 1
        share = run["step"] / (STEPS + 1)
        if run["stalled"]:
            share = min(share, 0.4)
        wanted = self._wanted()
        for row in self.resources:
            if (row["name"], row["architecture"]) in wanted and row["progress"] < 1:
                row["progress"] = min(1.0, share / REGION_SHARE)
        if run["stalled"] or run["step"] <= STEPS:
            self._next()
            return
        for row in self.resources:
            if row["type"] == "Synced" and (row["name"], row["architecture"]) not in wanted:
                self.resources.remove(row)
            else:
                row.update(progress=1.0, rack=True)
        self.state["import"] = None
        self.engine.log("import", state="finished")
        self.engine.touch()
        self.maas.pxe_again()

    def _complete(self, key: tuple[str, str]) -> bool:
        row = self.resources.one(name=key[0], architecture=key[1])
        return row is not None and row["progress"] >= 1

    def _wanted(self) -> list[tuple[str, str]]:
        """Names and architectures of the resources that the selections ask for, boot loaders last."""
        wanted = []
        unread = {source["id"] for source in self.sources if source.get("unread")}
        for selection in self.selections:
            if selection["boot_source_id"] in unread:
                continue
            release = STREAMS["ubuntu"][selection["release"]]
            for arch in release["arches"] if "*" in selection["arches"] else selection["arches"]:
                for kernel in self._kernels(release["version"]):
                    wanted.append((f"{selection['os']}/{selection['release']}", f"{arch}/{kernel}"))
        if wanted:
            wanted += [(loader["name"], loader["architecture"]) for loader in STREAMS["bootloaders"]]
        return wanted

    @staticmethod
    def _kernels(version: str) -> list[str]:
        return [pattern.format(version) for pattern in STREAMS["kernels"]]

    # -- what is there --------------------------------------------------------------------------------------------------
    def listed(self, fields: Fields) -> list[Row]:
        kind = fields.get("type")
        if kind is not None and kind not in ("synced", "uploaded"):
            raise bad(f"'{kind}' is not a valid boot resource type. Available types: ['synced', 'uploaded']")
        rows = [row for row in self.resources if kind is None or row["type"].lower() == kind]
        return sorted(rows, key=lambda row: (row["name"], row["architecture"]))

    def _usable(self) -> list[Row]:
        return [row for row in self.resources if row["progress"] >= 1 and row["name"].startswith("ubuntu/")]

    def osystems(self) -> list[str]:
        return sorted({row["name"].split("/")[0] for row in self._usable()})

    def releases(self) -> list[str]:
        return sorted({row["name"].split("/")[1] for row in self._usable()})

    def kernels(self) -> list[str]:
        return sorted({row["architecture"].split("/")[1] for row in self._usable()})

    def kernels_of(self, release: str, arch: str) -> list[str]:
        rows = [row for row in self._usable() if row["name"] == f"ubuntu/{release}" and row["architecture"].startswith(f"{arch}/")]
        return [row["architecture"].split("/")[1] for row in rows]

    def architectures(self) -> list[str]:
        return sorted({row["architecture"].split("/")[0] + "/generic" for row in self._usable()})

    def bootable(self) -> bool:
        """Whether machines can boot over the network: the rack has the commissioning release."""
        name = f"ubuntu/{self.maas.config.get('commissioning_distro_series')}"
        return any(row["name"] == name and row["rack"] for row in self.resources)

    def subarches(self, row: Row) -> str | None:
        if not row["name"].startswith("ubuntu/"):
            return None
        kernel = row["architecture"].split("/")[1]
        version = kernel.split("-")[1]
        names = STREAMS["subarches"][: STREAMS["subarches"].index(f"ga-{version}") + 1]
        return ",".join(dict.fromkeys([*names, kernel]))

    def sets(self, row: Row) -> dict[str, Any]:
        """The versions of a resource with their files, as far as they have arrived."""
        done = row["progress"] >= 1
        left = {} if done else {"progress": round(100 * row["progress"], 1)}
        files: dict[str, Any] = {}
        if row["name"].startswith("ubuntu/"):
            specs = STREAMS["files"]
        else:
            size = next(b["size"] for b in STREAMS["bootloaders"] if b["name"] == row["name"])
            specs = [{"filename": f"{row['name'].split('/')[0].replace('grub-efi-signed', 'grub2-signed')}.tar.xz", "filetype": "archive.tar.xz", "size": size}]
        for spec in specs:
            digest = hashlib.sha256(f"{row['name']}{row['architecture']}{spec['filename']}".encode()).hexdigest()
            files[spec["filename"]] = {**spec, "sha256": digest, "filename_on_disk": digest[:7], "complete": done, **left}
        version = STREAMS["version"]
        return {version: {"version": version, "label": "stable", "size": sum(f["size"] for f in specs), "complete": done, **left, "files": files}}

    def rack_images(self) -> dict[str, Any]:
        """What a rack controller holds, and whether that is all the region has."""
        rows = [row for row in self._usable() if row["rack"]]
        pending = any(not row["rack"] for row in self.resources)
        images = []
        for row in rows:
            arch, kernel = row["architecture"].split("/")
            images.append({"name": row["name"].split("/")[1], "architecture": arch, "subarches": [kernel]})
        if self.is_importing() and pending:
            status = "region-importing" if any(row["progress"] < 1 for row in self.resources) else "syncing"
        else:
            status = "out-of-sync" if pending else "synced"
        return {"images": images, "connected": self.maas.rack_connected(), "status": status}
