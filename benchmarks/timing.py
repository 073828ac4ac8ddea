"""Runs the sides in alternation, measures each operation on its own, and compares what they left."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from time import perf_counter_ns
from typing import Any, Protocol

import attrs

import interaqt as iq
from benchmarks.case import Call, Case
from benchmarks.hand import Hand
from benchmarks.places import Place, Where

__all__ = ["MUCH", "ByHand", "Measured", "Ours", "Plan", "Side", "Track", "installed", "measure", "tracks"]


#: From so many rows on, what is left to write would be written while others are measured.
MUCH = 500


class Side(Protocol):
    """One way to do the operations of a case."""

    @property
    def name(self) -> str: ...
    def calls(self, case: Case, step: str, size: int, numbers: range) -> list[Call]: ...
    def check(self) -> None: ...
    def close(self) -> None: ...


class Ours:
    """Through a controller."""

    name = "ours"

    def __init__(self, where: Where, models: Sequence[type]) -> None:
        self.system = iq.MonoSystem(where.open())
        self.app = iq.Controller(self.system, models)
        self.app.setup()

    def calls(self, case: Case, step: str, size: int, numbers: range) -> list[Call]:
        return case.ours(self.app, step, size, numbers)

    def check(self) -> None:
        """Every derived value is what its declaration says."""
        differences = self.app.verify()
        if differences:
            raise AssertionError(f"derived values differ from their recomputation: {differences[:5]}")

    def close(self) -> None:
        self.system.close()


class ByHand:
    """Through a client library."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.name = hand.name

    def calls(self, case: Case, step: str, size: int, numbers: range) -> list[Call]:
        return case.by_hand(self.hand, step, size, numbers)

    def check(self) -> None:
        """Nothing of its own: its tables are compared with those of the others."""

    def close(self) -> None:
        self.hand.close()


@attrs.frozen
class Track:
    """One side over one filled database."""

    side: Side
    looking: Hand
    """The harness's own way to the tables."""
    size: int


@attrs.frozen
class Plan:
    """How often: so many turns of each side, with so many operations in each."""

    rounds: int
    batch: int
    warm_up: int = 2

    @property
    def operations(self) -> int:
        return (self.rounds + self.warm_up) * self.batch


@attrs.frozen
class Measured:
    """Microseconds of one operation on one side, with so many related records."""

    case: str
    step: str
    database: str
    size: int
    side: str
    median: float
    fastest_tenth: float
    slowest_tenth: float
    runs: int


def installed(where: Where, case: Case, size: int, operations: int) -> None:
    """The tables of a case, as interaqt makes them for all sides, filled."""
    system = iq.MonoSystem(where.open())
    hand = where.hand()
    try:
        app = iq.Controller(system, case.models)
        app.setup(install=True)
        case.fill(app, hand, size, operations)
        for record in case.derived:
            app.rebuild(record)
        tables = [
            table.name for table in system.storage.schema.tables if any(each.name == "id" for each in table.columns)
        ]
        filled = [name for name in tables if hand.rows(f'SELECT id FROM "{name}" LIMIT 1')]
        where.kind.settle(hand, filled, much=size + operations >= MUCH)
    finally:
        hand.close()
        system.close()


@contextmanager
def tracks(
    place: Place,
    case: Case,
    sizes: Sequence[int],
    plan: Plan,
    *,
    only_ours: bool = False,
    through: int | None = None,
) -> Iterator[list[Track]]:
    """A track for each side and size, each over a database of its own; ``through`` is a port that leads there."""
    has_pipeline = type(place).pipelined is not Place.pipelined
    with ExitStack() as stack:
        found = []
        for size in sizes:
            for name in ["ours"] if only_ours else ["handwritten", "pipelined", "ours"]:
                if name == "pipelined" and not has_pipeline:
                    continue
                where = stack.enter_context(place.fresh())
                installed(where, case, size, plan.operations)
                side = _side(name, where if through is None else where.at_port(through), case)
                stack.callback(side.close)
                looking = where.hand()
                stack.callback(looking.close)
                found.append(Track(side, looking, size))
        yield found


def _side(name: str, where: Where, case: Case) -> Side:
    if name == "ours":
        return Ours(where, case.models)
    hand = where.pipelined() if name == "pipelined" else where.hand()
    assert hand is not None
    return ByHand(hand)


def measure(database: str, case: Case, some: Sequence[Track], plan: Plan) -> list[Measured]:
    """Run each step ``rounds`` times ``batch`` times on each track, the tracks in turn.

    All of them take turns, those with few records and those with many as well, so that what else
    the machine does is shared by what is compared.
    """
    times: dict[tuple[str, int], list[int]] = {(step, place): [] for step in case.steps for place in range(len(some))}
    gc.collect()
    for turn in range(plan.rounds + plan.warm_up):
        numbers = range(turn * plan.batch, (turn + 1) * plan.batch)
        for step in case.steps:
            for place in range(len(some)):
                number = (place + turn) % len(some)
                track = some[number]
                taken = _turn(track.side.calls(case, step, track.size, numbers))
                if turn >= plan.warm_up:
                    times[step, number] += taken
    _compare(case, some)
    return [_summary(case, step, database, some[number], nanoseconds) for (step, number), nanoseconds in times.items()]


def _turn(calls: Sequence[Call]) -> list[int]:
    """Nanoseconds of each of some operations."""
    taken = []
    for call in calls:
        start = perf_counter_ns()
        call()
        taken.append(perf_counter_ns() - start)
    return taken


def _summary(case: Case, step: str, database: str, track: Track, nanoseconds: list[int]) -> Measured:
    tenths = statistics.quantiles(nanoseconds, n=10)
    return Measured(
        case.name,
        step,
        database,
        track.size,
        track.side.name,
        median=statistics.median(nanoseconds) / 1000,
        fastest_tenth=tenths[0] / 1000,
        slowest_tenth=tenths[-1] / 1000,
        runs=len(nanoseconds),
    )


def _compare(case: Case, some: Sequence[Track]) -> None:
    """All sides with as many records did the same: their tables are equal, and right by their own account."""
    first: dict[int, tuple[str, list[list[Any]]]] = {}
    for track in some:
        found = [track.looking.rows(query) for query in case.snapshot]
        name, wanted = first.setdefault(track.size, (track.side.name, found))
        for mine, theirs in zip(wanted, found, strict=True):
            if [*map(tuple, mine)] != [*map(tuple, theirs)]:
                here, there = next(((a, b) for a, b in zip(mine, theirs, strict=False) if a != b), (None, None))
                raise AssertionError(
                    f"{case.name}: {name} and {track.side.name} left different rows"
                    f" ({len(mine)} and {len(theirs)}): {here}, {there}"
                )
        track.side.check()
