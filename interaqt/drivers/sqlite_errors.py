"""What the errors of SQLite mean that are no conflict, and about no constraint."""

from __future__ import annotations

import os
import sqlite3

from interaqt.core.errors import DatabaseError

__all__ = ["told", "unreachable"]


def told(error: BaseException) -> DatabaseError | None:
    """An error of the client library in the framework's words."""
    if not isinstance(error, sqlite3.Error):
        return None
    message = f"the database does not take the statement: {error}"
    if "parser stack overflow" in str(error) or "Expression tree is too large" in str(error):
        return DatabaseError(
            message, code="database.too_deep", hint="ask for less at once: nest the condition less deeply"
        )
    return DatabaseError(message)


def unreachable(error: sqlite3.Error, path: str) -> DatabaseError:
    """Why a file can't be opened."""
    message = f"there is no connection to the database {path!r}: {error}"
    directory = os.path.dirname(path) or "."
    if os.path.isdir(path):
        return DatabaseError(message, code="database.unreachable", hint="it is a directory; name a file in it")
    if not os.path.isdir(directory):
        return DatabaseError(message, code="database.missing", hint=f"there is no directory {directory!r}: make it")
    return DatabaseError(message, code="database.unreachable", hint="is it a database, and may this user write it?")
