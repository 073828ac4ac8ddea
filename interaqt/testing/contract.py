"""The contract of drivers: each thing that a capability says is compared with what the database is seen to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from interaqt.storage.capability import Anomaly, Capability
from interaqt.testing import observations as seen
from interaqt.testing.conflicts import healed, retried
from interaqt.testing.play import Bench
from interaqt.testing.schedules import SCHEDULES, outcome_of

__all__ = ["CLAIMS", "BrokenPromise", "Claim"]


class BrokenPromise(AssertionError):
    """A driver says something else of its database than what it is seen to do."""


@attrs.frozen
class Claim:
    """One thing that a capability says; ``str()`` of it names it."""

    name: str
    said: Callable[[Capability], Any]
    seen: Callable[[Bench], Any]

    def __str__(self) -> str:
        return self.name

    def prove(self, bench: Bench) -> None:
        """Raise :class:`BrokenPromise` where what is said and what is seen differ, in whichever direction.

        ``bench.database`` is empty, and is thrown away afterwards.
        """
        database = bench.database
        said = self.said(database.capability)
        cause: Exception | None = None
        try:
            found = self.seen(bench)
        except Exception as error:
            cause = error
            found = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
        if found != said:
            driver = type(database).__name__
            raise BrokenPromise(f"{driver} says {self.name}: {_shown(said)}. What is seen: {_shown(found)}") from cause


def _shown(value: Any) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(map(str, value))) or "none"
    return str(value)


def _levels_with(capability: Capability, anomaly: Anomaly) -> frozenset[str]:
    return frozenset(level for level, possible in capability.isolation.items() if anomaly in possible)


def _possible_at(anomaly: Anomaly, bench: Bench) -> frozenset[str]:
    return frozenset(level for level in bench.database.capability.isolation if _is_possible(bench, level, anomaly))


def _is_possible(bench: Bench, level: str | None, anomaly: Anomaly) -> bool:
    bench.new_seats()
    play = bench.play(level)
    return outcome_of(play, SCHEDULES[anomaly](play)) == "possible"


def _at_default(bench: Bench) -> frozenset[Anomaly]:
    """What can happen without a level, right after another transaction had the strongest one."""
    found = set()
    strongest = list(bench.database.capability.isolation)[-1]
    for anomaly in SCHEDULES:
        bench.database.begin(strongest).rollback()
        if _is_possible(bench, None, anomaly):
            found.add(anomaly)
    return frozenset(found)


def _anomaly(anomaly: Anomaly) -> Claim:
    return Claim(
        f"levels that let a {anomaly} happen", partial(_levels_with, anomaly=anomaly), partial(_possible_at, anomaly)
    )


#: What is provable, by the name of the capability's word where it has one.
_WORDS: Mapping[str, Callable[[Bench], Any]] = {
    "transactions": seen.transactions,
    "concurrent_writers": seen.concurrent_writers,
    "row_locks": seen.row_locks,
    "savepoints": seen.savepoints,
    "transactional_schema": seen.transactional_schema,
    "read_only_snapshot": seen.read_only_snapshot,
    "retried": retried,
    "pipeline": seen.pipeline,
    "returning": seen.returning,
}


def _word(capability: Capability, name: str) -> Any:
    return getattr(capability, name)


#: All that a driver is held to.
CLAIMS: tuple[Claim, ...] = (
    *(Claim(name, partial(_word, name=name), observe) for name, observe in _WORDS.items()),
    Claim("isolation", lambda capability: frozenset(capability.isolation), seen.levels),
    *map(_anomaly, SCHEDULES),
    Claim("default", lambda capability: capability.isolation[capability.default], _at_default),
    Claim(
        "conflicts that are healed",
        lambda capability: capability.retried & {"deadlock", "serialization failure"},
        healed,
    ),
)
