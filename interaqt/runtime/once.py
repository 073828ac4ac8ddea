"""Doing once what is asked for again under the same key: claim it, do it and write down the answer; or answer that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from interaqt.core.errors import IdempotencyError
from interaqt.core.event import Event
from interaqt.core.idempotency import Idempotency
from interaqt.runtime.ledger import Ledger
from interaqt.runtime.replay import Replayed, archived
from interaqt.runtime.result import DispatchResult
from interaqt.runtime.run import Run
from interaqt.storage.prepared import Image
from interaqt.storage.storage import Storage

__all__ = ["Once"]

#: An entry that stands in the way may be gone when it is looked at; more often than this it never is.
_TRIES = 10

#: Among what a claim says: whether it was made in an attempt before.
_TRIED = "tried"


class Once:
    """Runs the attempts of one interaction's dispatches that have a key."""

    def __init__(self, storage: Storage, ledger: Ledger, idempotency: Idempotency, interaction: str) -> None:
        self._storage = storage
        self._ledger = ledger
        self._idempotency = idempotency
        self._interaction = interaction

    def claim(self, key: str, actor: str | None, fingerprint: str, at: dt.datetime) -> Image:
        """What a dispatch under the key enters into the ledger."""
        expires = self._idempotency.expires
        return {
            "interaction": self._interaction,
            "actor": actor or "",
            "key": key,
            "fingerprint": fingerprint,
            "at": at,
            "expires": None if expires is None else at + expires,
        }

    def run(
        self,
        run: Run,
        claim: Image,
        first: Callable[[Run], tuple[DispatchResult, Run]],
        admitted: Callable[[], Event[Any]],
        event: Callable[[], Event[Any]],
    ) -> tuple[DispatchResult, Run]:
        """``first`` where the key is new; otherwise what it answered, if the request is ``admitted`` still.

        Where it was this very dispatch, of whose commit nobody had heard, that it was admitted is in what it wrote.
        """
        # An attempt before may have been committed, without anybody's hearing of it.
        tried, claim[_TRIED] = claim.get(_TRIED, False), True
        for _ in range(_TRIES):
            entry = self._claimed(run, claim)
            if entry is not None:
                result, run = first(run)
                result.outcome = "applied"
                self._ledger.answer(run.tx, entry, archived(result, run.created, self._interaction))
                return result, run
            found = self._ledger.find(run.tx, claim)
            if found is None:
                continue
            if found["expires"] is not None and found["expires"] <= claim["at"]:
                self._ledger.forget(run.tx, found["id"])
                continue
            own = tried and found["at"] == claim["at"]
            return self._again(claim, found, own, admitted, event), run
        raise self._in_flight(claim)

    def _claimed(self, run: Run, claim: Image) -> Any:
        database = self._storage.database
        database.limit_waiting(run.tx, self._idempotency.wait)
        try:
            entry = self._ledger.claim(run.tx, claim)
        except Exception as error:
            if database.gave_up_waiting(error):
                raise self._in_flight(claim) from error
            raise
        database.limit_waiting(run.tx, None)
        return entry

    def _again(
        self,
        claim: Image,
        found: Image,
        own: bool,
        admitted: Callable[[], Event[Any]],
        unchecked: Callable[[], Event[Any]],
    ) -> DispatchResult:
        if found["fingerprint"] != claim["fingerprint"]:
            raise IdempotencyError(
                f"the key {claim['key']!r} was used at {found['at'].isoformat()} with another payload",
                code="idempotency.conflict",
                subject=self._interaction,
                hint="repeat a request as it was, or give what is another request another key",
            )
        event = unchecked() if own else admitted()
        answer = found["answer"]
        assert answer is not None, "a claim is committed together with its answer"
        event.id, event.at, event.context = answer["event"], found["at"], answer["context"]
        return DispatchResult(
            event,
            data=answer["data"],
            outcome="applied" if own else "replayed",
            writes=Replayed(self._storage, answer["created"]),
        )

    def _in_flight(self, claim: Image) -> IdempotencyError:
        return IdempotencyError(
            f"another dispatch with the key {claim['key']!r} is not over yet",
            code="idempotency.in_flight",
            subject=self._interaction,
            hint="ask again later, with the same key",
        )
