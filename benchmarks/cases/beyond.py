"""More than values of other values: one of the clock, one that a worker works out, and locks that are asked for."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any

import interaqt as iq
from benchmarks.case import NUMBERS, Call, calls, loaded
from benchmarks.cases.others import EVENTS, Shape
from benchmarks.hand import Hand
from interaqt import Event

__all__ = ["BEYOND"]


# -- a value that changes with the clock -------------------------------------------------------------


@iq.interaction
class Lend:
    until: dt.datetime


@iq.interaction
class Extend:
    loan: Loan
    until: dt.datetime


@iq.interaction
class Return:
    loan: Loan


@iq.entity
class Loan:
    id: int = iq.key()
    until: dt.datetime = iq.field(changes=iq.on(Extend, set=lambda e: e.payload.until))
    late: bool = iq.RealTime(lambda loan, now: now > loan.until)

    lent = iq.Transform(Lend, lambda e: Loan(until=e.payload.until))

    @iq.deleted_by(Return)
    def returned(self, e: Event[Return]) -> bool:
        return self == e.payload.loan


#: Later than anybody measures.
FAR = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
INSTANT = dt.timedelta(microseconds=1)


class LoanCase(Shape):
    """Books are lent until some day, for longer, and come back; each knows when it will be late."""

    name = "RealTime"
    models = (Loan, Lend, Extend, Return)
    steps = ("lend", "extend", "give_back")
    snapshot = ("SELECT id, until, late, late__until FROM loan ORDER BY id", EVENTS)

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        loans = f"INSERT INTO loan (id, until, late, late__until, late__at) {NUMBERS} i, ?, ?, ?, ? FROM n"
        hand.transaction(lambda hand: hand.run(loans, (size, *self._row(hand, FAR))))

    def request(self, app: iq.Controller, step: str, key: int) -> tuple[object, ...]:
        if step == "lend":
            return Lend, {"until": self._until(key)}
        loan = loaded(app, Loan, key)
        if step == "extend":
            return Extend, {"loan": loan, "until": self._until(key + 1)}
        return Return, {"loan": loan}

    def lend(self, hand: Hand, key: int) -> None:
        until = self._until(key)
        hand.event("Lend", {"until": until.isoformat()})
        hand.insert("INSERT INTO loan (until, late, late__until, late__at) VALUES (?, ?, ?, ?)", self._row(hand, until))

    def extend(self, hand: Hand, key: int) -> None:
        until = self._until(key + 1)
        hand.event("Extend", {"loan": key, "until": until.isoformat()})
        changed = "UPDATE loan SET until = ?, late = ?, late__until = ?, late__at = ? WHERE id = ?"
        hand.run(changed, (*self._row(hand, until), key))

    def give_back(self, hand: Hand, key: int) -> None:
        hand.event("Return", {"loan": key})
        hand.run("DELETE FROM loan WHERE id = ?", (key,))

    @staticmethod
    def _until(key: int) -> dt.datetime:
        return FAR + dt.timedelta(minutes=key)

    @staticmethod
    def _row(hand: Hand, until: dt.datetime) -> tuple[object, ...]:
        """Until when it is lent, whether that is past, when it will be, and of which moment this is."""
        now = dt.datetime.now(dt.UTC)
        late = now > until
        turns = None if late else (until - EPOCH) // INSTANT + 1
        return hand.time(until), late, turns, hand.time(now)


# -- a value that a worker works out -----------------------------------------------------------------


def count_words(text: str) -> int:
    return len(text.split())


@iq.interaction
class Edit:
    essay: Essay
    text: str


@iq.entity
class Essay:
    id: int = iq.key()
    text: str = iq.field(changes=iq.on(Edit, set=lambda e: e.payload.text))
    words: int | None = iq.Custom(
        reads=lambda essay: (essay.text,), compute=count_words, asynchronous=iq.Asynchronous()
    )


ASK = (
    "INSERT INTO asynchronous_task (attribute, host, version, requested, due, attempts, status, claim, error)"
    " VALUES ('Essay.words', ?, 1, ?, ?, 0, 'waiting', NULL, NULL) ON CONFLICT (attribute, host) DO UPDATE SET"
    " version = asynchronous_task.version + 1, requested = ?, due = ?, attempts = 0, status = 'waiting',"
    " claim = NULL, error = NULL"
)
DUE = (
    "SELECT id, host, version FROM asynchronous_task WHERE status = 'waiting' AND due <= ?"
    " AND attribute = 'Essay.words' ORDER BY due, id LIMIT 1 FOR UPDATE SKIP LOCKED"
)
CLAIM = "UPDATE asynchronous_task SET attempts = attempts + 1, claim = ?, due = ? WHERE id = ?"
DONE = "DELETE FROM asynchronous_task WHERE id = ? AND version = ?"


class EssayCase(Shape):
    """The number of an essay's words is asked for as it is edited, and worked out by a worker afterwards."""

    name = "asynchronous Custom"
    models = (Essay, Edit)
    steps = ("ask", "work")
    snapshot = (
        "SELECT id, text, words FROM essay ORDER BY id",
        "SELECT attribute, host, version, attempts, status FROM asynchronous_task ORDER BY id",
        EVENTS,
    )

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        essays = f"INSERT INTO essay (id, text, words) {NUMBERS} i, 'not much', 2 FROM n"
        hand.transaction(lambda hand: hand.run(essays, (size + operations,)))

    def ours(self, app: iq.Controller, step: str, size: int, numbers: range) -> list[Call]:
        if step == "work":
            return [partial(app.run_tasks, 1)] * len(numbers)
        return super().ours(app, step, size, numbers)

    def by_hand(self, hand: Hand, step: str, size: int, numbers: range) -> list[Call]:
        if step == "work":
            return calls(self.work, [(hand,)] * len(numbers))
        return super().by_hand(hand, step, size, numbers)

    def request(self, app: iq.Controller, step: str, key: int) -> tuple[object, ...]:
        return Edit, {"essay": loaded(app, Essay, key), "text": self._text(key)}

    def ask(self, hand: Hand, key: int) -> None:
        now, text = hand.now(), self._text(key)
        hand.event("Edit", {"essay": key, "text": text})
        before = hand.one("SELECT text FROM essay WHERE id = ? FOR UPDATE", (key,))
        hand.run("UPDATE essay SET text = ? WHERE id = ?", (text, key))
        if before[0] != text:
            hand.run(ASK, (str(key), now, now, now, now))

    def work(self, hand: Hand) -> None:
        """Claim what is due longest, read and compute outside of any transaction that locks, and write the outcome."""
        task, essay, version = hand.transaction(self._claim)
        (text,) = hand.transaction(lambda hand: hand.one("SELECT text FROM essay WHERE id = ?", (essay,)))
        hand.transaction(self._put, task, version, essay, text, count_words(text))

    @staticmethod
    def _claim(hand: Hand) -> tuple[int, int, int]:
        now = dt.datetime.now(dt.UTC)
        task, host, version = hand.one(DUE, (hand.time(now),))
        hand.run(CLAIM, (uuid.uuid4().hex, hand.time(now + dt.timedelta(minutes=1)), task))
        return task, int(host), version

    @staticmethod
    def _put(hand: Hand, task: int, version: int, essay: int, text: str, words: int) -> None:
        now, held = hand.one("SELECT text, words FROM essay WHERE id = ? FOR UPDATE", (essay,))
        if now == text and held != words:
            hand.run("UPDATE essay SET words = ? WHERE id = ?", (words, essay))
        hand.run(DONE, (task, version))

    @staticmethod
    def _text(key: int) -> str:
        return f"essay {key}" + " and more" * (1 + key % 5)


