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


@iq.interaction
class OpenAlbum:
    titles: list[str]


@iq.condition
def not_rude(event: Event[Remark]) -> bool:
    return event.payload.text != "rude"


@iq.interaction(guard=not_rude)
class Remark:
    text: str
    post: Post


@iq.interaction
class Tag:
    name: str


@iq.entity
class Album:
    id: int = iq.key()
    size: int


@iq.entity
class Photo:
    id: int = iq.key()
    title: str
    album: Album = iq.one()

    opened = iq.Transform(OpenAlbum, lambda e: photos_of(e.payload.titles))


def photos_of(titles: list[str]) -> list[Photo]:
    album = Album(size=len(titles))
    return [Photo(title=title, album=album) for title in titles]


@iq.entity
class Comment:
    id: int = iq.key()
    text: str
    by: User | None = iq.one()

    made = iq.Transform(Remark, lambda e: Comment(text=e.payload.text, by=e.user))


@iq.entity(identity=("name",))
class Label:
    id: int = iq.key()
    name: str

    made = iq.Transform(Tag, lambda e: Label(name=e.payload.name))


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


MODELS = [User, Post, Liking, Like, LikeCarefully, Archive, OpenAlbum, Album, Photo, Remark, Comment, Tag, Label]


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


def test_results_are_made_when_they_are_asked_for(app: App) -> None:
    results = app.app.dispatch_many(app.requests())
    assert len(results) == 12
    assert results[-1] is results[11]
    assert results[3] is results[3]
    assert [result.event.id for result in results[2:4]] == [3, 4]
    assert {result.post_commit for result in results} == {"complete"}
    assert results[4].event.user == app.users[1]
    assert results[4].event.payload.post.title == "one"
    with pytest.raises(IndexError):
        results[12]


def test_new_records_that_refer_to_one_another_are_written_together(app: App) -> None:
    results = app.app.dispatch_many([OpenAlbum(titles=["a", "b"]), OpenAlbum(titles=[]), OpenAlbum(titles=["c"])])
    assert [[photo.title for photo in result.created(Photo)] for result in results] == [["a", "b"], [], ["c"]]
    assert [[album.size for album in result.created(Album)] for result in results] == [[2], [], [1]]
    with app.database.recording() as few:
        app.app.dispatch_many([OpenAlbum(titles=["a"]), OpenAlbum(titles=["b"])])
    with app.database.recording() as many:
        app.app.dispatch_many([OpenAlbum(titles=["a", "b", "c"])] * 20)
    assert len(few.statements) == len(many.statements)


def test_what_is_wrong_first_is_what_is_said(app: App) -> None:
    before = app.state()
    gone = app.storage.create(Post(title="gone"))
    app.storage.delete(gone)
    fine, missing, rude = (
        Remark(text=text, post=post) for text, post in (("fine", app.posts[0]), ("lost", gone), ("rude", app.posts[0]))
    )
    with pytest.raises(iq.PayloadError, match="post: there is no Post"):
        app.app.dispatch_many([fine, missing, rude], user=app.users[0])
    with pytest.raises(iq.ConditionRejected):
        app.app.dispatch_many([fine, rude, missing], user=app.users[0])
    with pytest.raises(iq.ConditionRejected):
        app.app.dispatch_many([rude, missing], user=app.users[0])
    assert app.state() == before
    assert app.storage.query(Comment).count() == 0


def test_a_record_that_was_there_already_is_created_by_none(app: App) -> None:
    app.app.dispatch(Tag(name="old"))
    results = app.app.dispatch_many([Tag(name="old"), Tag(name="new"), Tag(name="new")])
    assert [[label.name for label in result.created(Label)] for result in results] == [[], ["new"], []]
    told = [[each.kind for each in result.effects if each.record is Label] for result in results]
    assert told == [[], ["create"], []]


def test_who_asks_may_be_nobody_and_the_payload_without_references(app: App) -> None:
    with pytest.raises(iq.InvalidValue, match=r"Liking\.user is None"):
        app.app.dispatch_many([(Like(post=app.posts[0]), app.users[0]), Like(post=app.posts[0])])
    results = app.app.dispatch_many([Remark(text="x", post=app.posts[0]), (Remark(text="y", post=app.posts[0]), None)])
    assert [result.created(Comment)[0].by for result in results] == [None, None]
