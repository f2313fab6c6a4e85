"""The region's API 2.0 over HTTP: ``make_app(world)``."""

from lab.faces.maas.app import make_app

__all__ = ["make_app"]
