"""What two transactions that go on at the same time may do to each other: each anomaly is a fixed order of steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from interaqt.storage.capability import Anomaly
from interaqt.storage.database import Transaction
from interaqt.testing.play import BOUND, Play, commit, roll_back

__all__ = ["OUTCOMES", "SCHEDULES", "Outcome", "outcome_of"]

#: What becomes of a schedule: it happens; or one waits until the other is over; or one is refused, and may be tried
#: again; or both go on, and what would be wrong is not seen.
Outcome = Literal["possible", "waits", "refused", "not seen"]
OUTCOMES: tuple[Outcome, ...] = ("possible", "waits", "refused", "not seen")


def outcome_of(play: Play, happened: bool) -> Outcome:
    if happened:
        return "possible"
    if play.errors:
        assert all(map(play.bench.database.is_retryable, play.errors)), play.errors
        return "refused"
    return "waits" if play.waited else "not seen"


# -- steps -------------------------------------------------------------------------------------


def read(seat: int) -> Callable[[Transaction], int]:
    return lambda tx: int(tx.execute(f'SELECT "taken" FROM "seat" WHERE "id" = {seat}', ()).fetchall()[0][0])


def count() -> Callable[[Transaction], int]:
    return lambda tx: int(tx.execute('SELECT COUNT(*) FROM "seat" WHERE "taken" = 0', ()).fetchall()[0][0])


def write(seat: int, value: Callable[[], int]) -> Callable[[Transaction], int]:
    return lambda tx: tx.execute(f'UPDATE "seat" SET "taken" = {value()} WHERE "id" = {seat}', ()).rowcount


def add(seat: int) -> Callable[[Transaction], int]:
    return lambda tx: tx.execute(f'INSERT INTO "seat" ("id", "taken") VALUES ({seat}, 0)', ()).rowcount


def one() -> int:
    return 1


# -- schedules, over the seats 1 and 2, which nobody has taken -------------------------------------


def dirty_read(play: Play) -> bool:
    """One reads what another has written, and takes back."""
    play.first(write(1, one))
    seen = play.second(read(1))
    play.first(roll_back)
    play.end()
    return seen.result(BOUND) == 1


def non_repeatable_read(play: Play) -> bool:
    """One reads a row twice, and it is another one the second time."""
    before = play.first(read(1))
    play.second(write(1, one))
    play.second(commit)
    after = play.first(read(1))
    play.end()
    return before.result(BOUND) != after.result(BOUND)


def read_skew(play: Play) -> bool:
    """One reads two rows that another has changed together, and sees one as it was and one as it is."""
    left = play.first(read(1))
    play.second(write(1, one))
    play.second(write(2, one))
    play.second(commit)
    right = play.first(read(2))
    play.end()
    return left.result(BOUND) != right.result(BOUND)


def lost_update(play: Play) -> bool:
    """Both read a number, add one to it and write it back: one of the two is lost."""
    mine = play.first(read(1))
    yours = play.second(read(1))
    play.first(write(1, lambda: (mine.result(BOUND) or 0) + 1))
    play.first(commit)
    play.second(write(1, lambda: (yours.result(BOUND) or 0) + 1))
    play.end()
    return play.both_committed and play.value(1) != 2


def write_skew(play: Play) -> bool:
    """Both see that neither seat is taken, and each takes another one."""
    seen = [play.first(count()), play.second(count())]
    play.first(write(1, one))
    play.second(write(2, one))
    play.first(commit)
    play.end()
    return play.both_committed and [each.result(BOUND) for each in seen] == [2, 2]


def phantom(play: Play) -> bool:
    """One counts rows twice, and there is one more the second time."""
    before = play.first(count())
    play.second(add(3))
    play.second(commit)
    after = play.first(count())
    play.end()
    return before.result(BOUND) != after.result(BOUND)


def double_booking(play: Play) -> bool:
    """Both see that a row is not there, and each makes it."""
    seen = [play.first(count()), play.second(count())]
    play.first(add(3))
    play.second(add(4))
    play.first(commit)
    play.end()
    return play.both_committed and [each.result(BOUND) for each in seen] == [2, 2]


SCHEDULES: dict[Anomaly, Callable[[Play], bool]] = {
    "dirty read": dirty_read,
    "non-repeatable read": non_repeatable_read,
    "read skew": read_skew,
    "phantom": phantom,
    "lost update": lost_update,
    "write skew": write_skew,
    "double booking": double_booking,
}
