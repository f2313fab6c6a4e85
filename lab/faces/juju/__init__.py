"""The Juju face: a controller's API over TLS websockets, as a 3.6 controller speaks it."""

from __future__ import annotations

from lab.faces.juju.server import JujuFace

__all__ = ["JujuFace"]
