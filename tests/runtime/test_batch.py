"""Many requests at once: the outcome of one by one, for the price of little more than one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import interaqt as iq
from interaqt import Event, Many


@iq.interaction
class Like:
    post: Post


@iq.condition
def not_too_popular(event: Event[LikeCarefully]) -> bool:
    return event.payload.post.like_count < 3


@iq.interaction(guard=not_too_popular)
class LikeCarefully:
    post: Post


@iq.interaction
class Archive:
    post: Post


@iq.entity
class User:
    id: int = iq.key()
    name: str
    likes: Many[Liking] = iq.many(inverse="user")

    likes_given: int = iq.Count(likes)


@iq.entity
class Post:
    id: int = iq.key()
    title: str
    likes: Many[Liking] = iq.many(inverse="post")
    archived: bool = iq.field(default=False, changes=iq.on(Archive, set=lambda e: True))

    like_count: int = iq.Count(likes)
    bot_likes: int = iq.Count(likes, where=lambda like: like.user.name == "bot")


@iq.relation(repeatable=True)
class Liking:
    user: User
    post: Post
    at: dt.datetime

    liked = iq.Transform(Like, lambda e: Liking(user=e.user, post=e.payload.post, at=e.at))
    carefully = iq.Transform(LikeCarefully, lambda e: Liking(user=e.user, post=e.payload.post, at=e.at))


MODELS = [User, Post, Liking, Like, LikeCarefully, Archive]


class App:
    def __init__(self, database: Any) -> None:
        self.database = database
        self.system = iq.MonoSystem(database)
        self.app = iq.Controller(self.system, MODELS)
        self.app.setup(install=True)
        self.storage = self.system.storage
        self.users = [self.storage.create(User(name=name)) for name in ("Ada", "bot", "Eve")]
        self.posts = [self.storage.create(Post(title=title)) for title in ("one", "two")]

    def state(self) -> list[Any]:
        posts = [(p.like_count, p.bot_likes, p.archived) for p in self.storage.query(Post)]
        users = [u.likes_given for u in self.storage.query(User)]
        likes = [(like.user.id, like.post.id) for like in self.storage.query(Liking)]
        events = [(e.interaction, e.actor, e.payload) for e in self.storage.query(iq.InteractionEvent)]
        return [posts, users, likes, events]

    def requests(self) -> list[Any]:
        return [(Like(post=self.posts[i % 2]), self.users[i % 3]) for i in range(12)]


@pytest.fixture
def app(database: Any) -> App:
    return App(database)


def test_many_at_once_leave_what_one_by_one_would(app: App, tmp_path: Any) -> None:
    results = app.app.dispatch_many(app.requests())
    other = App(iq.SQLiteDB(tmp_path / "other.db"))
    for request, user in other.requests():
        other.app.dispatch(request, user=user)
    assert app.state() == other.state()
    assert app.app.verify() == []
    assert [result.event.id for result in results] == list(range(1, 13))
    assert [result.created(Liking)[0].user for result in results] == [user for _, user in app.requests()]


def test_likes_together_are_one_statement_of_each_kind(app: App) -> None:
    app.app.dispatch_many(app.requests())
    with app.database.recording() as few:
        app.app.dispatch_many(app.requests()[:4])
    with app.database.recording() as many:
        app.app.dispatch_many(app.requests() * 10)
    # MySQL and MariaDB lock what a condition reads of others by statements of their own.
    apart = 2 if app.database.dialect.name == "MariaDB" else 0
    assert len(few.statements) == len(many.statements) <= 9 + apart


def test_callbacks_that_read_see_the_events_before(app: App) -> None:
    requests = [(LikeCarefully(post=app.posts[0]), user) for user in app.users]
    app.app.dispatch_many(requests)
    assert app.storage.get(Post, app.posts[0].id).like_count == 3
    before = app.state()
    with pytest.raises(iq.ConditionRejected):
        app.app.dispatch_many([(Like(post=app.posts[1]), app.users[0]), *requests])
    assert app.state() == before


def test_different_interactions_keep_their_order(app: App) -> None:
    requests = app.requests()
    results = app.app.dispatch_many([*requests[:3], (Archive(post=app.posts[0]), app.users[0]), *requests[3:]])
    assert [result.event.interaction for result in results] == ["Like"] * 3 + ["Archive"] + ["Like"] * 9
    assert app.storage.get(Post, app.posts[0].id).archived
    assert app.app.verify() == []


def test_one_that_is_refused_undoes_all(app: App) -> None:
    before = app.state()
    gone = app.storage.create(Post(title="gone"))
    app.storage.delete(gone)
    with pytest.raises(iq.PayloadError, match="post: there is no Post"):
        app.app.dispatch_many([*app.requests(), (Like(post=gone), app.users[0])])
    assert app.state() == before


def test_each_mutation_is_told_once(app: App) -> None:
    results = app.app.dispatch_many(app.requests())
    created = [each.key for result in results for each in result.effects if each.record is Liking]
    assert sorted(created) == list(range(1, 13))
    updated = {(each.record, each.key) for each in results[-1].effects if each.kind == "update"}
    assert updated == {(Post, 1), (Post, 2), (User, 1), (User, 2), (User, 3)}


def test_nothing_to_do_is_nothing_done(app: App) -> None:
    assert app.app.dispatch_many([]) == []
