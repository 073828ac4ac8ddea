"""The social example: liking a post, making one, and publishing it and taking it back."""

from __future__ import annotations

import datetime as dt
from functools import partial

import interaqt as iq
from benchmarks.case import NUMBERS, Call, Case, calls, loaded
from benchmarks.cases.social_model import MODELS, CreatePost, LikePost, Post, PublishPost, UnpublishPost, User
from benchmarks.hand import Hand

__all__ = ["SocialCase", "like_post"]

INSERT_LIKE = 'INSERT INTO "like" (user_id, post_id, at) VALUES (?, ?, ?)'
LIKE_GIVEN = 'UPDATE "user" SET likes_given = likes_given + 1 WHERE id = ?'
LIKED = (
    "UPDATE post SET like_count = like_count + 1,"
    " recent_likes = recent_likes + (SELECT CASE WHEN ? >= 2026 AND name <> 'bot' THEN 1 ELSE 0 END"
    ' FROM "user" WHERE id = ?),'
    ' popular = popular__matching + (SELECT CASE WHEN post_count > 100 THEN 1 ELSE 0 END FROM "user" WHERE id = ?) > 0,'
    " popular__matching = popular__matching"
    ' + (SELECT CASE WHEN post_count > 100 THEN 1 ELSE 0 END FROM "user" WHERE id = ?)'
    " WHERE id = ?"
)
LIKED_BY_KNOWN = (
    "UPDATE post SET like_count = like_count + 1, recent_likes = recent_likes + ?,"
    " popular = popular__matching + ? > 0, popular__matching = popular__matching + ? WHERE id = ?"
)
INSERT_POST = (
    "INSERT INTO post (title, content, author_id, status, like_count, recent_likes, popular, popular__matching)"
    " VALUES (?, ?, ?, 'draft', 0, 0, false, 0)"
)
POST_MADE = 'UPDATE "user" SET post_count = post_count + 1 WHERE id = ?'
LIKER_BECAME_POPULAR = (
    "UPDATE post SET popular__matching = popular__matching + 1, popular = true"
    ' WHERE id IN (SELECT post_id FROM "like" WHERE user_id = ?)'
)
STATUS = "SELECT status, author_id FROM post WHERE id = ? FOR UPDATE"
SET_STATUS = "UPDATE post SET status = ? WHERE id = ?"
STATE_CHANGED = 'UPDATE "user" SET live_count = live_count + ? WHERE id = ?'


def like_post(hand: Hand, user: int, post: int) -> None:
    at = dt.datetime.now(dt.UTC)
    hand.event("LikePost", {"post": post}, user)
    hand.insert(INSERT_LIKE, (user, post, hand.time(at)))
    if hand.waits and hand.tells_of_updates:
        # The row of the user is locked by its update before it is read.
        name, post_count = hand.updated(LIKE_GIVEN, "name, post_count", (user,))
        matching = int(post_count > 100)
        hand.run(LIKED_BY_KNOWN, (int(at.year >= 2026 and name != "bot"), matching, matching, post))
    else:
        hand.run(LIKE_GIVEN, (user,))
        hand.run(LIKED, (at.year, user, user, user, post))


def create_post(hand: Hand, user: int) -> None:
    title, content = "Hello", "What a day."
    hand.event("CreatePost", {"title": title, "content": content}, user)
    hand.insert(INSERT_POST, (title, content, user))
    (post_count,) = hand.updated(POST_MADE, "post_count", (user,))
    if post_count == 101:
        hand.run(LIKER_BECAME_POPULAR, (user,))


def change_state(hand: Hand, interaction: str, user: int, post: int, before: str, after: str, live: int) -> None:
    hand.event(interaction, {"post": post}, user)
    status, author = hand.one(STATUS, (post,))
    if status == before:
        hand.run(SET_STATUS, (after, post))
        hand.run(STATE_CHANGED, (live, author))


AUTHOR = POST = 1
THEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class SocialCase(Case):
    """User 1 is the author of post 1, which has all the likes; each of the other users may like it once."""

    name = "social"
    models = MODELS
    steps = ("like_post", "create_post", "change_state")
    derived = (User, Post)
    snapshot = (
        'SELECT id, post_count, live_count, likes_given FROM "user" ORDER BY id',
        "SELECT id, title, author_id, status, like_count, recent_likes FROM post ORDER BY id",
        "SELECT id, popular, popular__matching FROM post ORDER BY id",
        'SELECT user_id, post_id FROM "like" ORDER BY user_id, post_id',
        "SELECT interaction, count(*) FROM interaction_event GROUP BY interaction ORDER BY interaction",
    )

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        users = 'INSERT INTO "user" (id, name, email, post_count, live_count, likes_given)'
        likes = 'INSERT INTO "like" (id, user_id, post_id, at)'
        text = "CHAR" if app.system.database.dialect.name in ("MariaDB", "MySQL") else "TEXT"
        email = f"CAST(i AS {text}) || '@example.org'"

        def write(hand: Hand) -> None:
            hand.run(f"{users} {NUMBERS} i, 'user', {email}, 0, 0, 0 FROM n", (1 + size + operations,))
            hand.run(INSERT_POST, ("The post", "...", AUTHOR))
            hand.run(
                f"{likes} {NUMBERS} i, i + 1, {POST}, ? FROM n",
                (size, hand.time(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))),
            )

        hand.transaction(write)

    def ours(self, app: iq.Controller, step: str, size: int, numbers: range) -> list[Call]:
        dispatch, post = app.dispatch, loaded(app, Post, POST)
        users = [(loaded(app, User, key),) for key in self._users(step, size, numbers)]
        if step == "like_post":
            return calls(lambda user: dispatch(LikePost(post=post), user=user), users)
        if step == "create_post":
            return calls(lambda user: dispatch(CreatePost(title="Hello", content="What a day."), user=user), users)
        publish = partial(lambda user: dispatch(PublishPost(post=post), user=user), *users[0])
        unpublish = partial(lambda user: dispatch(UnpublishPost(post=post), user=user), *users[0])
        return [unpublish if number % 2 else publish for number in numbers]

    def by_hand(self, hand: Hand, step: str, size: int, numbers: range) -> list[Call]:
        do = hand.transaction
        users = self._users(step, size, numbers)
        if step == "like_post":
            return calls(partial(do, like_post), ((user, POST) for user in users))
        if step == "create_post":
            return calls(partial(do, create_post), ((user,) for user in users))
        publish = partial(do, change_state, "PublishPost", AUTHOR, POST, "draft", "live", 1)
        unpublish = partial(do, change_state, "UnpublishPost", AUTHOR, POST, "live", "draft", -1)
        return [unpublish if number % 2 else publish for number in numbers]

    @staticmethod
    def _users(step: str, size: int, numbers: range) -> list[int]:
        if step == "like_post":
            return [2 + size + number for number in numbers]
        if step == "create_post":
            # Some who have liked the post: what they do might, but does not, change it.
            return [2 + number % min(size, 100) for number in numbers]
        return [AUTHOR] * len(numbers)
