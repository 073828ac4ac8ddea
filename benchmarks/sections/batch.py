"""Many events at once: ``dispatch_many`` beside one dispatch for each, and beside statements of many rows by hand."""

from __future__ import annotations

import datetime as dt
import gc
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

from benchmarks.case import loaded
from benchmarks.cases.social import INSERT_LIKE, POST, SocialCase
from benchmarks.cases.social_model import LikePost, Post, User
from benchmarks.hand import EVENT, Hand
from benchmarks.places import Place
from benchmarks.report import Line, Options, Section
from benchmarks.timing import Ours, installed

__all__ = ["BATCH"]

ROUNDS = 3

GIVEN = 'UPDATE "user" SET likes_given = likes_given + 1 WHERE id BETWEEN ? AND ?'
#: As in ``like_post``, summed over those who like.
LIKED_BY_MANY = (
    "UPDATE post SET like_count = like_count + ?,"
    " recent_likes = recent_likes + (SELECT count(*) FROM \"user\" WHERE id BETWEEN ? AND ? AND name <> 'bot'),"
    ' popular = popular__matching + (SELECT count(*) FROM "user" WHERE id BETWEEN ? AND ? AND post_count > 100) > 0,'
    " popular__matching = popular__matching"
    ' + (SELECT count(*) FROM "user" WHERE id BETWEEN ? AND ? AND post_count > 100)'
    " WHERE id = ?"
)


def by_hand(hand: Hand, users: range) -> None:
    """Likes of one post by users with keys that follow one another: four statements, two of them of many rows."""
    payload = {"post": POST}
    hand.many(EVENT, [hand.event_row("LikePost", payload, user) for user in users])
    at = hand.time(dt.datetime.now(dt.UTC))
    hand.many(INSERT_LIKE, [(user, POST, at) for user in users])
    ends = (users[0], users[-1])
    hand.run(GIVEN, ends)
    hand.run(LIKED_BY_MANY, (len(users), *ends, *ends, *ends, POST))


def batch(options: Options, folder: Path) -> Iterator[Line]:
    for place in options.places:
        yield from _on(place, options.events, min(options.events, options.rounds * options.batch))


def _on(place: Place, events: int, singles: int) -> Iterator[Line]:
    case, size = SocialCase(), 100
    needed = (ROUNDS + 1) * (events + singles)
    times: dict[str, list[float]] = {"singles": [], "many": [], "hand": []}
    with place.fresh() as mine, place.fresh() as theirs:
        for where in (mine, theirs):
            installed(where, case, size, needed)
        ours, hand = Ours(mine, case.models), theirs.hand()
        try:
            post = loaded(ours.app, Post, POST)
            first = size + 2
            for turn in range(ROUNDS + 1):
                many = range(first, first + events)
                single = range(many.stop, many.stop + singles)
                first = single.stop
                requests = [(LikePost(post=post), user) for user in _users(ours, many)]
                ones = [(LikePost(post=post), user) for user in _users(ours, single)]
                works: dict[str, tuple[Callable[[], object], int]] = {
                    "many": (lambda requests=requests: ours.app.dispatch_many(requests), events),  # type: ignore[misc]
                    "hand": (lambda many=many: hand.transaction(by_hand, many), events),  # type: ignore[misc]
                    "singles": (
                        lambda ones=ones: [ours.app.dispatch(request, user=user) for request, user in ones],  # type: ignore[misc]
                        singles,
                    ),
                }
                for name, (work, number) in works.items():
                    gc.collect()
                    began = perf_counter()
                    work()
                    if turn:
                        times[name].append((perf_counter() - began) / number * 1e6)
            ours.check()
        finally:
            hand.close()
            ours.close()
    found = {name: statistics.median(taken) for name, taken in times.items()}
    yield Line(f"{events:,} events beside {singles:,} singles", place.name, found["singles"], found["many"], 0.1)
    yield Line(f"{events:,} events beside statements of many rows", place.name, found["hand"], found["many"])


def _users(ours: Ours, keys: range) -> list[User]:
    return ours.system.storage.query(User).where(lambda user: (user.id >= keys[0]) & (user.id <= keys[-1])).all()


BATCH = Section(
    "batch", "Many events in one dispatch_many", "baseline", "dispatch_many", "microseconds for each event", batch
)
