"""After a fork the child opens connections of its own: the parent's are neither used nor closed by it."""

from __future__ import annotations

import os
import weakref
from typing import Any, Protocol

__all__ = ["abandon", "forget_at_fork"]


class _Forgetful(Protocol):
    def _forget(self) -> None:
        """Start without connections."""


#: Connections of a parent process, kept so that no finalizer closes them.
_ABANDONED: list[Any] = []


def abandon(*connections: Any) -> None:
    """Keep what is the parent's untouched for as long as this process lives."""
    _ABANDONED.extend(connections)


def forget_at_fork(database: _Forgetful) -> None:
    """Have a database forget its connections in a child process; it is no longer kept alive by this."""
    if not hasattr(os, "register_at_fork"):
        return
    reference = weakref.ref(database)

    def forget() -> None:
        alive = reference()
        if alive is not None:
            alive._forget()

    os.register_at_fork(after_in_child=forget)
