"""The task queue of one controller: what is due, what it is computed from, and what becomes of it."""

from __future__ import annotations

import datetime as dt
import logging
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import attrs

from interaqt.core.asynchronous import Asynchronous
from interaqt.core.computations import CustomRule, OwnCustomRule
from interaqt.core.errors import InvalidQuery, did_you_mean
from interaqt.core.types import Kind
from interaqt.runtime.custom import CustomUpdate
from interaqt.runtime.custom_inputs import CustomInputs, Given
from interaqt.runtime.dispatch import Writes
from interaqt.runtime.run import Run
from interaqt.runtime.task_record import Task
from interaqt.runtime.telling import Telling
from interaqt.runtime.transaction import Transactions
from interaqt.storage.prepared import KEY, Image

__all__ = ["Claimed", "Ending", "Tasks"]

_log = logging.getLogger("interaqt.worker")

#: What became of a task: its value is written; another version was asked for meanwhile; its record
#: is gone; it will be tried again; or it was tried as often as it may be.
Ending = Literal["done", "stale", "gone", "again", "failed"]

_LOST = "the worker that computed it was not heard of any more"


@attrs.frozen(eq=False)
class Claimed:
    """A task that this worker has."""

    id: int
    rule: CustomRule | OwnCustomRule
    host: Any
    version: int
    attempts: int
    """How often it was tried, this time included."""
    claim: str


class _Stale(Exception):
    """Another version of the task was asked for, so nothing of this one is to stay."""


