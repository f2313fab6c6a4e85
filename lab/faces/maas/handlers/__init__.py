"""The handlers of the API, by subject. Importing this package fills the registry."""

from lab.faces.maas.handlers import account, controllers, groups, images, machines, misc, networks, nodes, vmhosts

__all__ = ["account", "controllers", "groups", "images", "machines", "misc", "networks", "nodes", "vmhosts"]
