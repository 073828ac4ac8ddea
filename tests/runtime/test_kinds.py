"""Kinds: an entity from which others inherit, in one table; each name means what it says, wherever it is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Literal

import pytest

import interaqt as iq
from interaqt import Event, Many
from interaqt.storage.database import Database
from tests.runtime.conftest import Apps
from tests.runtime.test_real_time import HOUR, Clock


@iq.interaction
class WriteArticle:
    title: str
    body: str
    cover: Photo | None


@iq.interaction
class TakePhoto:
    title: str
    url: str
    width: int = 0


@iq.interaction
class Submit:
    """Makes one of several kinds."""

    title: str
    kind: Literal["article", "essay", "photo", "plain"]


@iq.interaction
class Publish:
    content: Content


@iq.interaction
class Retitle:
    content: Content
    title: str


@iq.interaction
class Rewrite:
    article: Article
    body: str


@iq.interaction
class Resize:
    photos: list[Photo]
    width: int


@iq.interaction
class Deepen:
    essay: Essay


@iq.interaction
class LikeIt:
    target: Content


@iq.interaction
class Say:
    article: Article
    text: str


@iq.interaction
class Drop:
    content: Content


@iq.interaction
class Burn:
    photo: Photo


@iq.interaction
class Praise:
    target: LiveContent


@iq.entity
class User:
    id: int = iq.key()
    name: str
    active: bool = True
    contents: Many[Content] = iq.many(inverse="author")
    articles: Many[Article] = iq.many(inverse="author")
    photos: Many[Photo] = iq.many(inverse="author")
    live: Many[LiveContent] = iq.many(inverse="author")
    wide: Many[WidePhoto] = iq.many(inverse="author")
    likes: Many[Like] = iq.many(inverse="user")
    liked: Many[Content] = iq.many(through="likes")
    liked_photos: Many[Photo] = iq.many(through="likes")

    content_count: int = iq.Count(contents)
    letters: int = iq.Summation(articles, of=lambda article: article.length)
    comments: int = iq.Summation(articles, of=lambda article: article.comment_count)
    likes_of_photos: int = iq.Summation(photos, of=lambda photo: photo.like_count)
    mean_width: float | None = iq.Average(photos, of=lambda photo: photo.width)
    widest: int | None = iq.Maximum(photos, of=lambda photo: photo.width)
    first_title: str | None = iq.First(articles, of=lambda article: article.body, by=lambda article: article.title)
    bodies: int = iq.Distinct(articles, of=lambda article: article.body)
    all_covered: bool = iq.Every(articles, where=lambda article: article.cover is not None)
    any_wide_cover: bool = iq.Any(
        articles, where=lambda article: article.cover is not None and article.cover.width > 100
    )
    live_count: int = iq.Count(live)
    wide_count: int = iq.Count(wide)
    seen: int = iq.Count(liked_photos, where=lambda photo: photo.width > 0)


@iq.entity
class Content:
    id: int = iq.key()
    author: User
    title: str = iq.field(changes=iq.on(Retitle, set=lambda e: e.payload.title))
    status: Literal["draft", "live"] = iq.StateMachine("draft", iq.on(Publish, {"draft": "live"}))
    likes: Many[Like] = iq.many(inverse="target")

    like_count: int = iq.Count(likes)
    submitted = iq.Transform(Submit, lambda e: submitted(e))

    @iq.computed
    def label(self) -> str:
        return f"{self.title}!"

    @iq.deleted_by(Drop)
    def dropped(self, e: Event[Drop]) -> bool:
        return self == e.payload.content


def submitted(e: Event[Submit]) -> list[Content]:
    title, author = e.payload.title, e.user
    match e.payload.kind:
        case "article":
            return [Article(title=title, author=author, body=title)]
        case "essay":
            return [Essay(title=title, author=author, body=title, depth=2)]
        case "photo":
            return [Photo(title=title, author=author, url=title)]
        case _:
            cover = Photo(title="cover", author=author, url=title)
            return [Content(title=title, author=author), Article(title=title, author=author, body="", cover=cover)]


@iq.entity
class Article(Content):
    body: str = iq.field(changes=iq.on(Rewrite, set=lambda e: e.payload.body))
    cover: Photo | None = None
    comments: Many[Comment] = iq.many(inverse="article")

    comment_count: int = iq.Count(comments)
    own_likes: int = iq.Count(Content.likes, where=lambda like: like.target.title != "")
    rewrites: int = iq.change_count(body)
    summary: str = iq.Custom(
        reads=lambda article: (article.body, article.comment_count), compute=lambda body, count: f"{body[:1]}{count}"
    )
    talk: str = iq.Custom(
        comments,
        inputs=lambda comment: comment.text,
        reads=lambda article: article.body,
        compute=lambda body, texts: f"{body}: {''.join(texts)}",
    )
    written = iq.Transform(
        WriteArticle,
        lambda e: Article(title=e.payload.title, author=e.user, body=e.payload.body, cover=e.payload.cover),
    )

    @iq.computed(stored=True)
    def length(self) -> int:
        return len(self.body)

    def words(self) -> int:
        return self.body.count(" ") + 1


@iq.entity
class Essay(Article):
    """A kind of a kind, which has a default of its own for what it inherits."""

    title: str = "untitled"
    depth: int
    state: Literal["open", "deep"] = iq.StateMachine("open", iq.on(Deepen, {"open": "deep"}))


@iq.entity(unique=[("url", "width")])
class Photo(Content):
    url: str
    width: int = iq.field(
        default=0, changes=iq.on(Resize, record=lambda e: e.payload.photos, set=lambda e: e.payload.width)
    )
    covers: Many[Article] = iq.many(inverse="cover")

    cover_count: int = iq.Count(covers)
    taken = iq.Transform(
        TakePhoto, lambda e: Photo(title=e.payload.title, author=e.user, url=e.payload.url, width=e.payload.width)
    )

    @iq.deleted_by(Burn)
    def burnt(self, e: Event[Burn]) -> bool:
        return self == e.payload.photo


@iq.entity
class Comment:
    id: int = iq.key()
    article: Article = iq.one(on_delete="cascade")
    text: str
    said = iq.Transform(Say, lambda e: Comment(article=e.payload.article, text=e.payload.text))


@iq.relation(repeatable=True)
class Like:
    user: User
    target: Content
    made = iq.Transform(LikeIt, lambda e: Like(user=e.user, target=e.payload.target))
    praised = iq.Transform(Praise, lambda e: Like(user=e.user, target=e.payload.target))


@iq.view(Content, where=lambda content: content.status == "live" and content.author.active)
class LiveContent(Content):
    def shout(self) -> str:
        return self.title.upper()


@iq.view(Photo, where=lambda photo: photo.width > 100)
class WidePhoto(Photo): ...


@iq.entity
class Notice:
    """What follows from one kind, and from a view of all of them."""

    id: int = iq.key()
    content: Content
    text: str
    of_article = iq.Transform(Article, lambda article: Notice(content=article, text=article.body))
    of_live = iq.Transform(LiveContent, lambda content: Notice(content=content, text=content.label))


MODELS: list[Any] = [
    User, Essay, Article, Photo, Content, Comment, Like, LiveContent, WidePhoto, Notice, WriteArticle, TakePhoto,
    Submit, Publish, Retitle, Rewrite, Resize, Deepen, LikeIt, Say, Drop, Burn, Praise,
]  # fmt: skip


@pytest.fixture
def app(make_app: Apps) -> iq.Controller:
    return make_app(*MODELS)


@pytest.fixture
def storage(app: iq.Controller) -> iq.Storage:
    return app.system.storage


@pytest.fixture
def ada(storage: iq.Storage) -> User:
    return storage.create(User(name="Ada"))


@pytest.fixture
def bea(storage: iq.Storage) -> User:
    return storage.create(User(name="Bea"))


def expected_of(user: User) -> dict[str, Any]:
    articles = [each for each in user.contents if isinstance(each, Article)]
    photos = [each for each in user.contents if isinstance(each, Photo)]
    in_order = sorted(articles, key=lambda each: (each.title, each.id))
    live = [each for each in user.contents if each.status == "live" and user.active]
    return {
        "content_count": len(user.contents),
        "letters": sum(len(each.body) for each in articles),
        "comments": sum(len(each.comments) for each in articles),
        "likes_of_photos": sum(len(each.likes) for each in photos),
        "mean_width": sum(each.width for each in photos) / len(photos) if photos else None,
        "widest": max((each.width for each in photos), default=None),
        "first_title": in_order[0].body if in_order else None,
        "bodies": len({each.body for each in articles}),
        "all_covered": all(each.cover is not None for each in articles),
        "any_wide_cover": any(each.cover is not None and each.cover.width > 100 for each in articles),
        "live_count": len(live),
        "wide_count": sum(each.width > 100 for each in photos),
        "seen": sum(isinstance(like.target, Photo) and like.target.width > 0 for like in user.likes),
    }


def check(app: iq.Controller) -> None:
    assert app.verify() == []
    storage = app.system.storage
    contents = storage.query(Content).all()
    articles = [each for each in contents if isinstance(each, Article)]
    photos = [each for each in contents if isinstance(each, Photo)]
    live = [each for each in contents if each.status == "live" and each.author.active]
    assert {type(each) for each in contents} <= {Content, Article, Essay, Photo}
    assert storage.query(Article).all() == articles
    assert storage.query(Essay).all() == [each for each in contents if isinstance(each, Essay)]
    assert storage.query(Photo).all() == photos
    assert storage.query(LiveContent).all() == live
    assert storage.query(WidePhoto).all() == [each for each in photos if each.width > 100]
    for each in contents:
        assert each.like_count == len(each.likes)
        assert each.label == f"{each.title}!"
    for article in articles:
        assert (article.comment_count, article.length) == (len(article.comments), len(article.body))
        assert article.own_likes == (len(article.likes) if article.title else 0)
        assert article.summary == f"{article.body[:1]}{len(article.comments)}"
        assert article.talk == f"{article.body}: {''.join(comment.text for comment in article.comments)}"
    for photo in photos:
        assert photo.cover_count == len(photo.covers) == sum(each.cover == photo for each in articles)
    for user in storage.query(User):
        expected = expected_of(user)
        assert {name: getattr(user, name) for name in expected} == expected
        assert list(user.articles) == [each for each in user.contents if each in articles]
        assert list(user.live) == [each for each in user.contents if each in live]
        assert [*user.liked] == list(dict.fromkeys(like.target for like in user.likes)) or len(user.liked) == len(
            user.likes
        )
        assert len(user.liked_photos) == sum(isinstance(like.target, Photo) for like in user.likes)
    wanted = [(each, each.body) for each in articles] + [(each, each.label) for each in live]
    found = [(each.content, each.text) for each in storage.query(Notice)]
    assert sorted((each.id, text) for each, text in found) == sorted((each.id, text) for each, text in wanted)


Made = dict[str, Any]
Action = Callable[[iq.Controller, Made, User, User], object]

ACTIONS: dict[str, Action] = {
    "one is made": lambda app, made, ada, bea: made.update(
        a=app.dispatch(WriteArticle(title="a", body="one two", cover=None), user=ada).created(Article)[0]
    ),
    "another kind is made": lambda app, made, ada, bea: made.update(
        p=app.dispatch(TakePhoto(title="p", url="u", width=50), user=ada).created(Photo)[0]
    ),
    "several kinds are made by one interaction": lambda app, made, ada, bea: made.update(
        x=app.dispatch(Submit(title="x", kind="plain"), user=bea).created(Content)
    ),
    "a kind of a kind is made": lambda app, made, ada, bea: made.update(
        e=app.dispatch(Submit(title="e", kind="essay"), user=bea).created(Essay)[0]
    ),
    "many of several kinds are made at once": lambda app, made, ada, bea: app.dispatch_many(
        [Submit(title=f"m{index}", kind=kind) for index, kind in enumerate(("photo", "article", "essay", "photo"))],
        user=ada,
    ),
    "likes of each": lambda app, made, ada, bea: app.dispatch_many(
        [LikeIt(target=each) for each in app.system.storage.query(Content)], user=bea
    ),
    "one is changed by the common name": lambda app, made, ada, bea: app.dispatch(
        Retitle(content=made["a"], title="zz")
    ),
    "one is changed by its own name": lambda app, made, ada, bea: app.dispatch(
        Rewrite(article=made["a"], body="three")
    ),
    "one of a kind of a kind is changed": lambda app, made, ada, bea: app.dispatch(
        Rewrite(article=made["e"], body="four")
    ),
    "several are changed": lambda app, made, ada, bea: app.dispatch(
        Resize(photos=app.system.storage.query(Photo).where(lambda photo: photo.url != "m0").all(), width=200)
    ),
    "states move": lambda app, made, ada, bea: [
        app.dispatch(Publish(content=made["a"])), app.dispatch(Publish(content=made["p"])),
        app.dispatch(Publish(content=made["e"])), app.dispatch(Deepen(essay=made["e"])),
    ],
    "one refers to another kind": lambda app, made, ada, bea: app.system.storage.update(made["a"], cover=made["p"]),
    "what belongs to one kind": lambda app, made, ada, bea: app.dispatch_many(
        [Say(article=each, text="!") for each in (made["a"], made["e"], made["a"])], user=ada
    ),
    "one is liked by a view": lambda app, made, ada, bea: app.dispatch(Praise, {"target": made["e"].id}, user=ada),
    "a far record changes": lambda app, made, ada, bea: app.system.storage.update(bea, active=False),
    "one moves to another": lambda app, made, ada, bea: app.system.storage.update(made["p"], author=bea),
    "one is let go": lambda app, made, ada, bea: app.system.storage.update(made["a"], cover=None),
    "one is deleted by its own name": lambda app, made, ada, bea: app.dispatch(Burn(photo=made["p"])),
    "one is deleted by the common name": lambda app, made, ada, bea: app.dispatch(Drop(content=made["a"])),
    "one of a kind of a kind is deleted": lambda app, made, ada, bea: app.system.storage.delete(made["e"]),
}  # fmt: skip


def test_whatever_happens_each_name_means_what_it_says(app: iq.Controller, ada: User, bea: User) -> None:
    made: Made = {}
    for name, action in ACTIONS.items():
        action(app, made, ada, bea)
        try:
            check(app)
        except AssertionError as error:
            error.add_note(f"after: {name}")
            raise
    app.rebuild(Article)
    app.rebuild(User)
    check(app)


# -- asking ----------------------------------------------------------------------------------------


@pytest.fixture
def some(storage: iq.Storage, ada: User, bea: User) -> tuple[Article, Essay, Photo, Content]:
    """One of each kind."""
    photo = storage.create(Photo(title="photo", author=ada, url="u", width=120))
    return (
        storage.create(Article(title="article", author=ada, body="one two", cover=photo)),
        storage.create(Essay(author=bea, body="long", depth=3)),
        photo,
        storage.create(Content(title="content", author=bea)),
    )


Some = tuple[Article, Essay, Photo, Content]


def test_each_record_is_of_its_own_class_by_whatever_name_it_is_found(storage: iq.Storage, some: Some) -> None:
    article, essay, photo, content = some
    assert [type(each) for each in storage.query(Content)] == [Photo, Article, Essay, Content]
    assert [type(each) for each in storage.query(Article)] == [Article, Essay]
    assert type(storage.get(Content, photo.id)) is Photo
    assert (storage.get(Content, essay.id), hash(storage.get(Content, essay.id))) == (essay, hash(essay))
    assert storage.find(Photo, article.id) is None
    assert storage.find(Article, essay.id) == essay
    assert storage.find(Essay, article.id) is None
    assert essay.title == "untitled"
    assert article.words() == 2
    assert repr(storage.get(Content, content.id)) == "Content(id=4, title='content', status='draft', like_count=0)"
    assert photo.covers == storage.get(Photo, photo.id).covers
    assert list(photo.covers) == [article]


def test_a_view_of_several_kinds_answers_what_is_both(app: iq.Controller, storage: iq.Storage, some: Some) -> None:
    article, _, photo, content = some
    for each in (article, photo, content):
        app.dispatch(Publish(content=each))
    live = storage.query(LiveContent).all()
    assert live == [photo, article, content]
    assert [isinstance(each, LiveContent) for each in live] == [True] * 3
    assert [isinstance(each, Article) for each in live] == [False, True, False]
    assert [each.shout() for each in live] == ["PHOTO", "ARTICLE", "CONTENT"]
    found = live[1]
    assert isinstance(found, Article)
    assert (found.words(), found.cover) == (2, photo)
    assert storage.update(found, body="x").body == "x"
    assert app.explain(found, "like_count").value == 0
    app.dispatch(Praise(target=live[0]), user=storage.query(User).first())
    assert storage.get(Content, photo.id).like_count == 1


def test_what_is_found_together_loads_together_whatever_its_kind(
    storage: iq.Storage, some: Some, app: iq.Controller
) -> None:
    article, essay, *_ = some
    for each in (article, essay):
        app.dispatch(Say(article=each, text="!"))
    with app.system.database.recording() as recorder:
        for content in storage.query(Content).all():
            assert content.author.name in ("Ada", "Bea")
            if isinstance(content, Article):
                assert [comment.text for comment in content.comments] == ["!"]
    assert len(recorder.statements) == 3


def test_queries_ask_of_which_kind_a_record_is(storage: iq.Storage, some: Some, ada: User) -> None:
    article, essay, photo, content = some
    query = storage.query(Content)
    assert query.where(lambda each: isinstance(each, Article)).all() == [article, essay]
    assert query.where(lambda each: isinstance(each, Essay) and each.depth > 2).all() == [essay]
    assert query.where(lambda each: isinstance(each, Article) and each.length > 4).all() == [article]
    wide = query.where(lambda each: each.title == "content" or (isinstance(each, Photo) and each.width > 100))
    assert wide.all() == [photo, content]
    assert query.where(lambda each: not isinstance(each, Article)).all() == [photo, content]
    widths = query.order_by(lambda each: each.width if isinstance(each, Photo) else 0, desc=True)
    assert widths.first() == photo
    assert storage.query(Article).sum(lambda each: each.length) == 11
    assert storage.query(Article).where(lambda each: each.cover is not None and each.cover.width > 100).one() == article
    storage.create(Like(user=ada, target=photo))
    likes = storage.query(Like)
    assert likes.where(lambda like: isinstance(like.target, Photo) and like.target.width > 100).count() == 1
    assert likes.where(lambda like: isinstance(like.target, Article)).count() == 0
    assert likes.where(lambda like: isinstance(like.target, Content) and isinstance(like.user, User)).count() == 1
    assert likes.where(lambda like: isinstance(like.target, User)).count() == 0
    users = storage.query(User)
    assert users.where(lambda user: len(user.articles) == 1).count() == 2
    assert users.where(lambda user: article in user.articles).all() == [ada]
    assert users.where(lambda user: photo in user.liked_photos).all() == [ada]
    assert [type(each) for each in users.include(lambda user: user.contents).first().contents] == [Photo, Article]  # type: ignore[union-attr]


# -- what is said by name --------------------------------------------------------------------------


def problems(app: iq.Controller, *request: Any) -> list[tuple[str, str]]:
    with pytest.raises(iq.PayloadError) as refused:
        app.dispatch(*request)
    return [(each.code, each.path) for each in refused.value.problems]


def test_a_payload_item_of_a_kind_takes_no_other(app: iq.Controller, storage: iq.Storage, some: Some) -> None:
    article, essay, photo, content = some
    for wrong in (photo, content):
        assert problems(app, Rewrite, {"article": wrong.id, "body": "x"}) == [("payload.reference", "article")]
        assert problems(app, Rewrite(article=wrong, body="x")) == [("payload.reference", "article")]  # type: ignore[arg-type]
    assert problems(app, Rewrite, {"article": 99, "body": "x"}) == [("payload.not_found", "article")]
    assert problems(app, Resize, {"photos": [photo.id, essay.id], "width": 1}) == [("payload.reference", "photos[1]")]
    for right in (article, essay):
        app.dispatch(Rewrite, {"article": right.id, "body": "new"})
        app.dispatch(Retitle, {"content": right.id, "title": "new"})
    assert [(each.title, each.body, each.rewrites) for each in storage.query(Article)] == [("new", "new", 1)] * 2
    assert problems(app, Retitle, {"content": 99, "title": "x"}) == [("payload.not_found", "content")]


def test_a_callback_sees_of_which_kind_a_record_is(make_app: Apps) -> None:
    seen: list[type] = []

    @iq.condition
    def is_article(e: Event[Look]) -> bool:
        seen.append(type(e.payload.content))
        return isinstance(e.payload.content, Leaf) and e.payload.content.text == "x"

    @iq.interaction(guard=is_article)
    class Look:
        content: Trunk

    @iq.entity
    class Trunk:
        id: int = iq.key()

    @iq.entity
    class Leaf(Trunk):
        text: str

    @iq.entity
    class Twig(Trunk):
        pass

    app = make_app(Look, Trunk, Leaf, Twig)
    leaf, twig = app.system.storage.create(Leaf(text="x")), app.system.storage.create(Twig())
    app.dispatch(Look(content=leaf))
    app.dispatch(Look, {"content": leaf.id})
    with pytest.raises(iq.ConditionRejected):
        app.dispatch(Look, {"content": twig.id})
    assert seen == [Leaf, Leaf, Twig]


def test_a_reference_to_a_kind_takes_no_other(storage: iq.Storage, some: Some, ada: User) -> None:
    article, _, photo, content = some
    with pytest.raises(iq.InvalidValue, match=r"Article\.cover is Article.*, not a Photo"):
        storage.create(Article(title="x", author=ada, body="x", cover=article))  # type: ignore[arg-type]
    with pytest.raises(iq.InvalidValue, match=r"Article\.cover is Content .*, not a Photo"):
        storage.update(article, cover=content)
    with pytest.raises(iq.InvalidValue, match=r"Comment\.article is Photo.*, not a Article"):
        storage.create(Comment(article=photo, text="x"))  # type: ignore[arg-type]
    with pytest.raises(iq.InvalidValue, match="Content has no attribute 'body' that could be set"):
        storage.update(content, body="x")


def test_what_a_kind_needs_is_needed_of_it_alone(
    app: iq.Controller, storage: iq.Storage, some: Some, ada: User
) -> None:
    with pytest.raises(iq.InvalidValue, match="Photo is made without url"):
        Photo(title="x", author=ada)  # type: ignore[call-arg]
    transaction = app.system.database.begin()
    with pytest.raises(Exception, match=r"content_url_\w+_not_null"):
        transaction.execute('UPDATE "content" SET "url" = NULL', ()).fetchall()
    transaction.rollback()
    storage.create(Photo(title="again", author=ada, url="u", width=1))
    with pytest.raises(iq.ConstraintViolationError) as refused:
        storage.create(Photo(title="again", author=ada, url="u", width=120))
    assert (refused.value.kind, refused.value.properties) == ("unique", ("url", "width"))


def test_side_effects_go_by_either_name_and_effects_say_which_kind_it_is(make_app: Apps) -> None:
    seen: list[str] = []

    @iq.side_effect(Content)
    def of_all(change: iq.RecordChange[Content]) -> None:
        old = None if change.old is None else change.old.title
        seen.append(f"content {change.kind} {type(change.record).__name__} {change.record.title} {old}")

    @iq.side_effect(Article, on=["create", "update"])
    def of_articles(change: iq.RecordChange[Article]) -> None:
        seen.append(f"article {change.kind} {type(change.record).__name__} {change.record.body}")

    @iq.side_effect(LiveContent, on="create")
    def of_live(change: iq.RecordChange[LiveContent]) -> None:
        seen.append(f"live {change.kind} {type(change.record).__name__} {change.record.shout()}")

    app = make_app(*MODELS, of_all, of_articles, of_live)
    ada = app.system.storage.create(User(name="Ada"))

    def does(request: Any) -> tuple[list[str], list[str]]:
        seen.clear()
        result = app.dispatch(request, user=ada)
        assert result.post_commit == "complete", result.side_effects
        effects = [f"{each.kind} {each.record.__name__}" for each in result.effects[1:] if each.record is not User]
        return seen[:], effects

    assert does(Submit(title="t", kind="essay")) == (
        ["content create Essay t None", "article create Essay t"],
        ["create Essay", "create Notice"],
    )
    (essay,) = app.system.storage.query(Essay).all()
    assert does(Retitle(content=essay, title="n")) == (
        ["content update Essay n t", "article update Essay t"],
        ["update Essay"],
    )
    assert does(Publish(content=essay)) == (
        ["content update Essay n n", "article update Essay t", "live create Essay N"],
        ["update Essay", "create LiveContent", "create Notice"],
    )
    assert does(TakePhoto(title="p", url="u"))[0] == ["content create Photo p None"]
    (photo,) = app.system.storage.query(Photo).all()
    assert does(Burn(photo=photo))[0] == ["content delete Photo p None"]


def test_what_was_created_is_answered_by_each_of_its_names(app: iq.Controller, ada: User) -> None:
    for _ in range(2):
        result = app.dispatch(Submit(title="x", kind="plain"), user=ada, idempotency_key="k")
        assert [type(each) for each in result.created(Content)] == [Content, Photo, Article]
        assert [each.title for each in result.created(Article)] == ["x"]
        assert [each.title for each in result.created(Photo)] == ["cover"]
        assert result.created(Essay) == []


# -- what else may have kinds ------------------------------------------------------------------------


@iq.entity(abstract=True, identity=("email",), identity_conflict="update")
class Party:
    """Who acts; nobody is a Party and nothing more."""

    id: int = iq.key()
    email: str
    name: str = ""
    ties: Many[Tie] = iq.many(inverse="one")
    contracts: Many[Contract] = iq.many(inverse="one")

    tie_count: int = iq.Count(ties)
    worth: int = iq.Summation(contracts, of=lambda contract: contract.price)
    dear: int = iq.Count(ties, where=lambda tie: isinstance(tie, Contract) and tie.price > 5)


@iq.interaction
class Join:
    email: str
    name: str
    company: bool = False


@iq.interaction
class Greet:
    party: Party


@iq.entity
class Person(Party):
    joined = iq.Transform(Join, lambda e: joined(e))


def joined(e: Event[Join]) -> Person | None:
    return None if e.payload.company else Person(email=e.payload.email, name=e.payload.name)


@iq.entity
class Company(Party):
    staff: int = 0
    founded = iq.Transform(
        Join, lambda e: Company(email=e.payload.email, name=e.payload.name) if e.payload.company else None
    )


@iq.entity
class Greeting:
    id: int = iq.key()
    by: Party
    to: Party
    said = iq.Transform(Greet, lambda e: Greeting(by=e.user, to=e.payload.party))


@iq.relation(repeatable=True)
class Tie:
    one: Party
    other: Party
    note: str = ""


@iq.relation
class Contract(Tie):
    price: int


@iq.dictionary
class Count:
    parties: int = iq.Count(Party)
    people: int = iq.Count(Person)
    staff: int = iq.Summation(Company, of=lambda company: company.staff)
    contracts: int = iq.Summation(Contract, of=lambda contract: contract.price)
    ties: int = iq.Count(Tie)


PARTIES: list[Any] = [Party, Person, Company, Greeting, Tie, Contract, Count, Join, Greet]


@pytest.fixture
def parties(make_app: Apps) -> iq.Controller:
    return make_app(*PARTIES, user=Party)


def test_an_abstract_entity_is_one_of_its_kinds(parties: iq.Controller) -> None:
    with pytest.raises(iq.InvalidValue, match=r"Party is abstract.*\n  make Person\(\.\.\.\) or Company\(\.\.\.\)"):
        Party(email="x")
    storage = parties.system.storage
    ada = storage.create(Person(email="ada"))
    firm = storage.create(Company(email="firm", staff=3))
    result = parties.dispatch(Greet(party=firm), user=ada)
    (greeting,) = result.created(Greeting)
    assert (greeting.by, type(greeting.by), greeting.to, type(greeting.to)) == (ada, Person, firm, Company)
    assert type(parties.dispatch(Greet, {"party": ada.id}, user=firm).created(Greeting)[0].by) is Company


def test_kinds_of_a_relation_have_its_ends(parties: iq.Controller) -> None:
    storage = parties.system.storage
    ada, firm = storage.create(Person(email="ada")), storage.create(Company(email="firm", staff=3))
    storage.create(Tie(one=ada, other=firm, note="knows"))
    contract = storage.create(Contract(one=ada, other=firm, price=7))
    storage.create(Contract(one=firm, other=ada, price=2))

    def found() -> list[tuple[int, int, int]]:
        assert parties.verify() == []
        return [(each.tie_count, each.worth, each.dear) for each in storage.query(Party)]

    assert found() == [(2, 7, 1), (1, 2, 0)]
    storage.update(contract, price=4)
    assert found() == [(2, 4, 0), (1, 2, 0)]
    assert [type(each) for each in storage.get(Party, ada.id).ties] == [Tie, Contract]
    storage.update(contract, one=firm)
    assert found() == [(1, 0, 0), (2, 6, 0)]
    totals = storage.get(Count)
    assert (totals.parties, totals.people, totals.staff, totals.contracts, totals.ties) == (2, 1, 3, 6, 3)
    storage.delete(ada)
    assert found() == [(1, 4, 0)]
    assert storage.query(Tie).all() == [contract]
    totals = storage.get(Count)
    assert (totals.parties, totals.people, totals.staff, totals.contracts, totals.ties) == (1, 0, 3, 4, 1)


def test_kinds_are_known_by_what_is_common_to_them(parties: iq.Controller) -> None:
    storage = parties.system.storage
    parties.dispatch(Join(email="ada", name="Ada"))
    parties.dispatch(Join(email="ada", name="Ada L."))
    assert [(each.email, each.name) for each in storage.query(Person)] == [("ada", "Ada L.")]
    with pytest.raises(
        iq.IdentityConflictError, match="there is a Person with email 'ada' already, and it is no Company"
    ):
        parties.dispatch(Join(email="ada", name="x", company=True))
    assert parties.verify() == []


# -- records of one kind or another that follow from a record ------------------------------------------


@iq.entity
class Draft:
    id: int = iq.key()
    text: str
    number: int = 0


@iq.entity
class Shape:
    id: int = iq.key()
    text: str
    made = iq.Transform(Draft, lambda draft: shapes(draft))


@iq.entity
class Square(Shape):
    side: int


@iq.entity
class Circle(Shape):
    radius: int


def shapes(draft: Draft) -> list[Shape]:
    if draft.number > 10:
        return [Circle(text=draft.text, radius=draft.number), Square(text="extra", side=1)]
    if draft.number > 0:
        return [Square(text=draft.text, side=draft.number)]
    return [Shape(text=draft.text)]


def test_what_follows_from_a_record_is_of_the_kind_that_the_record_says(make_app: Apps) -> None:
    app = make_app(Draft, Shape, Square, Circle)
    storage = app.system.storage

    def found() -> list[tuple[str, str, int]]:
        assert app.verify() == []
        return [
            (type(each).__name__, each.text, getattr(each, "side", 0) or getattr(each, "radius", 0))
            for each in storage.query(Shape)
        ]

    draft = storage.create(Draft(text="a"))
    assert found() == [("Shape", "a", 0)]
    storage.update(draft, number=3)
    assert found() == [("Square", "a", 3)]
    (square,) = storage.query(Square).all()
    storage.update(draft, number=4, text="b")
    assert (found(), storage.query(Square).all()) == ([("Square", "b", 4)], [square])
    storage.update(draft, number=20)
    assert sorted(found()) == [("Circle", "b", 20), ("Square", "extra", 1)]
    storage.update(draft, number=2)
    assert found() == [("Square", "b", 2)]
    app.rebuild(Shape)
    assert found() == [("Square", "b", 2)]
    storage.delete(draft)
    assert found() == []


def test_what_the_kinds_are_in_the_database_can_be_read(app: iq.Controller) -> None:
    found = {each.name: each for each in app.system.storage.schema.records}
    assert {found[name].table for name in ("Content", "Article", "Essay", "Photo", "LiveContent")} == {"content"}
    assert [found[name].part_of for name in ("Content", "Article", "Essay", "LiveContent")] == [
        None, "Content", "Article", "Content",
    ]  # fmt: skip
    (table,) = [each for each in app.system.storage.schema.tables if each.name == "content"]
    assert {"is_a", "title", "body", "url", "depth"} <= {each.name for each in table.columns}
    assert {each.name for each in table.columns if each.nullable} >= {"body", "url", "depth"}


def test_values_that_only_one_kind_must_not_have_twice(make_app: Apps, database: Database) -> None:
    @iq.entity
    class Book:
        id: int = iq.key()
        title: str

    @iq.entity(unique=[("title",)], constraints=[iq.Check(lambda book: book.title != "", name="named", code="NAMED")])
    class Novel(Book):
        pages: int = iq.field(default=1, unique=False)

    if database.dialect.partial_unique is None:
        with pytest.raises(iq.SetupError, match="has no unique index over some of a table's rows"):
            make_app(Book, Novel)
        return
    storage = make_app(Book, Novel).system.storage
    for made in (Book(title="a"), Book(title="a"), Book(title=""), Novel(title="a")):
        storage.create(made)
    with pytest.raises(iq.ConstraintViolationError) as refused:
        storage.create(Novel(title="a"))
    assert (refused.value.kind, refused.value.properties) == ("unique", ("title",))
    with pytest.raises(iq.ConstraintViolationError) as refused:
        storage.create(Novel(title=""))
    assert refused.value.violation_code == "NAMED"
    assert storage.query(Book).count() == 4


def test_a_row_of_a_kind_that_nobody_knows_is_an_error(make_app: Apps) -> None:
    make_app(*PARTIES, user=Party).system.storage.create(Company(email="firm"))
    known = [each for each in PARTIES if each not in (Company, Count)]
    storage = make_app(*known, user=Party).system.storage
    assert storage.query(Person).all() == []
    with pytest.raises(iq.StorageError, match="is a 'Company', and no model is one"):
        storage.query(Party).all()


# -- values that change with the clock ----------------------------------------------------------------


@iq.entity
class Board:
    id: int = iq.key()
    entries: Many[Entry] = iq.many(inverse="board")
    tasks: Many[Task] = iq.many(inverse="board")

    late: int = iq.Count(tasks, where=lambda task: task.late)


@iq.entity
class Entry:
    id: int = iq.key()
    board: Board


@iq.entity
class Task(Entry):
    due: dt.datetime
    late: bool = iq.RealTime(lambda task, now: now > task.due)


@iq.entity
class Remark(Entry):
    text: str = ""


def test_a_value_of_one_kind_may_change_with_the_clock(make_app: Apps) -> None:
    clock = Clock()
    app = make_app(Board, Entry, Task, Remark, clock=clock)
    storage = app.system.storage
    board = storage.create(Board())
    storage.create(Remark(board=board))
    task = storage.create(Task(board=board, due=clock.now + HOUR))
    assert (storage.get(Task, task.id).late, storage.query(Task).where(lambda task: task.late).count()) == (False, 0)
    clock.move(2 * HOUR)
    assert storage.get(Task, task.id).late
    assert [each.late for each in storage.query(Entry) if isinstance(each, Task)] == [True]
    assert storage.query(Task).where(lambda task: task.late).all() == [task]
    app.tick()
    assert storage.get(Board, board.id).late == 1
    assert app.verify() == []
