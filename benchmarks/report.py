"""The outcome: tables of ratios, to be read and, as JSON, to be kept."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from benchmarks.places import Place

__all__ = ["Line", "Options", "Section", "table"]


@attrs.frozen
class Line:
    """One comparison: what ours took beside a baseline, in one run."""

    what: str
    database: str
    baseline: float
    ours: float
    goal: float | None = None
    more: dict[str, str] = attrs.field(factory=dict)
    """What else is told of it, by the heading of its column."""

    @property
    def ratio(self) -> float:
        return self.ours / self.baseline


@attrs.frozen
class Options:
    """What is measured, how often, and on how much."""

    places: Sequence[Place]
    rounds: int
    batch: int
    sizes: tuple[int, int]
    rows: int
    events: int
    processes: int
    delay: float
    """Seconds that the network takes each way."""
    only: Sequence[str]
    """Of the computations, those with one of these in their names; all where there are none."""

    @classmethod
    def of(cls, arguments: argparse.Namespace, places: Sequence[Place]) -> Options:
        small, large = sorted(arguments.sizes)
        return cls(
            places,
            arguments.rounds,
            arguments.batch,
            (small, large),
            arguments.rows,
            arguments.events,
            arguments.processes,
            arguments.delay / 1000,
            arguments.only,
        )


@attrs.frozen
class Section:
    """One table of the outcome."""

    name: str
    title: str
    baseline: str
    """The headings of the two columns that are compared."""
    ours: str
    unit: str
    run: Callable[[Options, Path], Iterator[Line]]
    digits: int = 1


def table(section: Section, lines: Sequence[Line]) -> Iterator[str]:
    """The lines of one section, as Markdown."""
    extra = list(dict.fromkeys(name for line in lines for name in line.more))
    goals = any(line.goal is not None for line in lines)
    header = ["", "database", section.baseline, section.ours, "ratio", *(["goal"] if goals else []), *extra]
    rows = [header]
    for line in lines:
        row = [line.what, line.database]
        row += [f"{value:,.{section.digits}f}" for value in (line.baseline, line.ours)]
        row.append(f"{line.ratio:.2f}")
        if goals:
            row.append(_goal(line))
        rows.append([*row, *(line.more.get(name, "") for name in extra)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    yield f"## {section.title} ({section.unit})"
    yield ""
    for place, row in enumerate(rows):
        cells = (
            text.ljust(width) if column < 2 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "| " + " | ".join(cells) + " |"
        if place == 0:
            yield "| " + " | ".join("-" * width for width in widths) + " |"


def _goal(line: Line) -> str:
    if line.goal is None:
        return ""
    return f"{line.goal:g}" if line.ratio <= line.goal else f"{line.goal:g} missed"
