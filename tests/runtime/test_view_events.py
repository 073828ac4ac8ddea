"""Side effects of views: one creation where a record comes in, one deletion where it goes, whatever did it."""

from __future__ import annotations

from typing import Any, Literal

import pytest

import interaqt as iq
from interaqt import Event, Many
from interaqt.storage.database import Database
from tests.runtime.conftest import Apps


@iq.interaction
class Write:
    title: str
    live: bool = False


@iq.interaction
class Edit:
    post: Post
    title: str
    status: Literal["draft", "live"] | None


@iq.interaction
class Vouch:
    user: User
    active: bool


@iq.interaction
class Applaud:
    post: Post


@iq.interaction
class Boo:
    post: Post


@iq.interaction
class Delete:
    post: Post


@iq.interaction
class Swap:
    """Moves both the state and the author's standing."""

    post: Post
    status: Literal["draft", "live"]
    active: bool


@iq.entity
class User:
    id: int = iq.key()
    name: str
    active: bool = iq.field(
        default=True,
        changes=[
            iq.on(Vouch, record=lambda e: e.payload.user, set=lambda e: e.payload.active),
            iq.on(Swap, record=lambda e: e.payload.post.author, set=lambda e: e.payload.active),
        ],
    )
    boss: User | None = None
    posts: Many[Post] = iq.many(inverse="author")


@iq.entity
class Post:
    id: int = iq.key()
    title: str = iq.field(changes=iq.on(Edit, set=lambda e: e.payload.title))
    author: User
    editor: User | None = None
    status: Literal["draft", "live"] = iq.field(
        default="draft",
        changes=[
            iq.on(Edit, set=lambda e: e.payload.status or e.payload.post.status),
            iq.on(Swap, set=lambda e: e.payload.status),
        ],
    )
    claps: Many[Clap] = iq.many(inverse="post")

    clap_count: int = iq.Count(claps)

    written = iq.Transform(
        Write, lambda e: Post(title=e.payload.title, author=e.user, status="live" if e.payload.live else "draft")
    )

    @iq.deleted_by(Delete)
    def deleted(self, e: Event[Delete]) -> bool:
        return self == e.payload.post


@iq.relation(repeatable=True)
class Clap:
    user: User
    post: Post
    made = iq.Transform(Applaud, lambda e: Clap(user=e.user, post=e.payload.post))

    @iq.deleted_by(Boo)
    def booed(self, e: Event[Boo]) -> bool:
        return self.post == e.payload.post


@iq.view(Post, where=lambda post: post.status == "live")
class LivePost(Post):
    """By its own attribute."""


@iq.view(LivePost, where=lambda post: post.author.active and post.clap_count < 3)
class FreshPost(LivePost):
    """By its own attribute, a far one and a derived one."""


@iq.view(Post, where=lambda post: post.author.active and (post.editor is None or post.editor.active))
class BackedPost(Post):
    """By two far records, which may be one."""


@iq.view(User, where=lambda user: user.active and (user.boss is None or user.boss.active))
class TrustedUser(User):
    """By itself and by another one of its kind, which may be itself."""


Seen = list[tuple[str, str, int, Any]]


class Site:
    def __init__(self, make_app: Apps, *observed: type) -> None:
        self.seen: Seen = []
        effects = [self.watch(view) for view in observed]
        views = [LivePost, FreshPost, BackedPost, TrustedUser]
        self.app = make_app(User, Post, Clap, *views, Write, Edit, Vouch, Applaud, Boo, Delete, Swap, *effects)
        self.storage = self.app.system.storage
        self.ada = self.storage.create(User(name="Ada"))
        self.bea = self.storage.create(User(name="Bea"))

    def watch(self, view: type[Any]) -> iq.SideEffect:
        @iq.side_effect(view)
        def observe(change: iq.RecordChange[Any]) -> None:
            assert isinstance(change.record, view)
            shown = getattr(change.record, "title", None) or change.record.name
            self.seen.append((view.__name__, change.kind, change.record.id, shown))

        return observe

    def does(self, request: Any, user: Any = None) -> Seen:
        self.seen.clear()
        result = self.app.dispatch(request, user=user)
        assert result.post_commit == "complete", result.side_effects
        assert self.app.verify() == []
        return list(self.seen)


@pytest.fixture
def site(make_app: Apps) -> Site:
    return Site(make_app, LivePost, FreshPost, BackedPost, TrustedUser)


