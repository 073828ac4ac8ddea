"""One dispatch at a time: the social example, each computation, and how the cost grows with what is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.case import Case
from benchmarks.cases.baskets import BASKETS
from benchmarks.cases.beyond import BEYOND
from benchmarks.cases.others import OTHERS
from benchmarks.cases.social import SocialCase
from benchmarks.delay import delaying
from benchmarks.places import Place
from benchmarks.report import Line, Options, Section
from benchmarks.timing import Measured, Plan, measure, tracks

__all__ = ["COMPUTATIONS", "GROWTH", "NETWORK", "SOCIAL"]

#: Of the time of handwritten code that waits for each statement.
GOALS = {"SQLite": 2.0, "PostgreSQL": 1.0}


def social(options: Options, folder: Path) -> Iterator[Line]:
    """Each step of the social example, with as many likes as the smaller size."""
    plan = Plan(options.rounds, options.batch)
    for place in options.places:
        case = SocialCase()
        with tracks(place, case, options.sizes[:1], plan) as some:
            found = measure(place.name, case, some, plan)
        for step in case.steps:
            yield _line(step, place, found, [step], GOALS.get(place.name))


def computations(options: Options, folder: Path) -> Iterator[Line]:
    """The steps of each case together."""
    plan = Plan(max(1, options.rounds // 2), options.batch)
    for place in options.places:
        for case in _chosen(options):
            with tracks(place, case, options.sizes[:1], plan) as some:
                found = measure(place.name, case, some, plan)
            line = _line(case.name, place, found, case.steps, GOALS.get(place.name))
            line.more["each step"] = _each_step(
                case, found, ("ours", options.sizes[0]), ("handwritten", options.sizes[0])
            )
            yield line


def growth(options: Options, folder: Path) -> Iterator[Line]:
    """What each case costs with many related records, beside what it costs with few."""
    plan = Plan(max(1, options.rounds // 2), options.batch)
    for place in options.places:
        for case in (SocialCase(), *(each for each in _chosen(options) if not each.asks_all)):
            with tracks(place, case, options.sizes, plan, only_ours=True) as some:
                found = measure(place.name, case, some, plan)
            few, many = (_total(found, case.steps, "ours", size) for size in options.sizes)
            small, large = options.sizes
            steps = _each_step(case, found, ("ours", large), ("ours", small))
            yield Line(case.name, place.name, few, many, 1.1, {"each step": steps})


def network(options: Options, folder: Path) -> Iterator[Line]:
    """The social example with a network between: each way takes its time."""
    plan = Plan(max(1, options.rounds // 4), max(2, options.batch // 4), warm_up=1)
    for place in options.places:
        if place.port is None:
            continue
        case = SocialCase()
        with (
            delaying(place.port, options.delay) as port,
            tracks(place, case, options.sizes[:1], plan, through=port) as some,
        ):
            found = measure(place.name, case, some, plan)
        for step in case.steps:
            yield _line(step, place, found, [step], 0.4)


def _chosen(options: Options) -> Sequence[Case]:
    cases = (*BASKETS, *OTHERS, *BEYOND)
    return [case for case in cases if not options.only or any(name in case.name for name in options.only)]


def _line(what: str, place: Place, found: Sequence[Measured], steps: Sequence[str], goal: float | None) -> Line:
    size = found[0].size
    theirs, ours = (_total(found, steps, side, size) for side in ("handwritten", "ours"))
    more = {}
    if any(each.side == "pipelined" for each in found):
        more["to pipelined"] = f"{ours / _total(found, steps, 'pipelined', size):.2f}"
    return Line(what, place.name, theirs, ours, goal, more)


def _total(found: Sequence[Measured], steps: Sequence[str], side: str, size: int) -> float:
    return sum(each.median for each in found if each.step in steps and (each.side, each.size) == (side, size))


def _each_step(case: Case, found: Sequence[Measured], one: tuple[str, int], other: tuple[str, int]) -> str:
    ratios = (_total(found, [step], *one) / _total(found, [step], *other) for step in case.steps)
    return ", ".join(f"{step} {ratio:.2f}" for step, ratio in zip(case.steps, ratios, strict=True))


SOCIAL = Section("social", "Liking, posting, publishing", "handwritten", "ours", "microseconds, medians", social)
COMPUTATIONS = Section(
    "computations", "Each computation: its steps together", "handwritten", "ours", "microseconds, medians", computations
)
GROWTH = Section("growth", "The same with many related records", "few", "many", "microseconds, medians", growth)
NETWORK = Section(
    "network", "Over a network that takes its time each way", "handwritten", "ours", "microseconds, medians", network
)
