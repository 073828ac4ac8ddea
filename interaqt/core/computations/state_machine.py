"""StateMachine: a property that starts in one state and is moved to others by interactions."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar, cast

from interaqt.core.computations.aggregation import Computation
from interaqt.core.computations.change import Change
from interaqt.core.computations.transitions import DELETED, Transition
from interaqt.core.errors import DeclarationWarning, InvalidComputation, Location, being_declared
from interaqt.core.model import Property
from interaqt.core.types import Kind

__all__ = ["StateMachine", "StateMachineSpec", "Written", "warn_of_unreachable_states"]

S = TypeVar("S")


class Written(Computation):
    """What is written with the facts of an interaction, and starts as ``initial``."""

    initial: Any


def StateMachine(initial: object, *transitions: Transition[S], init: Literal[False] = False) -> S:
    """A property that starts as ``initial`` and is moved by interactions, each given by :func:`on`.

    The states are those of the attribute's type, such as ``Literal["new", "paid"]`` or an Enum.
    Where the maker of a record gives the first state it is a field with changes:
    ``iq.field(default="new", changes=[iq.on(...), ...])``.
    """
    # `initial: S` would be a reason for pyright to take S for str, and then to refuse a Literal
    # attribute; so a type checker checks the moves, and the initial state is checked at setup.
    location = Location.of_caller()
    subject = f"{being_declared()}: StateMachine({initial!r}, ...)"
    for each in transitions:
        if not isinstance(each, Transition):
            raise InvalidComputation(
                f"StateMachine takes its initial state and then iq.on(...), not {each!r}",
                code="statemachine.transition",
                subject=subject,
                location=location,
                hint='write iq.StateMachine("new", iq.on(Pay, {"new": "paid"}))',
            )
    given: object = init
    if given is not False:
        raise InvalidComputation(
            "a StateMachine starts in its own initial state, not in one that a maker gives",
            code="statemachine.init",
            subject=subject,
            location=location,
            hint=f"write iq.field(default={initial!r}, changes=[iq.on(...), ...]), which is moved in the same way",
        )
    return cast(S, StateMachineSpec(initial, transitions, location))


class StateMachineSpec(Written):
    def __init__(self, initial: Any, transitions: tuple[Transition[Any], ...], location: Location) -> None:
        self.initial, self.transitions, self.location = initial, transitions, location

    def __str__(self) -> str:
        return f"StateMachine({self.initial!r})"


def warn_of_unreachable_states(attribute: Property, initial: Any, changes: Sequence[Change]) -> None:
    """Tell of states that the type has and nothing leads to; a callback may lead to any."""
    if any(change.asks for change in changes):
        return
    moves = [change.moves for change in changes if change.moves is not None]
    type = attribute.type
    states: Iterable[Any] = type.python if type.kind is Kind.ENUM else type.members
    reached, fresh = {initial}, [initial]
    while fresh:
        state = fresh.pop()
        found = {table[state] for table in moves if state in table} - reached - {DELETED}
        reached |= found
        fresh += found
    missing = [repr(each) for each in states if each not in reached]
    if missing:
        warnings.warn_explicit(
            f"{attribute}: no move leads to {', '.join(missing)} from {initial!r}, so no {attribute.owner} is ever "
            "in that state; leave it out of the type, or let an interaction lead there",
            DeclarationWarning,
            attribute.location.file,
            attribute.location.line,
        )
