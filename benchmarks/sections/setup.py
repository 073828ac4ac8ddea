"""What a large model costs before the first dispatch: 200 entities with 1,000 computations."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import interaqt as iq
from benchmarks.report import Line, Options, Section

__all__ = ["SETUP", "models"]

ENTITIES = 200


def models(number: int) -> list[type]:
    """Entities in a row: each belongs to the one before, and has five computations over those that belong to it."""
    return [_entity(place, number) for place in range(number)]


def _entity(place: int, number: int) -> type:
    parts: Any = iq.many(inverse="whole")
    part = f"Entity{(place + 1) % number}"
    whole = f"Entity{(place - 1) % number}"
    body = {
        "__annotations__": {
            "id": "int",
            "whole": f"{whole} | None",
            "points": "int",
            "parts": f"iq.Many[{part}]",
            "count": "int",
            "total": "int",
            "best": "int | None",
            "any_high": "bool",
            "mean": "float | None",
        },
        "__module__": __name__,
        "id": iq.key(),
        "points": 0,
        "parts": parts,
        "count": iq.Count(parts),
        "total": iq.Summation(parts, of=lambda each: each.points),
        "best": iq.Maximum(parts, of=lambda each: each.points),
        "any_high": iq.Any(parts, where=lambda each: each.points > 10),
        "mean": iq.Average(parts, of=lambda each: each.points),
    }
    return iq.entity(type(f"Entity{place}", (), body))


def setup(options: Options, folder: Path) -> Iterator[Line]:
    for number in (ENTITIES // 10, ENTITIES):
        taken = []
        for _ in range(3):
            declared = models(number)
            began = perf_counter()
            app = iq.Controller(iq.MonoSystem(iq.SQLiteDB()), declared)
            made = perf_counter()
            app.setup(install=True)
            taken.append((made - began, perf_counter() - made))
            app.system.close()
        resolved, ready = (statistics.median(each[part] for each in taken) for part in (0, 1))
        # There is nothing to compare it with but the clock.
        goal = 1.0 if number == ENTITIES else None
        parts = {"controller": f"{resolved:.2f}", "setup": f"{ready:.2f}"}
        yield Line(f"{number} entities, {5 * number:,} computations", "SQLite", 1.0, resolved + ready, goal, parts)


SETUP = Section("setup", "A large model made ready", "one second", "ours", "seconds", setup, digits=2)
