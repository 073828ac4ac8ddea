"""What one would write by hand with sqlite3 for the three operations: the baseline on SQLite.

The same tables, constraints and indexes as interaqt makes, the same rows written in the same
order, each operation one transaction. Derived values are kept by hand, and kept right.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from pathlib import Path

SCHEMA = """
CREATE TABLE "user" (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    post_count INTEGER NOT NULL,
    live_count INTEGER NOT NULL,
    likes_given INTEGER NOT NULL
) STRICT;
CREATE TABLE post (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    content TEXT NOT NULL,
    author_id INTEGER NOT NULL REFERENCES "user" (id),
    status TEXT NOT NULL CHECK (status IN ('draft', 'live')),
    like_count INTEGER NOT NULL,
    recent_likes INTEGER NOT NULL,
    popular INTEGER NOT NULL CHECK (popular IN (0, 1)),
    popular__matching INTEGER NOT NULL
) STRICT;
CREATE INDEX post_author ON post (author_id);
CREATE TABLE "like" (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES "user" (id),
    post_id INTEGER NOT NULL REFERENCES post (id),
    at TEXT NOT NULL,
    UNIQUE (user_id, post_id)
) STRICT;
CREATE INDEX like_post ON "like" (post_id);
CREATE TABLE interaction_event (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    interaction TEXT NOT NULL,
    at TEXT NOT NULL,
    actor TEXT,
    payload TEXT NOT NULL,
    context TEXT
) STRICT;
"""

INSERT_EVENT = """
INSERT INTO interaction_event (interaction, at, actor, payload, context) VALUES (?, ?, ?, ?, ?) RETURNING id
"""
INSERT_LIKE = 'INSERT INTO "like" (user_id, post_id, at) VALUES (?, ?, ?) RETURNING id'
LIKE_GIVEN = 'UPDATE "user" SET likes_given = likes_given + 1 WHERE id = ? RETURNING name, post_count'
LIKED = """
UPDATE post SET like_count = like_count + 1,
                recent_likes = recent_likes + ?1,
                popular__matching = popular__matching + ?2,
                popular = popular__matching + ?2 > 0
WHERE id = ?3
"""
INSERT_POST = """
INSERT INTO post (title, content, author_id, status, like_count, recent_likes, popular, popular__matching)
VALUES (?, ?, ?, 'draft', 0, 0, 0, 0) RETURNING id
"""
POST_MADE = 'UPDATE "user" SET post_count = post_count + 1 WHERE id = ? RETURNING post_count'
LIKER_BECAME_POPULAR = """
UPDATE post SET popular__matching = popular__matching + 1, popular = 1
WHERE id IN (SELECT post_id FROM "like" WHERE user_id = ?)
"""
STATUS = "SELECT status, author_id FROM post WHERE id = ?"
SET_STATUS = "UPDATE post SET status = ? WHERE id = ?"
STATE_CHANGED = 'UPDATE "user" SET live_count = live_count + ? WHERE id = ?'


class HandwrittenSQLite:
    """``benchmarks.harness.Side``; a handle is the key itself."""

    name = "handwritten"

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 5000"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.connection.executescript(SCHEMA)
        self.execute = self.connection.execute

    def user(self, key: int) -> int:
        return key

    def post(self, key: int) -> int:
        return key

    def like_post(self, user: int, post: int) -> tuple[int, int]:
        execute = self.execute
        at = dt.datetime.now(dt.UTC)
        stamp = at.isoformat(timespec="microseconds")
        execute("BEGIN IMMEDIATE")
        try:
            (event,) = execute(
                INSERT_EVENT, ("LikePost", stamp, str(user), json.dumps({"post": post}), None)
            ).fetchone()
            (like,) = execute(INSERT_LIKE, (user, post, stamp)).fetchone()
            name, post_count = execute(LIKE_GIVEN, (user,)).fetchone()
            execute(LIKED, (at.year >= 2026 and name != "bot", post_count > 100, post))
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise
        return event, like

    def create_post(self, user: int, post: int) -> tuple[int, int]:
        execute = self.execute
        stamp = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")
        title, content = "Hello", "What a day."
        payload = json.dumps({"title": title, "content": content})
        execute("BEGIN IMMEDIATE")
        try:
            (event,) = execute(INSERT_EVENT, ("CreatePost", stamp, str(user), payload, None)).fetchone()
            (made,) = execute(INSERT_POST, (title, content, user)).fetchone()
            (post_count,) = execute(POST_MADE, (user,)).fetchone()
            if post_count == 101:
                execute(LIKER_BECAME_POPULAR, (user,))
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise
        return event, made

    def publish_post(self, user: int, post: int) -> int:
        return self.change_state("PublishPost", user, post, "draft", "live", 1)

    def unpublish_post(self, user: int, post: int) -> int:
        return self.change_state("UnpublishPost", user, post, "live", "draft", -1)

    def change_state(self, interaction: str, user: int, post: int, before: str, after: str, live: int) -> int:
        execute = self.execute
        stamp = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")
        execute("BEGIN IMMEDIATE")
        try:
            (event,) = execute(
                INSERT_EVENT, (interaction, stamp, str(user), json.dumps({"post": post}), None)
            ).fetchone()
            status, author = execute(STATUS, (post,)).fetchone()
            if status == before:
                execute(SET_STATUS, (after, post))
                execute(STATE_CHANGED, (live, author))
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise
        return int(event)

    def check(self) -> None:
        """Nothing of its own: the harness compares its tables with those of the others."""

    def close(self) -> None:
        self.connection.close()
