"""Code written by hand: one way to say it, and how each client library does it.

An operation is a function of a :class:`Hand` in plain SQL with ``?`` for values, run in a transaction of its
own: ``hand.transaction(like_post, user, post)``. The sequential hands wait for each statement, as one does with
``sqlite3``, psycopg and PyMySQL. The pipelined ones send what they can without waiting for an answer: psycopg by
its pipeline, PyMySQL by several statements in one text. What is written is the same.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import psycopg
import pymysql
from psycopg.types.json import Jsonb
from pymysql.constants import CLIENT

__all__ = [
    "Hand",
    "MySQLHand",
    "MySQLPipelined",
    "PostgreSQLHand",
    "PostgreSQLPipelined",
    "SQLiteHand",
    "mysql_connection",
]

T = TypeVar("T")

Values = Sequence[object]

EVENT = "INSERT INTO interaction_event (interaction, at, actor, payload, context) VALUES (?, ?, ?, ?, NULL)"


class Hand(ABC):
    """A connection, with what differs between client libraries behind the same few names."""

    name = "handwritten"
    waits = True
    """Whether each statement is waited for."""
    tells_of_updates = True
    """Whether an UPDATE can say what it has written."""

    def __init__(self) -> None:
        self._texts = _Texts(self.text)

    @abstractmethod
    def text(self, sql: str) -> str:
        """The text as this library wants it."""

    @abstractmethod
    def transaction(self, work: Callable[..., T], *arguments: Any) -> T: ...

    @abstractmethod
    def run(self, sql: str, values: Values = ()) -> object:
        """A statement of which nothing is asked."""

    @abstractmethod
    def one(self, sql: str, values: Values = ()) -> Any:
        """The row that a statement answers, or None."""

    @abstractmethod
    def all(self, sql: str, values: Values = ()) -> Sequence[Any]:
        """All rows that it answers."""

    @abstractmethod
    def key(self, sql: str, values: Values) -> int:
        """The key of the row that an INSERT makes, for a statement that needs it."""

    @abstractmethod
    def insert(self, sql: str, values: Values) -> object:
        """An INSERT whose key is for the caller alone: who pipelines does not wait for it."""

    @abstractmethod
    def many(self, sql: str, rows: Sequence[Values]) -> object:
        """INSERT ... VALUES of many rows, by the fastest way that the library has."""

    def updated(self, sql: str, columns: str, values: Values) -> Any:
        """What an UPDATE of one row by its key, the last value, has made of it."""
        return self.one(f"{sql} RETURNING {columns}", values)

    def event(self, interaction: str, payload: dict[str, Any], actor: object = None) -> object:
        """The row that is kept of each request."""
        return self.insert(EVENT, self.event_row(interaction, payload, actor))

    def event_row(self, interaction: str, payload: dict[str, Any], actor: object = None) -> Values:
        return interaction, self.now(), None if actor is None else str(actor), self.json(payload)

    def now(self) -> object:
        return self.time(dt.datetime.now(dt.UTC))

    @staticmethod
    def time(at: dt.datetime) -> object:
        return at

    @staticmethod
    def json(payload: dict[str, Any]) -> object:
        return json.dumps(payload)

    @abstractmethod
    def rows(self, sql: str) -> list[Any]:
        """All rows of a query, for what is not measured."""

    @abstractmethod
    def close(self) -> None: ...


class _Texts(dict[str, str]):
    """Statements by what was written."""

    def __init__(self, make: Callable[[str], str]) -> None:
        self._make = make

    def __missing__(self, sql: str) -> str:
        self[sql] = found = self._make(sql)
        return found


# -- SQLite ------------------------------------------------------------------------------------------


class SQLiteHand(Hand):
    def __init__(self, path: Path | str) -> None:
        super().__init__()
        self.connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 30000"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.execute = self.connection.execute

    def text(self, sql: str) -> str:
        return sql.replace(" FOR UPDATE", "").replace(" SKIP LOCKED", "")

    def transaction(self, work: Callable[..., T], *arguments: Any) -> T:
        execute = self.execute
        execute("BEGIN IMMEDIATE")
        try:
            answer = work(self, *arguments)
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise
        return answer

    def run(self, sql: str, values: Values = ()) -> object:
        return self.execute(self._texts[sql], values)

    def one(self, sql: str, values: Values = ()) -> Any:
        return self.execute(self._texts[sql], values).fetchone()

    def all(self, sql: str, values: Values = ()) -> Sequence[Any]:
        return self.execute(self._texts[sql], values).fetchall()

    def key(self, sql: str, values: Values) -> int:
        return cast(int, self.execute(self._texts[sql], values).lastrowid)

    def insert(self, sql: str, values: Values) -> object:
        return self.execute(self._texts[sql], values).lastrowid

    def many(self, sql: str, rows: Sequence[Values]) -> object:
        return self.connection.executemany(self._texts[sql], rows)

    @staticmethod
    def time(at: dt.datetime) -> object:
        return at.isoformat(timespec="microseconds")

    def rows(self, sql: str) -> list[Any]:
        return self.execute(self.text(sql)).fetchall()

    def close(self) -> None:
        self.connection.close()


# -- PostgreSQL --------------------------------------------------------------------------------------


class PostgreSQLHand(Hand):
    def __init__(self, dsn: str) -> None:
        super().__init__()
        self.connection = psycopg.connect(dsn)
        self.cursor = self.connection.cursor()

    def text(self, sql: str) -> str:
        return sql.replace("%", "%%").replace("?", "%s").replace(" FOR UPDATE", " FOR NO KEY UPDATE")

    def transaction(self, work: Callable[..., T], *arguments: Any) -> T:
        with self.connection.transaction():
            return work(self, *arguments)

    def run(self, sql: str, values: Values = ()) -> object:
        return self.cursor.execute(self._sql(sql), values)

    def one(self, sql: str, values: Values = ()) -> Any:
        return self.cursor.execute(self._sql(sql), values).fetchone()

    def all(self, sql: str, values: Values = ()) -> Sequence[Any]:
        return self.cursor.execute(self._sql(sql), values).fetchall()

    def key(self, sql: str, values: Values) -> int:
        return int(self.one(f"{sql} RETURNING id", values)[0])

    def insert(self, sql: str, values: Values) -> object:
        return self.key(sql, values)

    def many(self, sql: str, rows: Sequence[Values]) -> object:
        # Rows by the hundred in one statement; psycopg's executemany is one statement for each.
        head, values = sql.rsplit("VALUES ", 1)
        for some in _chunks(rows, 500):
            self.run(f"{head}VALUES {', '.join([values] * len(some))}", [value for row in some for value in row])
        return None

    def _sql(self, sql: str) -> Any:
        return self._texts[sql]

    @staticmethod
    def json(payload: dict[str, Any]) -> object:
        return Jsonb(payload)

    def rows(self, sql: str) -> list[Any]:
        with self.connection.transaction():
            return self.cursor.execute(self._sql(sql)).fetchall()

    def close(self) -> None:
        self.connection.close()


class PostgreSQLPipelined(PostgreSQLHand):
    name = "pipelined"
    waits = False

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        # BEGIN and COMMIT are sent with the rest, instead of by psycopg and waited for.
        self.connection.autocommit = True
        self._reading = self.connection.cursor()

    def transaction(self, work: Callable[..., T], *arguments: Any) -> T:
        try:
            with self.connection.pipeline():
                self.cursor.execute("BEGIN")
                answer = work(self, *arguments)
                self.cursor.execute("COMMIT")
        except BaseException:
            self.connection.rollback()
            raise
        return answer

    def one(self, sql: str, values: Values = ()) -> Any:
        return self._reading.execute(self._sql(sql), values).fetchone()

    def all(self, sql: str, values: Values = ()) -> Sequence[Any]:
        return self._reading.execute(self._sql(sql), values).fetchall()

    def insert(self, sql: str, values: Values) -> object:
        return self.run(sql, values)


# -- MySQL and MariaDB -------------------------------------------------------------------------------

#: As strict as interaqt has it, and with ``"`` for names.
_MODE = "STRICT_ALL_TABLES,ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO"


def mysql_connection(arguments: dict[str, Any], **more: Any) -> Any:
    """A connection in the state in which all of these are measured."""
    flags = CLIENT.FOUND_ROWS | more.pop("client_flag", 0)
    connection = pymysql.connect(**arguments, charset="utf8mb4", autocommit=True, client_flag=flags, **more)
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION sql_mode = '{_MODE}', SESSION time_zone = '+00:00'")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        with suppress(pymysql.MySQLError):  # MariaDB, for what fills tables
            cursor.execute("SET SESSION max_recursive_iterations = 10000000")
    return connection


class MySQLHand(Hand):
    tells_of_updates = False

    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.connection = mysql_connection(arguments)
        self.cursor = self.connection.cursor()

    def text(self, sql: str) -> str:
        return _CONFLICT.sub("ON DUPLICATE KEY UPDATE", sql.replace("%", "%%").replace("?", "%s"))

    def transaction(self, work: Callable[..., T], *arguments: Any) -> T:
        execute = self.cursor.execute
        execute("BEGIN")
        try:
            answer = work(self, *arguments)
            execute("COMMIT")
        except BaseException:
            self.connection.rollback()
            raise
        return answer

    def run(self, sql: str, values: Values = ()) -> object:
        return self.cursor.execute(self._texts[sql], values)

    def one(self, sql: str, values: Values = ()) -> Any:
        self.cursor.execute(self._texts[sql], values)
        return self.cursor.fetchone()

    def all(self, sql: str, values: Values = ()) -> Sequence[Any]:
        self.cursor.execute(self._texts[sql], values)
        return cast(Sequence[Any], self.cursor.fetchall())

    def key(self, sql: str, values: Values) -> int:
        self.cursor.execute(self._texts[sql], values)
        return int(self.cursor.lastrowid)

    def insert(self, sql: str, values: Values) -> object:
        return self.key(sql, values)

    def updated(self, sql: str, columns: str, values: Values) -> Any:
        # There is no UPDATE ... RETURNING. The row is locked by the UPDATE.
        self.run(sql, values)
        return self.one(_selecting(sql, columns), values[-1:])

    def many(self, sql: str, rows: Sequence[Values]) -> object:
        # Of an INSERT ... VALUES, PyMySQL makes one of many rows.
        return self.cursor.executemany(self._texts[sql], rows)

    @staticmethod
    def time(at: dt.datetime) -> object:
        return at.replace(tzinfo=None)

    def rows(self, sql: str) -> list[Any]:
        self.cursor.execute(self.text(sql))
        return list(self.cursor.fetchall())

    def close(self) -> None:
        self.connection.close()


class MySQLPipelined(MySQLHand):
    name = "pipelined"
    waits = False

    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__(arguments)
        self.connection.close()
        self.connection = mysql_connection(arguments, client_flag=CLIENT.MULTI_STATEMENTS)
        self.cursor = self.connection.cursor()
        self._waiting: list[str] = []

    def transaction(self, work: Callable[..., T], *arguments: Any) -> T:
        self._waiting = ["BEGIN"]
        try:
            answer = work(self, *arguments)
            self._waiting.append("COMMIT")
            self._send()
        except BaseException:
            self.connection.rollback()
            raise
        return answer

    def run(self, sql: str, values: Values = ()) -> object:
        self._waiting.append(self.cursor.mogrify(self._texts[sql], values))
        return None

    def insert(self, sql: str, values: Values) -> object:
        return self.run(sql, values)

    def one(self, sql: str, values: Values = ()) -> Any:
        return next(iter(self.all(sql, values)), None)

    def all(self, sql: str, values: Values = ()) -> Sequence[Any]:
        self.run(sql, values)
        return self._send()

    def _send(self) -> Sequence[Any]:
        """The answer to the last of the statements, all of which go in one text; the first that fails ends them."""
        text, self._waiting = ";".join(self._waiting), []
        self.cursor.execute(text)
        rows = self.cursor.fetchall()
        while self.cursor.nextset():
            rows = self.cursor.fetchall()
        return cast(Sequence[Any], rows)

    def key(self, sql: str, values: Values) -> int:
        self.run(sql, values)
        self._send()
        return int(self.cursor.lastrowid)


_CONFLICT = re.compile(r"ON CONFLICT \([^)]*\) DO UPDATE SET")
_UPDATE = re.compile(r"UPDATE (\S+) ")


def _selecting(sql: str, columns: str) -> str:
    table = _UPDATE.match(sql)
    assert table is not None, sql
    return f"SELECT {columns} FROM {table[1]} WHERE id = ?"


def _chunks(rows: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