def test_entering_is_a_creation_changing_an_update_and_leaving_a_deletion(make_app: Apps) -> None:
    site = Site(make_app, LivePost)
    assert site.does(Write(title="a"), site.ada) == []
    (post,) = site.storage.query(Post).all()
    assert site.does(Edit(post=post, title="b", status=None)) == []
    assert site.does(Edit(post=post, title="c", status="live")) == [("LivePost", "create", 1, "c")]
    assert site.does(Edit(post=post, title="d", status=None)) == [("LivePost", "update", 1, "d")]
    assert site.does(Edit(post=post, title="d", status=None)) == []
    # What it was while it was in the view.
    assert site.does(Edit(post=post, title="e", status="draft")) == [("LivePost", "delete", 1, "d")]
    assert site.does(Delete(post=post)) == []
    assert site.does(Write(title="f", live=True), site.ada) == [("LivePost", "create", 2, "f")]
    assert site.does(Delete(post=site.storage.get(Post, 2))) == [("LivePost", "delete", 2, "f")]


def test_a_far_record_and_a_derived_value_bring_records_in_and_out(make_app: Apps) -> None:
    site = Site(make_app, FreshPost)
    assert site.does(Write(title="a", live=True), site.ada) == [("FreshPost", "create", 1, "a")]
    assert site.does(Write(title="b", live=True), site.ada) == [("FreshPost", "create", 2, "b")]
    assert site.does(Write(title="c"), site.ada) == []
    assert site.does(Vouch(user=site.bea, active=False)) == []
    assert site.does(Vouch(user=site.ada, active=False)) == [
        ("FreshPost", "delete", 1, "a"),
        ("FreshPost", "delete", 2, "b"),
    ]
    assert site.does(Vouch(user=site.ada, active=False)) == []
    assert [kind for _, kind, *_ in site.does(Vouch(user=site.ada, active=True))] == ["create", "create"]
    post = site.storage.get(Post, 2)
    claps = [site.does(Applaud(post=post), site.bea) for _ in range(4)]
    assert claps == [
        [("FreshPost", "update", 2, "b")],
        [("FreshPost", "update", 2, "b")],
        [("FreshPost", "delete", 2, "b")],
        [],
    ]
    assert site.does(Boo(post=post)) == [("FreshPost", "create", 2, "b")]


def test_where_one_record_is_read_in_two_places_each_one_concerned_is_told_once(make_app: Apps) -> None:
    site = Site(make_app, BackedPost, TrustedUser)
    storage = site.storage
    cy = storage.create(User(name="Cy", boss=site.ada))
    for author, editor in ((site.ada, site.ada), (site.ada, site.bea), (site.bea, site.ada), (site.bea, None)):
        storage.create(Post(title=f"by {author.name}", author=author, editor=editor))
    assert sorted(site.does(Vouch(user=site.ada, active=False))) == [
        ("BackedPost", "delete", 1, "by Ada"),
        ("BackedPost", "delete", 2, "by Ada"),
        ("BackedPost", "delete", 3, "by Bea"),
        ("TrustedUser", "delete", site.ada.id, "Ada"),
        ("TrustedUser", "delete", cy.id, "Cy"),
    ]
    assert sorted(site.does(Vouch(user=site.bea, active=False))) == [
        ("BackedPost", "delete", 4, "by Bea"),
        ("TrustedUser", "delete", site.bea.id, "Bea"),
    ]
    assert [each[:3] for each in sorted(site.does(Vouch(user=site.ada, active=True)))] == [
        ("BackedPost", "create", 1),
        ("TrustedUser", "create", site.ada.id),
        ("TrustedUser", "create", cy.id),
    ]
    assert [each[:3] for each in sorted(site.does(Vouch(user=site.bea, active=True)))] == [
        ("BackedPost", "create", 2),
        ("BackedPost", "create", 3),
        ("BackedPost", "create", 4),
        ("TrustedUser", "create", site.bea.id),
    ]


def test_a_record_that_refers_to_itself_is_told_of_once(make_app: Apps) -> None:
    site = Site(make_app, TrustedUser)
    own = site.storage.create(User(name="Own"))
    site.storage.update(own, boss=own)
    assert site.does(Vouch(user=own, active=False)) == [("TrustedUser", "delete", own.id, "Own")]
    assert site.does(Vouch(user=own, active=True)) == [("TrustedUser", "create", own.id, "Own")]


