"""deleted_by: the interaction that ends a record's life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from interaqt.core.computations.aggregation import BOOL, HOST, Computation
from interaqt.core.computations.change import interaction_of
from interaqt.core.errors import InvalidComputation, Location
from interaqt.core.event import Event
from interaqt.core.event_stand_in import event_fields
from interaqt.core.expressions import Expr, Root, all_of
from interaqt.core.interaction import InteractionModel
from interaqt.core.model import Model, RecordModel
from interaqt.core.parts import belongs
from interaqt.core.tracing import trace_value

__all__ = ["Deletion", "Ending", "deleted_by", "resolve_ending"]

P = TypeVar("P")
R = TypeVar("R")


class Deletion(Computation):
    """Deletes the records of its class for which ``function(record, event)`` holds."""

    def __init__(self, source: type, function: Callable[[Any, Any], bool], location: Location) -> None:
        self.source, self.function, self.location = source, function, location

    def __str__(self) -> str:
        return f"deleted_by({self.source.__name__})"


def deleted_by(source: type[P]) -> Callable[[Callable[[R, Event[P]], bool]], Deletion]:
    """Decorates a method over the record and the event of ``source``: where it holds, the record is deleted.

    The method is traced, so it finds its records by one statement with the event's values bound.
    """
    location = Location.of_caller()
    written: object = source
    if not isinstance(written, type):
        name = getattr(written, "__name__", repr(written))
        raise InvalidComputation(
            f"deleted_by takes the class of an interaction, not {name}",
            code="deleted_by.source",
            location=location,
            hint="write @iq.deleted_by(SomeInteraction) above the method",
        )

    def decorate(function: Callable[[R, Event[P]], bool]) -> Deletion:
        return Deletion(source, function, location)

    return decorate


@attrs.frozen(eq=False)
class Ending:
    """A resolved ``deleted_by``: ``condition`` is about ``Root(HOST)`` and the event's parameters."""

    record: RecordModel
    interaction: InteractionModel
    condition: Expr
    name: str
    owner: RecordModel
    """Where it is declared: of its kind are the records that it ends."""

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"


def resolve_ending(model: Model, record: RecordModel, deletion: Deletion) -> Ending:
    subject = f"{record}.{deletion.name}: {deletion}"
    interaction = interaction_of(model, deletion.source, subject, deletion.location)
    arguments = [Root(HOST, record), event_fields(interaction, model.user)]
    condition = trace_value(deletion.function, arguments, BOOL, subject=subject, location=deletion.location)
    table = record.root
    return Ending(table, interaction, all_of(belongs(record, Root(HOST, table)), condition), deletion.name, record)
