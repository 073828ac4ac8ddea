"""Runs the sides in alternation, measures each operation on its own, and compares what they left."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from time import perf_counter_ns
from typing import Any, Protocol

import attrs

from benchmarks.filling import AUTHOR, POST, Filling

__all__ = ["OPERATIONS", "Measurement", "Side", "Store", "Track", "measure"]

OPERATIONS = ("like_post", "create_post", "change_state")


class Side(Protocol):
    """One way to do the three operations. A handle is what it takes for a user or a post."""

    @property
    def name(self) -> str: ...
    def user(self, key: int) -> Any: ...
    def post(self, key: int) -> Any: ...
    def like_post(self, user: Any, post: Any) -> object: ...
    def create_post(self, user: Any, post: Any) -> object: ...
    def publish_post(self, user: Any, post: Any) -> object: ...
    def unpublish_post(self, user: Any, post: Any) -> object: ...
    def check(self) -> None: ...
    def close(self) -> None: ...


class Store(Protocol):
    """The harness's own way to the tables of a side."""

    def fill(self, filling: Filling) -> None: ...
    def snapshot(self) -> list[list[Any]]: ...
    def close(self) -> None: ...


@attrs.frozen
class Track:
    """One side over one filled store: what an operation is measured on."""

    side: Side
    store: Store
    filling: Filling


@attrs.frozen
class Measurement:
    """Microseconds of one operation on one side, in one database, with so many likes on the post."""

    operation: str
    database: str
    likes: int
    side: str
    median: float
    fastest_tenth: float
    slowest_tenth: float
    runs: int


def measure(database: str, tracks: Sequence[Track], *, rounds: int, batch: int, warm_up: int) -> list[Measurement]:
    """Run each operation ``rounds`` times ``batch`` times on each track, the tracks in turn.

    All of them take turns, those with few likes and those with many as well, so that what else the
    machine does is shared by what is compared.
    """
    for track in tracks:
        track.store.fill(track.filling)
    found = []
    for operation in OPERATIONS:
        times: list[list[int]] = [[] for _ in tracks]
        for turn in range(rounds + warm_up):
            for place in range(len(tracks)):
                number = (place + turn) % len(tracks)
                taken = _turn(operation, tracks[number], range(turn * batch, (turn + 1) * batch))
                if turn >= warm_up:
                    times[number] += taken
        found += [_summary(operation, database, track, taken) for track, taken in zip(tracks, times, strict=True)]
    _compare(tracks)
    return found


def _turn(operation: str, track: Track, numbers: range) -> list[int]:
    """Nanoseconds of each of some operations. What they are about is fetched before."""
    side, filling = track.side, track.filling
    post = side.post(POST)
    match operation:
        case "like_post":
            runs = [side.like_post] * len(numbers)
            users = [side.user(filling.spare_users[number]) for number in numbers]
        case "create_post":
            # A hundred users who have liked the post: what they do might, but does not, change it.
            runs = [side.create_post] * len(numbers)
            users = [side.user(filling.likers[number % min(filling.likes, 100)]) for number in numbers]
        case _:
            runs = [side.unpublish_post if number % 2 else side.publish_post for number in numbers]
            users = [side.user(AUTHOR)] * len(numbers)
    taken = []
    for run, user in zip(runs, users, strict=True):
        start = perf_counter_ns()
        run(user, post)
        taken.append(perf_counter_ns() - start)
    return taken


def _summary(operation: str, database: str, track: Track, nanoseconds: list[int]) -> Measurement:
    tenths = statistics.quantiles(nanoseconds, n=10)
    return Measurement(
        operation,
        database,
        track.filling.likes,
        track.side.name,
        median=statistics.median(nanoseconds) / 1000,
        fastest_tenth=tenths[0] / 1000,
        slowest_tenth=tenths[-1] / 1000,
        runs=len(nanoseconds),
    )


def _compare(tracks: Sequence[Track]) -> None:
    """All sides with as many likes did the same: their tables are equal, and right by their own account."""
    first: dict[int, tuple[str, list[list[Any]]]] = {}
    for track in tracks:
        name, wanted = first.setdefault(track.filling.likes, (track.side.name, track.store.snapshot()))
        for mine, theirs in zip(wanted, track.store.snapshot(), strict=True):
            if mine != theirs:
                here, there = next(((a, b) for a, b in zip(mine, theirs, strict=False) if a != b), (None, None))
                raise AssertionError(
                    f"{name} and {track.side.name} left different rows ({len(mine)} and {len(theirs)}): {here}, {there}"
                )
        track.side.check()
