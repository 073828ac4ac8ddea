"""StateMachine and field(changes=): properties that interactions change, by table or by value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar, cast, overload

import attrs

from interaqt.core.callbacks import check_event_callback
from interaqt.core.computations.aggregation import Computation
from interaqt.core.dictionary import only
from interaqt.core.errors import InvalidComputation, Location, being_declared, did_you_mean
from interaqt.core.event import Event
from interaqt.core.interaction import InteractionModel, PayloadItem
from interaqt.core.model import Model, Property, RecordModel, Reference
from interaqt.core.values import check_of

__all__ = ["Change", "StateMachine", "StateMachineSpec", "Transition", "on", "resolve_change"]

S = TypeVar("S")
P = TypeVar("P")


@attrs.frozen(eq=False)
class Transition(Generic[S]):
    """One interaction's effect on a property; made by :func:`on`."""

    source: type
    moves: Mapping[S, S] | None
    record: Callable[[Any], object] | None
    set: Callable[[Any], S] | None
    location: Location


@overload
def on(
    source: type[P], moves: Mapping[S, S], *, record: Callable[[Event[P]], object] | None = ...
) -> Transition[S]: ...
@overload
def on(
    source: type[P], *, set: Callable[[Event[P]], S], record: Callable[[Event[P]], object] | None = ...
) -> Transition[S]: ...
def on(
    source: type[P],
    moves: Mapping[S, S] | None = None,
    *,
    record: Callable[[Event[P]], object] | None = None,
    set: Callable[[Event[P]], S] | None = None,
) -> Transition[S]:
    """What interaction ``source`` does to the property that this is declared on.

    ``moves`` maps a present value to the next one; where the present one is not in it, nothing
    changes. ``set`` computes the next value from the event instead. ``record`` answers the
    record to change, several, or None; left out, it is the payload's only item of that entity.
    """
    location = Location.of_caller()
    if (moves is None) == (set is None):
        raise InvalidComputation(
            "on() takes either moves, a mapping from present to next value, or set=, a callback over the event",
            code="on.moves_or_set",
            subject=_declared(source),
            location=location,
            hint='write iq.on(Pay, {"new": "paid"}), or iq.on(Rename, set=lambda e: e.payload.name)',
        )
    if moves is not None and not isinstance(moves, Mapping):
        raise InvalidComputation(
            f"moves are a mapping from present to next value, not {moves!r}",
            code="on.moves",
            subject=_declared(source),
            location=location,
            hint='write iq.on(Pay, {"new": "paid"})',
        )
    return Transition(source, moves, record, set, location)


def _declared(source: object) -> str:
    subject = being_declared()
    return f"{subject}: on({getattr(source, '__name__', source)})" if subject else ""


def StateMachine(initial: object, *transitions: Transition[S], init: Literal[False] = False) -> S:
    """A property that starts as ``initial`` and is moved by interactions, each given by :func:`on`.

    The states are those of the attribute's type, such as ``Literal["new", "paid"]`` or an Enum.
    """
    # `initial: S` would be a reason for pyright to take S for str, and then to refuse a Literal
    # attribute; so a type checker checks the moves, and the initial state is checked at setup.
    location = Location.of_caller()
    for each in transitions:
        if not isinstance(each, Transition):
            raise InvalidComputation(
                f"StateMachine takes its initial state and then iq.on(...), not {each!r}",
                code="statemachine.transition",
                subject=f"{being_declared()}: StateMachine({initial!r}, ...)",
                location=location,
                hint='write iq.StateMachine("new", iq.on(Pay, {"new": "paid"}))',
            )
    return cast(S, StateMachineSpec(initial, transitions, location))


class StateMachineSpec(Computation):
    def __init__(self, initial: Any, transitions: tuple[Transition[Any], ...], location: Location) -> None:
        self.initial, self.transitions, self.location = initial, transitions, location

    def __str__(self) -> str:
        return f"StateMachine({self.initial!r})"


@attrs.frozen(eq=False)
class Change:
    """A resolved transition: what one interaction does to one attribute.

    The records to change are what ``record`` answers for the event, or the payload's ``item``.
    """

    attribute: Property | Reference
    interaction: InteractionModel
    moves: Mapping[Any, Any] | None
    set: Callable[[Any], Any] | None
    record: Callable[[Any], object] | None
    item: PayloadItem | None

    def __str__(self) -> str:
        return f"{self.attribute} on {self.interaction}"


def resolve_change(model: Model, attribute: Property | Reference, transition: Transition[Any]) -> Change:
    """Find the interaction and the payload item, and check the table of moves."""
    subject = f"{attribute}: on({getattr(transition.source, '__name__', transition.source)})"
    interaction = interaction_of(model, transition.source, subject, transition.location)
    check = check_of(attribute.type)
    for state in [*(transition.moves or {}).keys(), *(transition.moves or {}).values()]:
        wrong = check(state)
        if wrong is not None:
            members = attribute.type.members
            if members and type(state) is type(members[0]):
                wrong = f"is not a state. {did_you_mean(str(state), map(str, members))}"
            raise InvalidComputation(
                f"{state!r} {wrong}",
                code="statemachine.unknown_state",
                subject=subject,
                location=transition.location,
            )
    item, record = None, transition.record
    if attribute.record.is_dictionary:
        record = _only_record(attribute.record, transition, subject)
    elif record is None:
        table = attribute.record.root
        fitting = [each for each in interaction.items.values() if each.record and each.record.root is table]
        if len(fitting) != 1:
            raise InvalidComputation(
                f"which {attribute.record} to change is not clear: {interaction} has "
                f"{len(fitting) or 'no'} payload item{'s' * (len(fitting) != 1)} of that type",
                code="on.record",
                subject=subject,
                location=transition.location,
                hint=f"say it: record=lambda e: e.payload.{fitting[0].name if fitting else 'something'}",
            )
        item = fitting[0]
    for callback in (transition.record, transition.set):
        if callback is not None:
            check_event_callback(callback, interaction, subject, transition.location)
    return Change(attribute, interaction, transition.moves, transition.set, record, item)


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
