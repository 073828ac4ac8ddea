"""What the errors of MySQL and MariaDB mean: which go away when tried again, and which are about a constraint.

Messages are those of a server that speaks English, its language unless it was told another.
"""

from __future__ import annotations

import re

import pymysql

from interaqt.core.errors import DatabaseError
from interaqt.drivers.pipeline import ConnectionLost
from interaqt.storage.database import Violation

__all__ = ["ends_connection", "is_retryable", "told", "unless_mark", "unreachable", "violation"]


_ENDED = (
    1053, 1079, 1927, 4031,  # the server ends the connection: shutdown, abort, kill, idle for too long
    2006, 2013, 2055,  # it is gone
)  # fmt: skip
_RETRYABLE = frozenset(
    {
        1213,  # deadlock
        1205,  # lock wait timeout
        1467,  # no key is to be had, for a deadlock has ended the transaction of who was to count it up
        1020,  # a row has changed since the snapshot was taken
        1412,  # a table has changed since then
        3101,  # a replication group's other member was first
        *_ENDED,
    }
)  # fmt: skip

_TOO_DEEP = 1436  # the stack of the server's thread is full
_DENIED = (1044, 1045, 1698)
_UNKNOWN_DATABASE = 1049

_KINDS = {
    1062: "unique", 1586: "unique",
    1048: "not_null", 1364: "not_null",
    1452: "foreign_key", 1451: "foreign_key", 1216: "foreign_key", 1217: "foreign_key",
    3819: "check", 4025: "check",
    1406: "check", 1264: "check",  # too long, or too large, for its column
}  # fmt: skip

#: A name as statements and messages have it: which quotes a message has depends on the session's mode.
_NAME = r"""(?:`((?:[^`]|``)+)`|"((?:[^"]|"")+)")"""
_TABLE = re.compile(rf"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+(?:{_NAME}|(\w+))")
_CHILD = re.compile(rf"\({_NAME}\.{_NAME}, CONSTRAINT {_NAME} FOREIGN KEY")
_DUPLICATE = re.compile(r" for key '(?:[^']*\.)?([^'.]+)'$")
_CHECK = re.compile(rf"CONSTRAINT {_NAME} failed|Check constraint '([^']+)' is violated")
_COLUMN = re.compile(rf"(?:Column|Field|for column) (?:{_NAME}\.{_NAME}\.{_NAME}|'([^']+)')")


def unless_mark(constraint: str) -> str:
    """Marks the INSERT of a row unless it is there, with the constraint that a race may violate."""
    return f"/* unless {constraint} */"


def is_retryable(error: BaseException) -> bool:
    """Whether running the transaction again may heal the error."""
    if not isinstance(error, pymysql.MySQLError):
        return isinstance(error, ConnectionLost)
    number = _number(error)
    if number == 1062:
        # Another transaction made the row after this one had looked: it will be found now.
        return unless_mark(_first(_DUPLICATE.search(str(error.args[1])))) in getattr(error, "statement", "")
    return number in _RETRYABLE


def ends_connection(error: pymysql.MySQLError) -> bool:
    """Whether it says that the connection is over."""
    return _number(error) in _ENDED


def violation(error: BaseException) -> Violation | None:
    """The constraint that the error is about, if it is about one."""
    if not isinstance(error, pymysql.MySQLError):
        return None
    kind = _KINDS.get(_number(error))
    if kind is None:
        return None
    message = str(error.args[1])
    # The messages name no table, but the statement does.
    table = _first(_TABLE.match(getattr(error, "statement", "")))
    if kind == "foreign_key":
        child = _CHILD.search(message)
        if child is None:
            return Violation(kind)
        _, owner, constraint = (_plain(*child.groups()[place : place + 2]) for place in (0, 2, 4))
        return Violation(kind, constraint, owner)
    if kind == "unique":
        return Violation(kind, _first(_DUPLICATE.search(message)), table)
    check = _CHECK.search(message)
    if check:
        return Violation(kind, _first(check), table)
    found = _COLUMN.search(message)
    column = _plain(*found.groups()[-3:]) if found else ""
    return Violation(kind, table=table, columns=(column,) if column else ())


def told(error: BaseException) -> DatabaseError | None:
    """An error of the client library in the framework's words."""
    if not isinstance(error, pymysql.MySQLError):
        return None
    message = f"the database does not take the statement: {_words(error)}"
    if _number(error) == _TOO_DEEP:
        return DatabaseError(
            message, code="database.too_deep", hint="ask for less at once: nest the condition less deeply"
        )
    return DatabaseError(message)


def unreachable(error: Exception) -> DatabaseError | None:
    """Why there is no connection."""
    if not isinstance(error, pymysql.MySQLError | OSError):
        return None
    message = f"there is no connection to the database: {_words(error)}"
    number = _number(error) if isinstance(error, pymysql.MySQLError) else 0
    if number in _DENIED:
        return DatabaseError(message, code="database.access_denied", hint="the user or the password is another one")
    if number == _UNKNOWN_DATABASE:
        return DatabaseError(message, code="database.missing", hint="create it: CREATE DATABASE name")
    return DatabaseError(
        message, code="database.unreachable", hint="is the server running, and are host and port those of it?"
    )


def _words(error: BaseException) -> str:
    return str(error.args[-1] if error.args else type(error).__name__)


def _number(error: pymysql.MySQLError) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def _first(match: re.Match[str] | None) -> str:
    return "" if match is None else _plain(*match.groups())


def _plain(*names: str | None) -> str:
    return next((name for name in names if name is not None), "").replace("``", "`").replace('""', '"')
