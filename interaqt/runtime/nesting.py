"""What is going on in this context, so that no dispatch begins inside another one."""

from __future__ import annotations

from contextvars import ContextVar

from interaqt.core.errors import NestedDispatchError

__all__ = ["Running", "refuse_nested"]


class Running:
    """Marks the context while a dispatch, or a transaction of several, is going on.

    What was started inside and goes on afterwards, such as a task, has a copy of the context; it
    is not inside any more.
    """

    __slots__ = ("_token", "name", "open", "together")

    def __init__(self, name: str, together: bool = False) -> None:
        self.name = name
        self.together = together
        """Whether it is a transaction of several dispatches, which has a way of its own to dispatch."""

    def __enter__(self) -> Running:
        self.open = True
        self._token = _running.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.open = False
        _running.reset(self._token)


_running: ContextVar[Running | None] = ContextVar("interaqt_running", default=None)


def refuse_nested(name: str, inside: Running | None = None) -> None:
    """Raise where something is going on, other than what it is ``inside`` of by right."""
    outer = _running.get()
    if outer is None or not outer.open or outer is inside:
        return
    if outer.together:
        raise NestedDispatchError(
            f"{name} is dispatched by the controller inside {outer.name}, of whose transaction it would be no part",
            subject=name,
            hint="dispatch it by what the function was given: tx.dispatch(...)",
        )
    raise NestedDispatchError(
        f"{name} is dispatched inside the dispatch of {outer.name}, whose transaction is not over",
        subject=name,
        hint="dispatch it from post_commit or a side effect, or let a Transform make what it would make",
    )
