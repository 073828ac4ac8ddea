"""Views: what is in one, whatever changes that, and all that may be asked and derived of what is in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import attrs
import pytest

import interaqt as iq
from interaqt import Event, Many
from tests.runtime.conftest import Apps


@iq.interaction
class Publish:
    post: Post


@iq.interaction
class Retract:
    post: LivePost


@iq.interaction
class Praise:
    post: LivePost
    also: list[LivePost] | None


@iq.interaction
class Block:
    user: User
    active: bool = False


@iq.interaction
class File:
    post: Post
    folder: Folder | None


@iq.interaction
class Discard:
    post: LivePost


@attrs.frozen
class Line:
    post: LivePost
    note: str = ""


@iq.interaction
class Note:
    lines: list[Line]


@iq.entity
class User:
    id: int = iq.key()
    name: str
    active: bool = iq.field(
        default=True, changes=iq.on(Block, record=lambda e: e.payload.user, set=lambda e: e.payload.active)
    )
    posts: Many[Post] = iq.many(inverse="author")
    live_posts: Many[LivePost] = iq.many(inverse="author")
    loved_posts: Many[LovedPost] = iq.many(inverse="author")
    long_posts: Many[LongPost] = iq.many(inverse="author")
    likes: Many[Like] = iq.many(inverse="user")
    warm_likes: Many[WarmLike] = iq.many(inverse="user")
    good_likes: Many[GoodLike] = iq.many(inverse="user")
    liked: Many[Post] = iq.many(through="likes")
    liked_live: Many[LivePost] = iq.many(through="likes")
    warmly_liked_live: Many[LivePost] = iq.many(through="warm_likes")

    live_count: int = iq.Count(live_posts)
    live_and_liked: int = iq.Count(live_posts, where=lambda post: post.like_count > 0)
    words: int = iq.Summation(live_posts, of=lambda post: post.length())
    weighed: int = iq.WeightedSummation(live_posts, weight=lambda post: post.words, of=lambda post: post.like_count)
    mean: float | None = iq.Average(live_posts, of=lambda post: post.words)
    all_long: bool = iq.Every(live_posts, where=lambda post: post.is_long)
    any_long: bool = iq.Any(live_posts, where=lambda post: post.is_long)
    longest: int | None = iq.Maximum(live_posts, of=lambda post: post.words)
    shortest: int = iq.Minimum(live_posts, of=lambda post: post.words, default=-1)
    first: str | None = iq.First(live_posts, of=lambda post: post.title, by=lambda post: post.words)
    last: str | None = iq.Last(live_posts, of=lambda post: post.title, by=lambda post: post.words)
    lengths: int = iq.Distinct(live_posts, of=lambda post: post.words)
    loved: int = iq.Count(loved_posts)
    long: int = iq.Count(long_posts)
    warm: int = iq.Count(warm_likes)
    good: int = iq.Count(good_likes)
    live_seen: int = iq.Summation(liked_live, of=lambda post: post.words)
    warmly_seen: int = iq.Count(warmly_liked_live)
    best_seen: int | None = iq.Maximum(warmly_liked_live, of=lambda post: post.like_count)


@iq.entity
class Folder:
    id: int = iq.key()
    open: bool = True
    posts: Many[Post] = iq.many(inverse="folder")
    shown: Many[FiledPost] = iq.many(inverse="folder")

    shown_count: int = iq.Count(shown)


@iq.entity
class Post:
    id: int = iq.key()
    title: str
    words: int = 1
    author: User
    folder: Folder | None = iq.one(default=None, changes=iq.on(File, set=lambda e: e.payload.folder))
    status: Literal["draft", "live"] = iq.StateMachine(
        "draft", iq.on(Publish, {"draft": "live"}), iq.on(Retract, {"live": "draft"})
    )
    likes: Many[Like] = iq.many(inverse="post")
    warm_likes: Many[WarmLike] = iq.many(inverse="post")

    like_count: int = iq.Count(likes)
    warm_count: int = iq.Count(warm_likes)

    @iq.computed
    def is_long(self) -> bool:
        return self.words > 10

    @iq.deleted_by(Discard)
    def discarded(self, e: Event[Discard]) -> bool:
        return self == e.payload.post


@iq.relation
class Like:
    user: User
    post: Post
    warmth: int = 0
    made = iq.Transform(Praise, lambda e: [Like(user=e.user, post=post, warmth=3) for post in named(e.payload)])


def named(payload: Praise) -> list[LivePost]:
    return [payload.post, *(payload.also or [])]


@iq.view(Post, where=lambda post: post.status == "live" and post.author.active)
class LivePost(Post):
    """Posts that everyone can see."""

    def length(self) -> int:
        return self.words + 1


@iq.view(LivePost, where=lambda post: post.like_count > 1 and post.length() > 1)
class LovedPost(LivePost):
    """Live posts that several like."""


@iq.view(Post, where=lambda post: post.is_long)
class LongPost(Post): ...


@iq.view(Post, where=lambda post: post.folder is not None and post.folder.open)
class FiledPost(Post): ...


@iq.view(Like, where=lambda like: like.warmth > 1)
class WarmLike(Like):
    """By its own attribute."""


@iq.view(Like, where=lambda like: like.user.active and like.post.status == "live")
class GoodLike(Like):
    """By its ends."""


@iq.entity
class Headline:
    id: int = iq.key()
    post: Post
    text: str
    made = iq.Transform(LovedPost, lambda post: Headline(post=post, text=post.title.upper()))


MODELS: list[Any] = [
    User, Folder, Post, Like, LivePost, LovedPost, LongPost, FiledPost, WarmLike, GoodLike, Headline, Publish, Retract,
    Praise, Block, File, Discard, Note,
]  # fmt: skip


@pytest.fixture
def app(make_app: Apps) -> iq.Controller:
    return make_app(*MODELS)


@pytest.fixture
def storage(app: iq.Controller) -> iq.Storage:
    return app.system.storage


# -- what is true of all of them, worked out in plain Python ----------------------------------------


def is_live(post: Post) -> bool:
    return post.status == "live" and post.author.active


def expected_of(user: User) -> dict[str, Any]:
    live = [post for post in user.posts if is_live(post)]
    words = [post.words for post in live]
    in_order = sorted(live, key=lambda post: (post.words, post.id))
    warm = [like for like in user.likes if like.warmth > 1]
    return {
        "live_count": len(live),
        "live_and_liked": sum(len(post.likes) > 0 for post in live),
        "words": sum(post.words + 1 for post in live),
        "weighed": sum(post.words * len(post.likes) for post in live),
        "mean": sum(words) / len(words) if words else None,
        "all_long": all(each > 10 for each in words),
        "any_long": any(each > 10 for each in words),
        "longest": max(words, default=None),
        "shortest": min(words, default=-1),
        "first": in_order[0].title if live else None,
        "last": in_order[-1].title if live else None,
        "lengths": len(set(words)),
        "loved": sum(len(post.likes) > 1 for post in live),
        "long": sum(post.words > 10 for post in user.posts),
        "warm": len(warm),
        "good": sum(user.active and like.post.status == "live" for like in user.likes),
        "live_seen": sum(like.post.words for like in user.likes if is_live(like.post)),
        "warmly_seen": sum(is_live(like.post) for like in warm),
        "best_seen": max((len(like.post.likes) for like in warm if is_live(like.post)), default=None),
    }


def check(app: iq.Controller) -> None:
    """Every derived value, collection and query of views is what it is by the records themselves."""
    assert app.verify() == []
    storage = app.system.storage
    posts, likes = storage.query(Post).all(), storage.query(Like).all()
    live = [post for post in posts if is_live(post)]
    loved = [post for post in live if len(post.likes) > 1]
    assert storage.query(LivePost).all() == live
    assert storage.query(LovedPost).all() == loved
    assert storage.query(LongPost).all() == [post for post in posts if post.words > 10]
    assert storage.query(FiledPost).all() == [post for post in posts if post.folder is not None and post.folder.open]
    assert storage.query(WarmLike).all() == [like for like in likes if like.warmth > 1]
    good = [like for like in likes if like.user.active and like.post.status == "live"]
    assert storage.query(GoodLike).all() == good
    assert sorted(each.text for each in storage.query(Headline)) == sorted(post.title.upper() for post in loved)
    for user in storage.query(User):
        expected = expected_of(user)
        assert {name: getattr(user, name) for name in expected} == expected
        assert list(user.live_posts) == [post for post in user.posts if post in live]
        assert {*user.liked_live} == {like.post for like in user.likes if like.post in live}
        assert list(user.good_likes) == [like for like in user.likes if like in good]
    for folder in storage.query(Folder):
        assert folder.shown_count == (len(folder.posts) if folder.open else 0) == len(folder.shown)


@pytest.fixture
def blog(storage: iq.Storage) -> dict[str, Any]:
    """Two people, three posts, some likes; nothing is live yet."""
    ada, bea = (storage.create(User(name=name)) for name in ("Ada", "Bea"))
    folder = storage.create(Folder())
    posts = [
        storage.create(Post(title=title, words=words, author=author))
        for title, words, author in (("one", 5, ada), ("two", 12, ada), ("three", 30, bea))
    ]
    for user, post, warmth in ((ada, 0, 0), (bea, 0, 5), (bea, 1, 2), (ada, 2, 3)):
        storage.create(Like(user=user, post=posts[post], warmth=warmth))
    return {"ada": ada, "bea": bea, "folder": folder, "one": posts[0], "two": posts[1], "three": posts[2]}


Action = Callable[[iq.Controller, dict[str, Any]], object]

ACTIONS: dict[str, Action] = {
    "come in by a state": lambda app, blog: app.dispatch(Publish(post=blog["one"])),
    "come in together": lambda app, blog: app.dispatch_many([Publish(post=blog[each]) for each in ("two", "three")]),
    "go and come by a far record": lambda app, blog: [app.dispatch(Block(user=blog["ada"])), check(app),
                                                      app.dispatch(Block(user=blog["ada"], active=True))],
    "go by a far record": lambda app, blog: app.dispatch(Block(user=blog["bea"])),
    "change inside": lambda app, blog: app.system.storage.update(blog["one"], words=40, title="ONE"),
    "change outside": lambda app, blog: app.system.storage.update(blog["three"], words=2),
    "come in by a derived value": lambda app, blog: app.dispatch(
        Praise, {"post": blog["two"].id}, user=blog["ada"]
    ),
    "go by a derived value": lambda app, blog: app.system.storage.delete(
        app.system.storage.query(Like).where(lambda like: like.post == blog["two"]).first()
    ),
    "be linked": lambda app, blog: app.dispatch(File(post=blog["one"], folder=blog["folder"])),
    "leave what is linked": lambda app, blog: app.system.storage.update(blog["folder"], open=False),
    "be linked elsewhere": lambda app, blog: app.dispatch(
        File(post=blog["one"], folder=app.system.storage.create(Folder()))
    ),
    "move to another author": lambda app, blog: app.system.storage.update(blog["one"], author=blog["bea"]),
    "move back": lambda app, blog: [app.dispatch(Block(user=blog["bea"], active=True)), check(app),
                                    app.system.storage.update(blog["one"], author=blog["ada"])],
    "be made inside": lambda app, blog: app.dispatch(
        Publish(post=app.system.storage.create(Post(title="four", words=11, author=blog["ada"])))
    ),
    "cool down": lambda app, blog: app.system.storage.update(app.system.storage.query(WarmLike).first(), warmth=0),
    "go by a state": lambda app, blog: app.dispatch(Retract, {"post": blog["two"].id}),
    "be deleted inside": lambda app, blog: app.dispatch(Discard, {"post": blog["three"].id}),
    "lose the far record": lambda app, blog: [
        *(app.system.storage.delete(post) for post in blog["ada"].posts), app.system.storage.delete(blog["ada"])
    ],
}  # fmt: skip


def test_whatever_happens_all_that_follows_from_views_is_what_it_should_be(
    app: iq.Controller, blog: dict[str, Any]
) -> None:
    check(app)
    for name, action in ACTIONS.items():
        action(app, blog)
        try:
            check(app)
        except AssertionError as error:
            error.add_note(f"after: {name}")
            raise


def test_values_that_were_spoilt_are_put_right(app: iq.Controller, blog: dict[str, Any]) -> None:
    app.dispatch(Publish(post=blog["one"]))
    transaction = app.system.database.begin()
    transaction.execute('UPDATE "user" SET "live_count" = 7, "longest" = 99', ())
    transaction.commit()
    assert {each.attribute for each in app.verify()} == {"User.live_count", "User.longest"}
    app.rebuild(User)
    check(app)


# -- asking ----------------------------------------------------------------------------------------


def test_a_view_answers_its_own_class_whose_methods_it_has(app: iq.Controller, blog: dict[str, Any]) -> None:
    app.dispatch(Publish(post=blog["one"]))
    storage = app.system.storage
    (post,) = storage.query(LivePost).all()
    assert type(post) is LivePost
    assert post.length() == 6
    assert post == blog["one"]
    assert hash(post) == hash(blog["one"])
    assert len({post, blog["one"]}) == 1
    assert post.author == blog["ada"]
    assert storage.get(LivePost, post.id) == post
    assert storage.find(LivePost, blog["two"].id) is None
    with pytest.raises(iq.RecordNotFound, match=f"there is no LivePost with id {blog['two'].id}"):
        storage.get(LivePost, blog["two"].id)


def test_queries_go_through_views_like_through_records(app: iq.Controller, blog: dict[str, Any]) -> None:
    app.dispatch_many([Publish(post=blog[each]) for each in ("one", "two")])
    storage = app.system.storage
    live = storage.query(LivePost)
    assert live.count() == 2
    assert live.exists()
    assert live.where(lambda post: post.words > 5).all() == [blog["two"]]
    assert live.order_by(lambda post: post.words, desc=True).first() == blog["two"]
    assert live.sum(lambda post: post.words) == 17
    assert live.maximum(lambda post: post.length()) == 13
    assert live.where_in(lambda post: post.title, ["two", "three"]).all() == [blog["two"]]
    assert [post.title for post in live] == ["one", "two"]
    assert storage.query(LovedPost).count() == 1
    users = storage.query(User)
    assert users.where(lambda user: len(user.live_posts) > 1).all() == [blog["ada"]]
    assert users.where(lambda user: bool(user.loved_posts)).all() == [blog["ada"]]
    assert users.where(lambda user: blog["two"] in user.live_posts).all() == [blog["ada"]]
    assert users.where(lambda user: blog["three"] in user.live_posts).all() == []
    assert users.where(lambda user: len(user.liked_live) == 2).all() == [blog["bea"]]
    assert users.where(lambda user: len(user.warmly_liked_live) == 0).all() == [blog["ada"]]
    assert storage.query(Like).where(lambda like: like.post == storage.get(LivePost, blog["two"].id)).count() == 1
    (ada,) = users.include(lambda user: user.live_posts).where(lambda user: user.name == "Ada").all()
    assert [type(each) for each in ada.live_posts] == [LivePost, LivePost]


def test_a_record_that_has_left_is_still_a_record(app: iq.Controller, blog: dict[str, Any]) -> None:
    app.dispatch(Publish(post=blog["one"]))
    storage = app.system.storage
    post = storage.get(LivePost, blog["one"].id)
    changed = storage.update(post, words=8)
    assert (changed.words, type(changed)) == (8, LivePost)
    storage.update(blog["ada"], active=False)
    left = storage.update(post, words=9)
    assert (left.words, left.author) == (9, blog["ada"])
    storage.delete(left)
    assert storage.find(Post, post.id) is None
    check(app)


def test_why_a_value_is_what_it_is_lists_what_is_in_the_view(app: iq.Controller, blog: dict[str, Any]) -> None:
    app.dispatch_many([Publish(post=blog[each]) for each in ("two", "three")])
    for name in ("live_count", "words", "longest", "lengths"):
        explained = app.explain(blog["ada"], name)
        assert [row.record for row in explained.rows] == [blog["two"]]
        assert {"Post.status", "User.active"} <= {*explained.depends_on}
    assert app.explain(app.system.storage.get(LivePost, blog["two"].id), "like_count").value == 1


# -- payloads --------------------------------------------------------------------------------------


def problems(app: iq.Controller, *request: Any, user: Any = None) -> list[tuple[str, str, str]]:
    with pytest.raises(iq.PayloadError) as refused:
        app.dispatch(*request, user=user)
    return [(each.code, each.path, each.message) for each in refused.value.problems]


def test_a_payload_item_of_a_view_must_be_in_it(app: iq.Controller, blog: dict[str, Any]) -> None:
    one, two = blog["one"].id, blog["two"].id
    before = app.system.storage.query(iq.InteractionEvent).count()
    assert problems(app, Praise, {"post": one, "also": [two, 99]}, user=blog["bea"]) == [
        ("payload.not_in_view", "post", f"the Post with id {one} is not in LivePost"),
        ("payload.not_in_view", "also[0]", f"the Post with id {two} is not in LivePost"),
        ("payload.not_found", "also[1]", "there is no Post with id 99"),
    ]
    assert problems(app, Retract, {"post": one}) == [
        ("payload.not_in_view", "post", f"the Post with id {one} is not in LivePost")
    ]
    assert app.system.storage.query(iq.InteractionEvent).count() == before
    app.dispatch(Publish(post=blog["one"]))
    app.dispatch(Retract, {"post": one})
    assert problems(app, Retract, {"post": one})[0][0] == "payload.not_in_view"
    check(app)


def test_records_inside_json_must_be_in_the_view_that_they_are_declared_to_be_in(
    app: iq.Controller, blog: dict[str, Any]
) -> None:
    app.dispatch(Publish(post=blog["one"]))
    request = {"lines": [{"post": blog["one"].id}, {"post": blog["two"].id}]}
    assert problems(app, Note, request) == [
        ("payload.not_in_view", "lines[1].post", f"the Post with id {blog['two'].id} is not in LivePost")
    ]
    app.dispatch(Publish(post=blog["two"]))
    app.dispatch(Note, request)


def test_a_request_that_takes_a_record_out_of_its_view_can_be_repeated(
    app: iq.Controller, blog: dict[str, Any]
) -> None:
    app.dispatch(Publish(post=blog["one"]))
    outcomes = [app.dispatch(Retract, {"post": blog["one"].id}, idempotency_key="k").outcome for _ in range(2)]
    assert outcomes == ["applied", "replayed"]


def test_of_many_at_once_each_sees_what_those_before_it_have_done(app: iq.Controller, blog: dict[str, Any]) -> None:
    app.dispatch(Publish(post=blog["one"]))
    post = app.system.storage.get(LivePost, blog["one"].id)
    with pytest.raises(iq.PayloadError, match="is not in LivePost"):
        app.dispatch_many([Retract(post=post), Retract(post=post)])
    app.dispatch_many([Retract(post=post), Publish(post=post), Retract(post=post)])
    check(app)


def test_a_view_is_made_by_what_its_records_are(app: iq.Controller, blog: dict[str, Any]) -> None:
    with pytest.raises(iq.InvalidValue) as refused:
        LivePost(title="x", author=blog["ada"])
    assert str(refused.value).splitlines()[-2:] == [
        "  LivePost is a view: a Post is in it as long as it satisfies what the view says",
        "  make a Post(...)",
    ]
    with pytest.raises(iq.InvalidQuery, match="LivePost is a view, and what came into it"):
        app.dispatch(Publish(post=blog["one"])).created(LivePost)


def test_what_a_view_is_in_the_database_can_be_read(app: iq.Controller) -> None:
    found = {each.name: each for each in app.system.storage.schema.records}
    assert (found["LovedPost"].kind, found["LovedPost"].table, found["LovedPost"].part_of) == (
        "view", "post", "LivePost",
    )  # fmt: skip
    assert "live_post" not in {each.name for each in app.system.storage.schema.tables}


# -- what is found from both ends --------------------------------------------------------------------


@iq.entity
class Person:
    id: int = iq.key()
    age: int = 20
    close: Many[CloseBond] = iq.many(inverse=("one", "other"))
    close_people: Many[Person] = iq.many(through="close")
    close_adults: Many[Adult] = iq.many(through="close")

    close_count: int = iq.Count(close)
    adults: int = iq.Count(close_adults)
    years: int = iq.Summation(close_people, of=lambda person: person.age)
    strongest: int | None = iq.Maximum(close, of=lambda bond: bond.strength)


@iq.relation(symmetric=True)
class Bond:
    id: int = iq.key()
    one: Person
    other: Person
    strength: int = 0


@iq.view(Bond, where=lambda bond: bond.strength > 2)
class CloseBond(Bond): ...


@iq.view(Person, where=lambda person: person.age >= 18)
class Adult(Person): ...


def test_a_view_of_a_symmetric_relation_is_found_from_both_ends(make_app: Apps) -> None:
    app = make_app(Person, Bond, CloseBond, Adult)
    storage = app.system.storage

    def found() -> list[tuple[int, int, int, int | None, int, int, int]]:
        assert app.verify() == []
        return [
            (
                *(each.close_count, each.adults, each.years, each.strongest),
                *(len(each.close), len(each.close_people), len(each.close_adults)),
            )
            for each in storage.query(Person)
        ]

    ada, bea, cy = (storage.create(Person(age=age)) for age in (20, 15, 40))
    first = storage.create(Bond(one=ada, other=bea, strength=5))
    storage.create(Bond(one=cy, other=ada, strength=3))
    storage.create(Bond(one=bea, other=cy, strength=1))
    assert found() == [(2, 1, 55, 5, 2, 2, 1), (1, 1, 20, 5, 1, 1, 1), (1, 1, 20, 3, 1, 1, 1)]
    storage.update(first, strength=2)
    assert found() == [(1, 1, 40, 3, 1, 1, 1), (0, 0, 0, None, 0, 0, 0), (1, 1, 20, 3, 1, 1, 1)]
    storage.update(first, strength=9)
    storage.update(bea, age=18)
    assert found() == [(2, 2, 58, 9, 2, 2, 2), (1, 1, 20, 9, 1, 1, 1), (1, 1, 20, 3, 1, 1, 1)]


# -- global values -----------------------------------------------------------------------------------


@iq.interaction
class Allow:
    length: int


@iq.dictionary
class House:
    """What the view reads."""

    length: int = iq.field(default=10, changes=iq.on(Allow, set=lambda e: e.payload.length))


@iq.entity
class Slip:
    id: int = iq.key()
    words: int


@iq.view(Slip, where=lambda slip: slip.words <= House.length)
class FittingSlip(Slip): ...


@iq.dictionary
class Totals:
    """What is made of the view."""

    fitting: int = iq.Count(FittingSlip)
    words: int = iq.Summation(FittingSlip, of=lambda slip: slip.words, where=lambda slip: slip.words > 1)
    longest: int | None = iq.Maximum(FittingSlip, of=lambda slip: slip.words)


@pytest.mark.filterwarnings("ignore::interaqt.GlobalDependenceWarning")
def test_a_view_by_a_global_value_and_global_values_of_a_view(make_app: Apps) -> None:
    seen: list[tuple[str, int]] = []

    @iq.side_effect(FittingSlip)
    def observe(change: iq.RecordChange[FittingSlip]) -> None:
        seen.append((change.kind, change.record.words))

    app = make_app(House, Totals, Slip, FittingSlip, Allow, observe)
    storage = app.system.storage

    def totals() -> tuple[int, int, int | None]:
        assert app.verify() == []
        found = storage.get(Totals)
        return found.fitting, found.words, found.longest

    assert totals() == (0, 0, None)
    slips = [storage.create(Slip(words=words)) for words in (1, 9, 12, 30)]
    assert totals() == (2, 9, 9)
    app.dispatch(Allow(length=12))
    assert (totals(), seen) == ((3, 21, 12), [("create", 12)])
    seen.clear()
    app.dispatch(Allow(length=5))
    assert (totals(), sorted(seen)) == ((1, 0, 1), [("delete", 9), ("delete", 12)])
    storage.update(slips[3], words=4)
    assert totals() == (2, 4, 4)
    assert storage.query(FittingSlip).all() == [slips[0], slips[3]]
    storage.delete(slips[0])
    assert totals() == (1, 4, 4)
