"""The event's stand-in, for callbacks that are traced over a record and an event together."""

from __future__ import annotations

import datetime as dt
from typing import Any

from interaqt.core.errors import TraceError, did_you_mean
from interaqt.core.expressions import Param
from interaqt.core.interaction import InteractionModel
from interaqt.core.model import RecordModel
from interaqt.core.tracing import stand_in
from interaqt.core.types import Kind, ValueType

__all__ = ["AT", "EventStandIn", "USER", "payload_param"]

#: Names of an event's parameters.
AT, USER = "at", "user"


def payload_param(item: str) -> str:
    return f"payload.{item}"


class EventStandIn:
    """Looks like an :class:`~interaqt.Event` of one interaction; its values are parameters."""

    def __init__(self, interaction: InteractionModel, user: RecordModel | None) -> None:
        self._interaction, self._user = interaction, user
        self.payload = _PayloadStandIn(interaction)

    @property
    def at(self) -> dt.datetime:
        value: dt.datetime = stand_in(Param(AT, ValueType(Kind.DATETIME)))
        return value

    @property
    def user(self) -> Any:
        if self._user is None:
            raise TraceError(
                "the event's user is of no record of this controller, so nothing can be compared with it",
                code="trace.user",
                hint="give the user's class to the controller: Controller(system, models, user=Account)",
            )
        return stand_in(Param(USER, self._user.type))


class _PayloadStandIn:
    def __init__(self, interaction: InteractionModel) -> None:
        self._interaction = interaction

    def __getattr__(self, name: str) -> Any:
        item = self._interaction.items.get(name)
        if item is None:
            raise TraceError(
                f"{self._interaction} has no payload item {name!r}. {did_you_mean(name, self._interaction.items)}",
                code="trace.unknown_attribute",
            )
        if item.many or item.type.kind is Kind.JSON:
            raise TraceError(
                f"{self._interaction}.{name} is a list or JSON, which has no meaning in SQL here",
                code="trace.payload_list",
            )
        return stand_in(Param(payload_param(name), item.type))