def test_what_comes_and_goes_within_one_dispatch_is_told_as_it_is_in_the_end(make_app: Apps) -> None:
    site = Site(make_app, FreshPost)
    site.does(Write(title="a", live=True), site.ada)
    (post,) = site.storage.query(Post).all()
    assert site.does(Swap(post=post, status="draft", active=False)) == [("FreshPost", "delete", 1, "a")]
    assert site.does(Swap(post=post, status="live", active=False)) == []
    assert site.does(Swap(post=post, status="draft", active=True)) == []
    assert site.does(Swap(post=post, status="live", active=True)) == [("FreshPost", "create", 1, "a")]


def test_effects_tell_of_views_after_what_brought_records_there(site: Site) -> None:
    result = site.app.dispatch(Write(title="a", live=True), user=site.ada)
    shown = [(each.kind, each.record.__name__) for each in result.effects]
    assert shown == [
        ("create", "InteractionEvent"),
        ("create", "Post"),
        ("create", "BackedPost"),
        ("create", "FreshPost"),
        ("create", "LivePost"),
    ]
    (post,) = result.created(Post)
    result = site.app.dispatch(Applaud(post=post), user=site.bea)
    assert [(each.kind, each.record.__name__) for each in result.effects] == [
        ("create", "InteractionEvent"),
        ("create", "Clap"),
        ("update", "Post"),
        ("update", "BackedPost"),
        ("update", "FreshPost"),
        ("update", "LivePost"),
    ]
    live = next(each for each in result.effects if each.record is LivePost)
    assert (live.names, live.key) == ({"clap_count"}, post.id)
    assert live.old is not None
    assert live.values is not None
    assert (live.old["clap_count"], live.values["clap_count"]) == (0, 1)
    result = site.app.dispatch(Vouch(user=site.ada, active=False))
    assert [(each.kind, each.record.__name__) for each in result.effects] == [
        ("create", "InteractionEvent"),
        ("update", "User"),
        ("delete", "BackedPost"),
        ("delete", "FreshPost"),
        ("delete", "TrustedUser"),
    ]


def test_of_many_at_once_each_tells_of_its_own(site: Site) -> None:
    results = site.app.dispatch_many([Write(title=each, live=each != "b") for each in "abc"], user=site.ada)
    assert [[m.key for m in result.effects if m.record is LivePost] for result in results] == [[1], [], [3]]
    assert [each for each in site.seen if each[0] == "LivePost"] == [
        ("LivePost", "create", 1, "a"),
        ("LivePost", "create", 3, "c"),
    ]
    posts = site.storage.query(Post).all()
    site.seen.clear()
    site.app.dispatch_many([Edit(post=post, title="x", status="draft") for post in posts], user=site.ada)
    assert [each for each in site.seen if each[0] == "LivePost"] == [
        ("LivePost", "delete", 1, "a"),
        ("LivePost", "delete", 3, "c"),
    ]


def test_only_the_kinds_that_are_asked_for_are_told(make_app: Apps) -> None:
    seen: list[str] = []

    @iq.side_effect(LivePost, on="create")
    def came(change: iq.RecordChange[LivePost]) -> None:
        seen.append(f"{change.record.title} by {change.record.author.name}, {change.old}")

    @iq.side_effect(LivePost, on=["delete", "update"])
    def went(change: iq.RecordChange[LivePost]) -> None:
        seen.append(f"{change.kind} {change.record.title}")

    app = make_app(User, Post, Clap, LivePost, Write, Edit, Vouch, Applaud, Boo, Delete, Swap, came, went)
    ada = app.system.storage.create(User(name="Ada"))
    (post,) = app.dispatch(Write(title="a", live=True), user=ada).created(Post)
    app.dispatch(Edit(post=post, title="b", status=None))
    app.dispatch(Edit(post=post, title="c", status="draft"))
    assert seen == ["a by Ada, None", "update b", "delete b"]


def test_where_nobody_observes_a_view_nothing_is_planned_for_it(make_app: Apps, database: Database) -> None:
    views = [LivePost, FreshPost, BackedPost, TrustedUser]
    sent = []
    for models in ([], views):
        app = make_app(User, Post, Clap, *models, Write, Edit, Vouch, Applaud, Boo, Delete, Swap)
        ada = app.system.storage.create(User(name="Ada"))
        (post,) = app.dispatch(Write(title="a", live=True), user=ada).created(Post)
        requests = [Applaud(post=post), Edit(post=post, title="b", status="live"), Vouch(user=ada, active=False)]
        with database.recording() as recorder:
            results = [app.dispatch(each, user=ada) for each in requests]
        sent.append([sql for sql, _ in recorder.statements])
        assert not any(each.record in views for result in results for each in result.effects)
    assert sent[0] == sent[1]
