"""One request as the handlers see it, and their answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.errors import JSON, forbidden
from lab.faces.maas.body import JsonFields
from lab.faces.maas.render import Render
from lab.world.maas.base import Fields

if TYPE_CHECKING:
    from lab.world.maas import MaasWorld


@dataclass
class Reply:
    """A success that is not plain JSON with 200."""

    body: Any = ""
    status: int = 200
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """A request: who asks (None: nobody we know), the path's parameters, the query's and the body's fields."""

    maas: MaasWorld
    render: Render
    user: str | None
    params: dict[str, str]
    query: Fields
    data: Fields
    base: str

    @property
    def admin(self) -> bool:
        return self.user is not None and self.maas.users.get(self.user)["is_superuser"]

    def need_admin(self, text: str = "") -> None:
        if not self.admin:
            raise forbidden(text)

    @property
    def json_body(self) -> bool:
        return isinstance(self.data, JsonFields)

    @property
    def node(self) -> Any:
        """The node that the path names."""
        return self.maas.machines.get(self.params["system_id"])
