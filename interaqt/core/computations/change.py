"""A resolved transition: which interaction changes which attribute of which record, and to what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from typing import Any

import attrs

from interaqt.core.callbacks import check_event_callback
from interaqt.core.computations.transitions import DELETED, Transition
from interaqt.core.dictionary import only
from interaqt.core.errors import InvalidComputation, Location, did_you_mean
from interaqt.core.interaction import InteractionModel, PayloadItem
from interaqt.core.model import Model, Property, RecordModel, Reference
from interaqt.core.types import Kind
from interaqt.core.values import check_of

__all__ = ["Change", "Next", "interaction_of", "require_one_outcome", "resolve_change"]

#: Answers the next value for an event and the record as it was before it.
Next = Callable[[Any, Any], Any]


@attrs.frozen(eq=False)
class Change:
    """What one interaction does to one attribute.

    The records to change are what ``record`` answers for the event, or the payload's ``item``.
    The next value is what ``set`` answers, or what ``moves`` has for the present one: a value,
    :data:`~interaqt.DELETED`, or a callback.
    """

    attribute: Property | Reference
    interaction: InteractionModel
    moves: Mapping[Any, Any] | None
    set: Next | None
    record: Callable[[Any], object] | None
    item: PayloadItem | None
    strict: bool
    location: Location

    @property
    def asks(self) -> bool:
        """Whether a callback says what the next value is."""
        return self.set is not None or any(callable(each) for each in (self.moves or {}).values())

    @property
    def deletes(self) -> bool:
        return DELETED in (self.moves or {}).values()

    def __str__(self) -> str:
        return f"{self.attribute} on {self.interaction}"


def resolve_change(model: Model, attribute: Property | Reference, transition: Transition[Any]) -> Change:
    """Find the interaction and the records to change, and check what they may become."""
    subject = f"{attribute}: {transition}"
    interaction = interaction_of(model, transition.source, subject, transition.location)
    record, item = _target(attribute, transition, interaction, subject)

    def over_event_and_record(callback: Callable[..., Any]) -> Next:
        takes_both = check_event_callback(
            callback, interaction, subject, transition.location, record=str(attribute.owner)
        )
        return callback if takes_both else lambda event, record: callback(event)

    return Change(
        attribute,
        interaction,
        _moves(attribute, transition, over_event_and_record, subject),
        None if transition.set is None else over_event_and_record(transition.set),
        record,
        item,
        transition.strict,
        transition.location,
    )


def _target(
    attribute: Property | Reference,
    transition: Transition[Any],
    interaction: InteractionModel,
    subject: str,
) -> tuple[Callable[[Any], object] | None, PayloadItem | None]:
    """Which records are changed: what ``record=`` answers, the only one, or the payload's item of their kind."""
    if attribute.record.is_dictionary:
        return _only_record(attribute.record, transition, subject), None
    if transition.record is not None:
        check_event_callback(transition.record, interaction, subject, transition.location)
        return transition.record, None
    fitting = [each for each in interaction.items.values() if each.record and each.record.is_a(attribute.owner)]
    if len(fitting) != 1:
        raise InvalidComputation(
            f"which {attribute.owner} to change is not clear: {interaction} has "
            f"{len(fitting) or 'no'} payload item{'s' * (len(fitting) != 1)} of that type",
            code="on.record",
            subject=subject,
            location=transition.location,
            hint=f"say it: record=lambda e: e.payload.{fitting[0].name if fitting else 'something'}",
        )
    return None, fitting[0]


def _only_record(record: RecordModel, transition: Transition[Any], subject: str) -> Callable[[Any], object]:
    if transition.record is not None:
        raise InvalidComputation(
            f"there is one {record}, so which to change is no question",
            code="on.record",
            subject=subject,
            location=transition.location,
            hint="leave record= out",
        )
    return lambda _: only(record.cls)


def _moves(
    attribute: Property | Reference,
    transition: Transition[Any],
    over_event_and_record: Callable[[Callable[..., Any]], Next],
    subject: str,
) -> Mapping[Any, Any] | None:
    if transition.moves is None:
        return None
    if attribute.record.is_dictionary and DELETED in transition.moves.values():
        raise InvalidComputation(
            f"there is one {attribute.record} all the time, so none is deleted",
            code="on.deleted",
            subject=subject,
            location=transition.location,
            hint="give it a state for what is over",
        )
    values = [each for each in transition.moves.values() if each is not DELETED and not callable(each)]
    for state in [*transition.moves.keys(), *values]:
        _require_state(attribute, state, transition.location, subject)
    return {
        state: over_event_and_record(value) if callable(value) else value for state, value in transition.moves.items()
    }


def _require_state(attribute: Property | Reference, state: Any, location: Location, subject: str) -> None:
    if isinstance(attribute, Reference) and state is not None:
        raise InvalidComputation(
            f"{state!r} is no state of a reference, of which only None is known before there are records",
            code="on.reference",
            subject=subject,
            location=location,
            hint="write {None: lambda e, record: ...} for where there is none yet, or set=lambda e, record: ...",
        )
    if attribute.type.kind is Kind.JSON:
        raise InvalidComputation(
            f"{attribute} is a JSON value, which is no state that a table could tell from others",
            code="on.json",
            subject=subject,
            location=location,
            hint="write set=lambda e, record: ..., which is given the present value in its record",
        )
    wrong = check_of(attribute.type)(state)
    if wrong is not None:
        members = attribute.type.members
        if members and type(state) is type(members[0]):
            wrong = f"is not a state. {did_you_mean(str(state), map(str, members))}"
        raise InvalidComputation(
            f"{state!r} {wrong}", code="statemachine.unknown_state", subject=subject, location=location
        )


def require_one_outcome(changes: Iterable[Change]) -> None:
    """Refuse two transitions of one attribute that one event would make of the same record.

    Where ``record=`` answers the records, whether it is the same one is seen in the dispatch.
    """
    for one, other in combinations(changes, 2):
        is_same = one.attribute.record.is_dictionary or one.record is other.record
        if one.interaction is not other.interaction or not is_same:
            continue
        both = [state for state in one.moves or () if other.moves is None or state in other.moves]
        if one.moves is not None and other.moves is not None and not both:
            continue
        where = f"from {both[0]!r} " if one.moves is not None and other.moves is not None else ""
        raise InvalidComputation(
            f"{one.interaction} changes it {where}twice: here and at {one.location}",
            code="on.twice",
            subject=f"{other.attribute}: on({other.interaction})",
            location=other.location,
            hint="one event changes an attribute of a record once; let one of them say it, or give each another "
            "record=",
        )


def interaction_of(model: Model, source: Any, subject: str, location: Location) -> InteractionModel:
    """The model of an interaction class that a rule names."""
    found = model.interactions.get(source) if isinstance(source, type) else None
    if found is None:
        name = getattr(source, "__name__", repr(source))
        known = [each.name for each in model.interactions.values()]
        message = f"{name} is not an interaction of this controller. {did_you_mean(name, known)}"
        hint = "give it to the controller with the other models, or name one of those"
        if isinstance(source, str):
            message = f"an interaction is named by its class, not by the text {source!r}"
            hint = f"declare the interaction above and write {source} without quotes"
        elif model.record(source) is not None:
            message = f"{name} is a record; only an interaction changes or ends one. {did_you_mean(name, known)}"
            hint = f"a value that follows from {name} records is a computation, such as iq.Count"
        elif "__iq_interaction__" not in vars(source):
            hint = f"decorate {name} with @iq.interaction"
        raise InvalidComputation(
            message, code="rule.unknown_interaction", subject=subject, location=location, hint=hint
        )
    return found