# -- locks that are asked for ------------------------------------------------------------------------


@iq.condition(locks=lambda e: e.payload.ceiling)
def within_ceiling(event: Event[Borrow]) -> bool:
    return event.payload.debtor.debt + event.payload.amount <= event.payload.ceiling.amount


@iq.interaction(guard=within_ceiling)
class Borrow:
    debtor: Debtor
    ceiling: Ceiling
    amount: int


@iq.interaction(locks=lambda e: e.payload.debtor)
class PayBack:
    debtor: Debtor
    amount: int


@iq.entity
class Ceiling:
    id: int = iq.key()
    amount: int


@iq.entity
class Debtor:
    id: int = iq.key()
    debt: int = iq.field(
        default=0,
        changes=[
            iq.on(Borrow, set=lambda e, debtor: debtor.debt + e.payload.amount),
            iq.on(PayBack, set=lambda e, debtor: debtor.debt - e.payload.amount),
        ],
    )


class DebtCase(Shape):
    """Debtors borrow up to a ceiling that is locked while it decides, and pay back."""

    name = "locks="
    models = (Ceiling, Debtor, Borrow, PayBack)
    steps = ("borrow", "pay_back")
    snapshot = ("SELECT id, debt FROM debtor ORDER BY id", "SELECT id, amount FROM ceiling", EVENTS)

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        app.system.storage.create(Ceiling(amount=100))
        debtors = f"INSERT INTO debtor (id, debt) {NUMBERS} i, 10 FROM n"
        hand.transaction(lambda hand: hand.run(debtors, (size + operations,)))

    def request(self, app: iq.Controller, step: str, key: int) -> tuple[object, ...]:
        payload: dict[str, Any] = {"debtor": loaded(app, Debtor, key), "amount": 1 + key % 50}
        if step == "borrow":
            return Borrow, {**payload, "ceiling": loaded(app, Ceiling, 1)}
        return PayBack, payload

    def borrow(self, hand: Hand, key: int) -> None:
        amount = 1 + key % 50
        (most,) = hand.one("SELECT amount FROM ceiling WHERE id = ? FOR UPDATE", (1,))
        (debt,) = hand.one("SELECT debt FROM debtor WHERE id = ? FOR UPDATE", (key,))
        assert debt + amount <= most
        hand.event("Borrow", {"debtor": key, "ceiling": 1, "amount": amount})
        hand.run("UPDATE debtor SET debt = ? WHERE id = ?", (debt + amount, key))

    def pay_back(self, hand: Hand, key: int) -> None:
        amount = 1 + key % 50
        (debt,) = hand.one("SELECT debt FROM debtor WHERE id = ? FOR UPDATE", (key,))
        hand.event("PayBack", {"debtor": key, "amount": amount})
        hand.run("UPDATE debtor SET debt = ? WHERE id = ?", (debt - amount, key))


BEYOND: Sequence[Shape] = (LoanCase(), EssayCase(), DebtCase())
