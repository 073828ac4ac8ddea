"""Side effects: what happens outside the database, after the facts are committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import attrs

from interaqt.core.errors import InvalidComputation, Location, SideEffectError, did_you_mean
from interaqt.runtime.effects import Mutation, MutationKind
from interaqt.runtime.result import Outcome

__all__ = ["RecordChange", "SideEffect", "run_side_effects", "side_effect"]

R = TypeVar("R")

_KINDS: tuple[MutationKind, ...] = ("create", "update", "delete")


@attrs.frozen(eq=False)
class RecordChange(Generic[R]):
    """What a side effect is told: the record as it is, as it was, and what changed.

    ``old`` is None for a creation, ``record`` is the last state for a deletion.
    """

    kind: MutationKind
    record: R
    old: R | None
    names: frozenset[str]


@attrs.frozen(eq=False)
class SideEffect:
    """A function to call after the commit for each mutation of a record; made by :func:`side_effect`."""

    record: type
    kinds: frozenset[MutationKind]
    function: Callable[[Any], Any]
    location: Location

    @property
    def name(self) -> str:
        return self.function.__name__

    def __call__(self, change: RecordChange[Any]) -> Any:
        return self.function(change)


def side_effect(
    record: type[R], *, on: MutationKind | Sequence[MutationKind] = _KINDS
) -> Callable[[Callable[[RecordChange[R]], Any]], SideEffect]:
    """Decorates a function over a :class:`RecordChange`; give it to the controller with the models.

    It runs after the commit of a dispatch. Where it fails, the failure is in the result's
    ``side_effects`` and the facts stay.
    """
    location = Location.of_caller()
    written: object = record
    if not isinstance(written, type) or "__iq_record__" not in vars(written):
        name = getattr(written, "__name__", repr(written))
        raise InvalidComputation(
            f"side_effect takes the class of an entity or relation, not {name}",
            code="side_effect.record",
            location=location,
            hint="write @iq.side_effect(SomeEntity) above the function",
        )
    kinds = (on,) if isinstance(on, str) else tuple(on)
    for kind in kinds:
        if kind not in _KINDS:
            raise InvalidComputation(
                f"on={kind!r} is none of the kinds of a mutation. {did_you_mean(str(kind), _KINDS)}",
                code="side_effect.on",
                location=location,
            )

    def decorate(function: Callable[[RecordChange[R]], Any]) -> SideEffect:
        return SideEffect(record, frozenset(kinds), function, location)

    return decorate


def run_side_effects(
    effects: Iterable[SideEffect],
    mutations: Sequence[Mutation],
    change_of: Callable[[Mutation], RecordChange[Any]],
) -> list[Outcome]:
    """Call each for each of its mutations; one that fails keeps no other from running."""
    every = list(effects)
    known: dict[type, list[SideEffect]] = {}
    outcomes: list[Outcome] = []
    for mutation in mutations:
        if mutation.record not in known:
            names = _names_of(mutation.record)
            known[mutation.record] = [effect for effect in every if effect.record in names]
        outcomes += [
            attempt(effect.name, mutation, partial(_call, effect, mutation, change_of))
            for effect in known[mutation.record]
            if mutation.kind in effect.kinds
        ]
    return outcomes


def _names_of(record: type) -> Sequence[type]:
    """What a mutation's record is: of its own class and those above it, and of a view only that."""
    declared: Any = record
    return (record,) if declared.__iq_record__.view is not None else record.__mro__


def _call(effect: SideEffect, mutation: Mutation, change_of: Callable[[Mutation], RecordChange[Any]]) -> Any:
    return effect(change_of(mutation))


def attempt(name: str, mutation: Mutation | None, call: Callable[[], Any]) -> Outcome:
    """The outcome of a callback, whatever it does."""
    try:
        return Outcome(name, mutation, result=call())
    except Exception as error:
        failure = SideEffectError(f"{name} failed: {type(error).__name__}: {error}")
        failure.__cause__ = error
        return Outcome(name, mutation, error=failure)