class Tasks:
    """The queue of all asynchronous computations of one model."""

    def __init__(self, transactions: Transactions, telling: Telling) -> None:
        self._transactions = transactions
        self._planner = transactions.planner
        self._storage = transactions.storage
        self._database = transactions.database
        self._telling = telling
        rules = [each for each in self._planner.graph.rules if isinstance(each, CustomRule | OwnCustomRule)]
        self.rules = {str(each): each for each in rules if each.functions.asynchronous is not None}
        self._inputs = {each: CustomInputs(self._planner, each) for each in self.rules.values()}
        self._updates = {each: CustomUpdate(self._planner, each) for each in self.rules.values()}

    @property
    def shortest_lease(self) -> float:
        """Seconds after which the first of the leases is over that are given now."""
        return min((_options(rule).lease.total_seconds() for rule in self.rules.values()), default=60.0)

    # -- what is to be done

    def claim(self, limit: int, claim: str) -> list[Claimed]:
        """Tasks that are due, at most so many; nobody else has them until their lease is over.

        One that was tried as often as it may be, by workers that were not heard of any more, has failed.
        """
        now = self._storage.clock()

        def work(run: Run) -> list[Image]:
            rows = self._planner.queue.due.run(run.tx, {"now": now, "limit": limit}).fetchall()
            images = [self._planner.queue.reader.image(row) for row in rows]
            tried = [each for each in images if each["attempts"] >= _options(self.rules[each["attribute"]]).attempts]
            for each in tried:
                given = {"due": now, "status": "failed", "error": each["error"] or _LOST}
                self._planner.queue.fail.run(run.tx, {KEY: each["id"], **each, **given})
            fresh = [each for each in images if each not in tried]
            if fresh:
                until = [
                    {"id": each["id"], "due": now + _options(self.rules[each["attribute"]]).lease} for each in fresh
                ]
                self._planner.queue.claim.run(run.tx, until, {"claim": claim})
            return fresh

        found = self._transactions.run(work, "claim tasks")
        return [self._claimed(each, claim) for each in found]

    def _claimed(self, image: Image, claim: str) -> Claimed:
        rule = self.rules[image["attribute"]]
        host = _key_of(rule, image["host"])
        return Claimed(image["id"], rule, host, image["version"], image["attempts"] + 1, claim)

    def given(self, tasks: Sequence[Claimed]) -> dict[int, Given | None]:
        """What the functions of tasks are given, by task; None where the record is gone.

        It is read after the task was claimed. Who changes it later asks for another version.
        """
        found: dict[int, Given | None] = {}
        tx = self._database.begin(read_only=True)
        try:
            for rule in dict.fromkeys(each.rule for each in tasks):
                mine = [each for each in tasks if each.rule is rule]
                hosts = sorted({each.host for each in mine})
                inputs = self._inputs[rule]
                existing = inputs.existing(tx, hosts)
                given = inputs.ask(tx, hosts)()
                found |= {each.id: given[each.host] if each.host in existing else None for each in mine}
        finally:
            tx.rollback()
        return found

    # -- what becomes of it

    def finish(self, task: Claimed, kept: tuple[Any, ...]) -> Ending:
        """Write a value that was computed, unless another version was asked for, and what depends on it.

        The host comes first, then what follows, and last the task: in the order of those who change
        what it reads. If the task is not there any more, or is another one, all of it is undone.
        """

        def work(run: Run) -> tuple[Ending, Run]:
            ending: Ending = "done" if self._updates[task.rule].put(run, task.host, kept) else "gone"
            run.settle()
            if self._planner.queue.finish.run(run.tx, {KEY: task.id, "version": task.version}).rowcount == 0:
                raise _Stale
            return ending, run

        try:
            ending, run = self._transactions.run(work, f"compute {task.rule}", repeatable=True)
        except _Stale:
            return "stale"
        if self._telling.side_effects:
            self._tell(run)
        return ending

    def _tell(self, run: Run) -> None:
        """Call side effects for what was written; one that fails is told to the log."""
        mutations = Writes(self._storage, run.created, run.mutations).mutations()
        for outcome in self._telling.tell(mutations):
            if outcome.error is not None:
                _log.error("%s", outcome.error, exc_info=outcome.error)

    def drop(self, task: Claimed) -> Ending:
        """Remove the task of a record that is gone."""

        def work(run: Run) -> None:
            self._planner.queue.finish.run(run.tx, {KEY: task.id, "version": task.version})

        self._transactions.run(work, f"compute {task.rule}")
        return "gone"

    def fail(self, task: Claimed, error: BaseException) -> Ending:
        """Note an error; the task is tried again later, if it may be."""
        options = _options(task.rule)
        is_last = task.attempts >= options.attempts
        now = self._storage.clock()
        given = {
            "due": now if is_last else now + options.delay(task.attempts, random.random()),
            "status": "failed" if is_last else "waiting",
            "error": _storable(f"{type(error).__name__}: {error}"),
        }
        statement = self._planner.queue.fail
        changed = self._after(task, statement, given)
        return "stale" if not changed else "failed" if is_last else "again"

    def give_back(self, task: Claimed) -> None:
        """Let somebody else do a task at once, as if it had not been tried."""
        self._after(task, self._planner.queue.give_back, {"due": self._storage.clock(), "attempts": task.attempts - 1})

    def _after(self, task: Claimed, statement: Any, given: Mapping[str, Any]) -> int:
        values = {KEY: task.id, "version": task.version, "claim": task.claim, **given}
        return self._transactions.run(lambda run: int(statement.run(run.tx, values).rowcount), f"compute {task.rule}")

    def extend(self, tasks: Sequence[Claimed]) -> None:
        """Say that tasks are being computed still."""
        now = self._storage.clock()
        rows = [
            {"id": each.id, "due": now + _options(each.rule).lease} for each in sorted(tasks, key=lambda each: each.id)
        ]
        if rows:
            claim = {"claim": tasks[0].claim}
            self._transactions.run(lambda run: self._planner.queue.extend.run(run.tx, rows, claim), "extend tasks")

    # -- looking after it

    def listed(self, attribute: str | None, status: str | None) -> Iterator[Task]:
        """The tasks that there are, in the order in which they were first asked for."""
        if attribute is not None and attribute not in self.rules:
            raise InvalidQuery(
                f"{attribute!r} is not computed asynchronously. {did_you_mean(attribute, self.rules)}",
                code="tasks.attribute",
            )
        now, last = self._storage.clock(), 0
        while True:
            with self._storage.executor() as executor:
                rows = self._planner.queue.listed.run(executor, {KEY: last, "limit": PAGE}).fetchall()
            for row in rows:
                image = self._planner.queue.reader.image(row)
                last = image["id"]
                task = self._task(image, now)
                if attribute in (None, task.attribute) and status in (None, task.status):
                    yield task
            if len(rows) < PAGE:
                return

    def _task(self, image: Image, now: dt.datetime) -> Task:
        rule = self.rules[image["attribute"]]
        key = _key_of(rule, image["host"])
        running = image["claim"] is not None and image["due"] > now
        return Task(
            id=image["id"],
            attribute=image["attribute"],
            record=self._storage.loader.ghost(rule.record, key),
            key=key,
            version=image["version"],
            status="running" if running else image["status"],
            attempts=image["attempts"],
            requested=image["requested"],
            due=image["due"],
            error=image["error"],
        )

    def retry(self, task: Task) -> bool:
        """Have a task that has failed tried anew; False where there is no such task any more."""
        given = {KEY: task.id, "now": self._storage.clock()}
        return self._transactions.run(
            lambda run: bool(self._planner.queue.retry.run(run.tx, given).rowcount), "retry a task"
        )


#: How many tasks are listed by one statement.
PAGE = 500


def _options(rule: CustomRule | OwnCustomRule) -> Asynchronous:
    options = rule.functions.asynchronous
    assert options is not None
    return options


def _key_of(rule: CustomRule | OwnCustomRule, host: str) -> Any:
    return uuid.UUID(host) if rule.record.key.type.kind is Kind.UUID else int(host)


def _storable(text: str) -> str:
    """What can be stored of a text, and is worth it."""
    return text.replace("\0", "\\0").encode(errors="replace").decode()[:10_000]
