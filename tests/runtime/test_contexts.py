"""A dispatch's transaction is that of its thread and its time: what it starts does not share it by accident."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

import pytest

import interaqt as iq
from interaqt import Event
from interaqt.storage.database import Database

during: Callable[[iq.Storage], Any] = lambda storage: None  # noqa: E731 - replaced by tests


@iq.interaction(resolve=lambda event, storage: during(storage))
class Write:
    text: str


@iq.entity
class Note:
    id: int = iq.key()
    text: str

    written = iq.Transform(Write, lambda e: Note(text=e.payload.text))


@pytest.fixture
def app(database: Database) -> iq.Controller:
    controller = iq.Controller(iq.MonoSystem(database), [Note, Write])
    controller.setup(install=True)
    return controller


def doing(action: Callable[[iq.Storage], Any]) -> None:
    global during
    during = action


def test_what_a_dispatch_started_and_goes_on_after_it_is_outside_of_it(app: iq.Controller) -> None:
    contexts: list[Context] = []
    doing(lambda storage: contexts.append(copy_context()))
    app.dispatch(Write(text="first"))
    doing(lambda storage: None)

    def later() -> list[str]:
        app.dispatch(Write(text="second"))
        return [note.text for note in app.system.storage.query(Note)]

    assert contexts[0].run(later) == ["first", "second"]


def test_another_thread_has_no_part_in_a_transaction(app: iq.Controller) -> None:
    caught: list[BaseException] = []

    def read(storage: iq.Storage) -> None:
        try:
            storage.query(Note).all()
        except BaseException as error:
            caught.append(error)

    def start(storage: iq.Storage) -> None:
        # As asyncio.to_thread does it.
        thread = threading.Thread(target=copy_context().run, args=(read, storage))
        thread.start()
        thread.join(10)

    doing(start)
    app.dispatch(Write(text="first"))
    assert [getattr(error, "code", error) for error in caught] == ["transaction.thread"]


def test_a_transaction_that_is_over_runs_nothing(database: Database) -> None:
    for end in ("commit", "rollback"):
        transaction = database.begin()
        getattr(transaction, end)()
        with pytest.raises(iq.StorageError, match="ended"):
            transaction.execute("SELECT 1", ())


@iq.condition
def asks(event: Event[Any]) -> bool:
    return bool(during(None))  # type: ignore[arg-type]


def test_what_a_guard_started_may_dispatch_when_it_is_over(database: Database) -> None:
    contexts: list[Context] = []

    @iq.interaction(guard=asks)
    class Knock:
        pass

    app = iq.Controller(iq.MonoSystem(database), [Knock])
    app.setup(install=True)
    doing(lambda storage: not contexts.append(copy_context()))
    app.dispatch(Knock())
    contexts[0].run(app.dispatch, Knock())
    assert app.system.storage.query(iq.InteractionEvent).count() == 2
