"""The rows that are there before anything is measured, and what is read of them after.

Written straight into the tables, the same for interaqt and for the handwritten code, with the
derived values that belong to them. User 1 is the author of post 1, which has all the likes; each
of the other users may like it once, and the first of them have.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import psycopg
from psycopg import sql

AUTHOR = POST = 1
BASE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

USER_COLUMNS = ("id", "name", "email", "post_count", "live_count", "likes_given")
POST_COLUMNS = (
    "id", "title", "content", "author_id", "status", "like_count", "recent_likes", "popular", "popular__matching",
)  # fmt: skip
LIKE_COLUMNS = ("id", "user_id", "post_id", "at")

#: What two sides must agree on after the same operations: all but times and what is the framework's own.
SNAPSHOT = (
    'SELECT id, post_count, live_count, likes_given FROM "user" ORDER BY id',
    "SELECT id, title, author_id, status, like_count, recent_likes, popular, popular__matching FROM post ORDER BY id",
    'SELECT user_id, post_id FROM "like" ORDER BY user_id, post_id',
    "SELECT interaction, count(*) FROM interaction_event GROUP BY interaction ORDER BY interaction",
)


@attrs.frozen
class Filling:
    likes: int
    """On the post, from users 2, 3, ..."""
    spare: int
    """Users who have not liked it yet, after those."""

    @property
    def spare_users(self) -> range:
        return range(2 + self.likes, 2 + self.likes + self.spare)

    @property
    def likers(self) -> range:
        return range(2, 2 + self.likes)

    def users(self) -> Iterator[tuple[object, ...]]:
        yield AUTHOR, "author", "author@example.org", 1, 0, 0
        for key in range(2, 2 + self.likes + self.spare):
            yield key, f"user {key}", f"user{key}@example.org", 0, 0, int(key in self.likers)

    def posts(self) -> Iterator[tuple[object, ...]]:
        yield POST, "The post", "...", AUTHOR, "draft", self.likes, self.likes, False, 0

    def like_rows(self) -> Iterator[tuple[int, int, int, dt.datetime]]:
        for number, user in enumerate(self.likers, 1):
            yield number, user, POST, BASE + dt.timedelta(seconds=number)


class SQLiteFile:
    """A connection of the harness to the file of one side."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA busy_timeout = 5000")
        self.connection.execute("PRAGMA synchronous = OFF")

    def fill(self, filling: Filling) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self._insert("user", USER_COLUMNS, filling.users())
        self._insert("post", POST_COLUMNS, filling.posts())
        likes = ((*row[:3], row[3].isoformat(timespec="microseconds")) for row in filling.like_rows())
        self._insert("like", LIKE_COLUMNS, likes)
        self.connection.execute("COMMIT")
        self.connection.execute("ANALYZE")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _insert(self, table: str, columns: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> None:
        marks = ", ".join("?" * len(columns))
        self.connection.executemany(f'INSERT INTO "{table}" ({", ".join(columns)}) VALUES ({marks})', rows)

    def snapshot(self) -> list[list[Any]]:
        return [self.connection.execute(query).fetchall() for query in SNAPSHOT]

    def close(self) -> None:
        self.connection.close()


class PostgreSQLDatabase:
    """A connection of the harness to the database of one side."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)

    def fill(self, filling: Filling) -> None:
        self._copy("user", USER_COLUMNS, filling.users())
        self._copy("post", POST_COLUMNS, filling.posts())
        self._copy("like", LIKE_COLUMNS, filling.like_rows())
        self.connection.execute("VACUUM ANALYZE")
        self.connection.execute("CHECKPOINT")

    def _copy(self, table: str, columns: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> None:
        name, names = sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        with self.connection.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(name, names)) as copy:
            for row in rows:
                copy.write_row(row)
        self.connection.execute(
            sql.SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), (SELECT max(id) FROM {}))").format(
                sql.Literal(f'"{table}"'), name
            )
        )

    def snapshot(self) -> list[list[Any]]:
        return [self.connection.execute(query).fetchall() for query in SNAPSHOT]

    def close(self) -> None:
        self.connection.close()
