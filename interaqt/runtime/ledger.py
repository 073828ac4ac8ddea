"""The ledger of idempotency keys: who claimed one, for what, and what was answered.

A claim is an INSERT in the transaction of the dispatch, so it is there exactly where the facts
are. ``ON CONFLICT DO NOTHING`` waits for another claim that is not committed yet, and then either
finds it or takes its place; no error ever spoils the transaction.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from interaqt.core.declare import entity
from interaqt.core.expressions import BOOL, Attr, Const, Op, Param, Root, all_of
from interaqt.core.fields import field, key
from interaqt.core.model import Property, RecordModel
from interaqt.core.resolve import resolve
from interaqt.storage.prepared import KEY, Image, Reader
from interaqt.storage.statements import Statements

if TYPE_CHECKING:
    from interaqt.storage.database import Executor
    from interaqt.storage.schema import Schema

__all__ = ["IdempotentRequest", "Ledger", "ledger_record"]


@entity(unique=[("interaction", "actor", "key")])
class IdempotentRequest:
    """A request that was dispatched under a key: what it asked for, and what it was answered.

    ``actor`` is as in the event record, and ``""`` for nobody.
    """

    id: int = key()
    interaction: str
    actor: str
    key: str
    fingerprint: str
    at: dt.datetime
    expires: dt.datetime | None = field(default=None, index=True)
    answer: dict[str, Any] | None = None


def ledger_record() -> RecordModel:
    """Its model, which is no part of the user's: nothing depends on it and nobody asks for it."""
    return resolve([IdempotentRequest]).records[IdempotentRequest]


_ROOT = "claim"
_SCOPE = ("interaction", "actor", "key")


class Ledger:
    """The statements of one database's ledger."""

    def __init__(self, schema: Schema, record: RecordModel) -> None:
        self.record = record
        statements = Statements(schema)
        named = {each.name: each for each in record.properties()}
        root = Root(_ROOT, record)
        scope = tuple(named[name] for name in _SCOPE)
        asked = [Op("eq", (Attr(root, each.name, each.type), Param(each.name, each.type)), BOOL) for each in scope]
        found = tuple(named[name] for name in ("id", "fingerprint", "at", "expires", "answer"))
        given = tuple(each for each in named.values() if each.name not in ("id", "answer"))
        answer = named["answer"]
        nothing = {"answer": Const(None, answer.type)}
        self._reader = Reader(schema, found)
        self._claim = statements.insert(record, given, nothing, unless=scope)
        self._find = statements.find(record, _ROOT, all_of(*asked), [Attr(root, e.name, e.type) for e in found])
        self._answer = statements.update(record, (answer,))
        self._forget = statements.delete_where(record, _ROOT, self._is_key(root), (record.key,))
        self._over = statements.some(record, _ROOT, self._is_over(root, named["expires"]))
        self._delete = statements.delete_rows(record)

    @staticmethod
    def _is_key(root: Root) -> Op:
        return Op("eq", (root, Param(KEY, root.record.key.type)), BOOL)

    @staticmethod
    def _is_over(root: Root, expires: Property) -> Op:
        known = expires.type.optional(False)
        return Op("le", (Attr(root, expires.name, known), Param("now", known)), BOOL)

    def claim(self, tx: Executor, claim: Image) -> Any:
        """The key of a new entry, or None where there is one already; waits for one that is not committed."""
        row = self._claim.run(tx, claim).fetchone()
        return None if row is None else row[0]

    def find(self, tx: Executor, claim: Image) -> Image | None:
        """The entry that stands in the way of a claim."""
        row = self._find.run(tx, claim).fetchone()
        return None if row is None else self._reader.image(row)

    def answer(self, tx: Executor, entry: Any, answer: dict[str, Any]) -> None:
        """Write down what was answered."""
        self._answer.run(tx, {KEY: entry, "answer": answer})

    def forget(self, tx: Executor, entry: Any) -> None:
        """Remove one entry."""
        self._forget.run(tx, {KEY: entry}).fetchall()

    def sweep(self, tx: Executor, now: dt.datetime, batch: int) -> int:
        """Remove entries that are over, ``batch`` at most; answers how many."""
        found = [{KEY: key} for (key,) in self._over.run(tx, {"now": now, "batch": batch}).fetchall()]
        if found:
            self._delete.run(tx, found)
        return len(found)
