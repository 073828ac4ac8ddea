"""Dictionaries: global values are right after any write, readable in any callback, and cost what they must."""

from __future__ import annotations

import datetime as dt
import enum
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

import pytest

import interaqt as iq
from interaqt import Event, Many
from tests.runtime.conftest import Apps

RELIES = pytest.mark.filterwarnings("ignore::interaqt.GlobalDependenceWarning")


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


# -- computations over whole classes ---------------------------------------------------------------


@iq.interaction
class Write:
    title: str
    price: Decimal
    tag: str


@iq.interaction
class Rate:
    book: Book
    stars: int


@iq.interaction
class Hide:
    book: Book


@iq.interaction
class Reprice:
    book: Book
    price: Decimal


@iq.interaction
class Burn:
    book: Book


@iq.interaction
class Rename:
    shelf: Shelf
    name: str


@iq.entity
class Shelf:
    id: int = iq.key()
    name: str = iq.field(changes=iq.on(Rename, set=lambda e: e.payload.name))
    books: Many[Book] = iq.many(inverse="shelf")


@iq.entity
class Book:
    id: int = iq.key()
    title: str
    price: Decimal = iq.field(changes=iq.on(Reprice, set=lambda e: e.payload.price))
    tag: str = "x"
    shelf: Shelf | None = None
    state: Literal["live", "hidden"] = iq.StateMachine("live", iq.on(Hide, {"live": "hidden"}))
    ratings: Many[Rating] = iq.many(inverse="book")
    star_sum: int = iq.Summation(ratings, of=lambda rating: rating.stars)
    best: int | None = iq.Maximum(ratings, of=lambda rating: rating.stars)

    written = iq.Transform(Write, lambda e: Book(title=e.payload.title, price=e.payload.price, tag=e.payload.tag))

    @iq.deleted_by(Burn)
    def burned(self, e: Event[Burn]) -> bool:
        return self == e.payload.book


@iq.relation
class Lent:
    book: Book
    shelf: Shelf
    days: int = 1


@iq.entity
class Rating:
    id: int = iq.key()
    book: Book = iq.one(on_delete="cascade")
    stars: int

    rated = iq.Transform(Rate, lambda e: Rating(book=e.payload.book, stars=e.payload.stars))


@iq.dictionary
class Totals:
    books: int = iq.Count(Book)
    live: int = iq.Count(Book, where=lambda book: book.state == "live")
    worth: Decimal = iq.Summation(Book, of=lambda book: book.price)
    stars: int = iq.Summation(Book, of=lambda book: book.star_sum)
    weighted: int = iq.WeightedSummation(Rating, of=lambda rating: rating.stars, weight=lambda rating: rating.stars)
    mean: float | None = iq.Average(Rating, of=lambda rating: rating.stars)
    all_live: bool = iq.Every(Book, where=lambda book: book.state == "live")
    any_hidden: bool = iq.Any(Book, where=lambda book: book.state == "hidden")
    dearest: Decimal | None = iq.Maximum(Book, of=lambda book: book.price)
    cheapest: Decimal = iq.Minimum(
        Book, of=lambda book: book.price, where=lambda book: book.state == "live", default=Decimal(0)
    )
    most: int | None = iq.Maximum(Book, of=lambda book: book.star_sum)
    first: str | None = iq.First(Book, of=lambda book: book.title, by=lambda book: book.price)
    last: str = iq.Last(Book, of=lambda book: book.title, by=lambda book: book.price, default="none")
    tags: int = iq.Distinct(Book, of=lambda book: book.tag)
    shelf_names: int = iq.Distinct(Book, of=lambda book: book.shelf.name if book.shelf is not None else None)
    on_top: int = iq.Count(Book, where=lambda book: book.shelf is not None and book.shelf.name == "top")
    lent: int = iq.Count(Lent)
    lent_live: int = iq.Summation(Lent, of=lambda lent: lent.days, where=lambda lent: lent.book.state == "live")
    events: int = iq.Count(iq.InteractionEvent)

    @iq.computed
    def hidden(self) -> int:
        return self.books - self.live


LIBRARY = (Shelf, Book, Lent, Rating, Totals, Write, Rate, Hide, Reprice, Burn, Rename)


@pytest.fixture
def library(make_app: Apps) -> Iterator[iq.Controller]:
    app = make_app(*LIBRARY)
    yield app
    assert app.verify() == []


def totals(app: iq.Controller) -> Totals:
    return app.system.storage.get(Totals)


def test_nothing_at_first(library: iq.Controller) -> None:
    found = totals(library)
    assert (found.books, found.worth, found.mean, found.all_live, found.any_hidden) == (0, 0, None, True, False)
    assert (found.dearest, found.cheapest, found.first, found.last, found.tags, found.hidden) == (
        None, 0, None, "none", 0, 0,
    )  # fmt: skip
    assert type(found.worth) is Decimal
    assert type(found.all_live) is bool


def test_a_history_of_every_kind_of_write(library: iq.Controller) -> None:
    storage = library.system.storage

    def right() -> Totals:
        assert library.verify() == []
        return totals(library)

    a = library.dispatch(Write(title="a", price=Decimal("4.50"), tag="x")).created(Book)[0]
    b = library.dispatch(Write(title="b", price=Decimal("7.25"), tag="y")).created(Book)[0]
    found = right()
    assert (found.books, found.worth, found.dearest, found.cheapest) == (
        2, Decimal("11.75"), Decimal("7.25"), Decimal("4.50"),
    )  # fmt: skip
    assert (found.first, found.last, found.tags, found.events) == ("a", "b", 2, 2)

    library.dispatch(Rate(book=a, stars=3))
    library.dispatch(Rate(book=b, stars=4))
    library.dispatch(Rate(book=b, stars=4))
    found = right()
    assert (found.stars, found.weighted, found.most, found.mean) == (11, 41, 8, pytest.approx(11 / 3))

    library.dispatch(Hide(book=a))
    found = right()
    assert (found.live, found.hidden, found.all_live, found.any_hidden) == (1, 1, False, True)
    assert found.cheapest == Decimal("7.25")

    library.dispatch(Reprice(book=b, price=Decimal("1.00")))
    found = right()
    assert (found.dearest, found.first, found.last, found.cheapest) == (Decimal("4.50"), "b", "a", 1)

    shelf, other = storage.create(Shelf(name="top")), storage.create(Shelf(name="low"))
    storage.update(a, shelf=shelf)
    storage.update(b, shelf=other)
    assert (right().on_top, totals(library).shelf_names) == (1, 2)
    library.dispatch(Rename(shelf=other, name="top"))
    assert (right().on_top, totals(library).shelf_names) == (2, 1)

    storage.create(Lent(book=a, shelf=shelf, days=3))
    link = storage.create(Lent(book=b, shelf=shelf, days=4))
    assert (right().lent, totals(library).lent_live) == (2, 4)
    storage.delete(link)
    assert (right().lent, totals(library).lent_live) == (1, 0)

    storage.create(Lent(book=b, shelf=shelf, days=4))
    library.dispatch(Burn(book=b))
    found = right()
    assert (found.books, found.stars, found.most, found.dearest, found.tags, found.lent) == (
        1, 3, 3, Decimal("4.50"), 1, 1,
    )  # fmt: skip
    storage.delete(a)
    found = right()
    assert (found.books, found.mean, found.all_live, found.last, found.worth) == (0, None, True, "none", 0)
    assert found.events == 9


def test_a_batch_moves_each_value_once(library: iq.Controller) -> None:
    with library.system.database.recording() as recorder:
        library.dispatch_many([Write(title=str(n), price=Decimal(n), tag=str(n % 3)) for n in range(20)])
    moved = [sql for sql, _ in recorder.statements if sql.startswith(("UPDATE", "WITH")) and "totals" in sql]
    found = totals(library)
    assert (found.books, found.worth, found.dearest, found.tags, found.events) == (20, 190, 19, 3, 20)
    # The sums over books, those over events, and five that are looked up or counted apart.
    assert len(moved) <= 9


def test_what_is_there_already_is_counted_when_a_dictionary_is_new(make_app: Apps) -> None:
    before = make_app(Shelf, Book, Rating, Lent, Write, Rate, Hide, Reprice, Burn, Rename)
    books = [before.dispatch(Write(title=str(n), price=Decimal(n), tag=str(n % 2))).created(Book)[0] for n in range(5)]
    before.dispatch(Rate(book=books[1], stars=5))
    before.dispatch(Hide(book=books[0]))
    app = iq.Controller(iq.MonoSystem(before.system.database), LIBRARY)
    with pytest.raises(iq.NotInstalled):
        app.setup()
    app.setup(install=True)
    assert app.verify() == []
    found = totals(app)
    assert (found.books, found.live, found.worth, found.stars, found.dearest, found.last, found.tags, found.events) == (
        5, 4, 10, 5, 4, "4", 2, 7,
    )  # fmt: skip
    # Once it is there, it is left as it is.
    app.setup(install=True)
    app.setup()
    assert totals(app).books == 5


def test_a_dictionary_whose_row_is_missing_is_not_installed(library: iq.Controller) -> None:
    database = library.system.database
    table = database.dialect.quote("totals")
    database.run_ddl([f"DELETE FROM {table}"])
    app = iq.Controller(iq.MonoSystem(database), LIBRARY)
    with pytest.raises(iq.NotInstalled, match="the database has no values of Totals"):
        app.setup()
    app.setup(install=True)
    assert app.verify() == []


def test_the_database_takes_no_second_row(library: iq.Controller) -> None:
    database = library.system.database
    (table,) = [each for each in library.system.storage.schema.tables if each.record == "Totals"]
    names = ", ".join(database.dialect.quote(each.name) for each in table.columns if not each.key)
    key, name = database.dialect.quote("id"), database.dialect.quote("totals")
    with pytest.raises(Exception, match=r"(?i)check|constraint"):
        database.run_ddl([f"INSERT INTO {name} ({key}, {names}) SELECT 2, {names} FROM {name}"])


def test_rebuild_and_verify(library: iq.Controller) -> None:
    library.dispatch(Write(title="a", price=Decimal(4), tag="x"))
    database = library.system.database
    database.run_ddl([f"UPDATE {database.dialect.quote('totals')} SET books = 7, dearest = NULL"])
    assert {each.attribute for each in library.verify()} == {"Totals.books", "Totals.dearest"}
    assert library.rebuild(Totals, "books") == 1
    assert library.rebuild(Totals) == 19
    assert totals(library).books == 1


def test_explain_says_what_a_global_value_is_made_of(library: iq.Controller) -> None:
    book = library.dispatch(Write(title="a", price=Decimal(4), tag="x")).created(Book)[0]
    library.dispatch(Rate(book=book, stars=3))
    found = library.explain(Totals, "stars")
    assert (found.attribute, found.value, found.depends_on) == ("Totals.stars", 3, ("Book.star_sum", "all Book"))
    assert [(each.record, each.adds) for each in found.rows] == [(book, (3,))]
    assert library.explain(totals(library), "books").value == 1


def test_sweeps_are_followed(make_app: Apps) -> None:
    app = make_app(Note, Notes)
    storage = app.system.storage
    for number in range(5):
        storage.create(Note(number=number))
    assert (storage.get(Notes).count, storage.get(Notes).total) == (5, 10)
    app.sweep()
    assert (storage.get(Notes).count, storage.get(Notes).total, storage.get(Notes).least) == (2, 7, 3)
    assert app.verify() == []


@iq.entity(retention=iq.Retention(keep=2))
class Note:
    id: int = iq.key()
    number: int


@iq.dictionary
class Notes:
    count: int = iq.Count(Note)
    total: int = iq.Summation(Note, of=lambda note: note.number)
    least: int | None = iq.Minimum(Note, of=lambda note: note.number)


# -- fields, read in callbacks ---------------------------------------------------------------------


@iq.interaction
class SetLimit:
    limit: int


@iq.interaction
class Raise:
    by: int


@iq.interaction
class Close:
    pass


@iq.interaction
class Open:
    pass


@iq.interaction
class Feature:
    post: Post | None


@iq.interaction
class Configure:
    ratio: Decimal
    level: Level
    flag: bool
    at: dt.datetime
    tags: list[str]


@iq.condition
def is_open(e: Event[Publish]) -> bool:
    return Settings.mode == "open" and Site.posts < Settings.limit


@iq.interaction(guard=is_open)
class Publish:
    title: str


@iq.interaction
class Praise:
    post: Post
    weight: int


@iq.interaction
class Prune:
    pass


def summary(e: Event[Publish], storage: iq.Storage) -> tuple[int, int]:
    return Site.posts, storage.get(Site).posts


@iq.interaction(resolve=summary)
class Import:
    title: str


@iq.entity
class Post:
    id: int = iq.key()
    title: str
    number: int = 0
    likes: Many[Likes] = iq.many(inverse="post")
    like_count: int = iq.Count(likes)
    strong: int = iq.Count(likes, where=lambda like: like.weight > Settings.limit)
    popular: bool = iq.Any(likes, where=lambda like: like.weight > Settings.limit)

    @iq.computed
    def share(self) -> float:
        return self.like_count / Site.likes if Site.likes else 0.0

    @iq.computed
    def is_featured(self) -> bool:
        return Settings.featured == self

    published = iq.Transform(Publish, lambda e: Post(title=e.payload.title, number=Site.posts + 1))
    imported = iq.Transform(Import, lambda e: [Post(title=e.payload.title), Post(title=e.payload.title)])

    @iq.deleted_by(Prune)
    def pruned(self, e: Event[Prune]) -> bool:
        return self.like_count < Settings.limit


@iq.entity
class Likes:
    id: int = iq.key()
    post: Post = iq.one(on_delete="cascade")
    weight: int
    liked = iq.Transform(Praise, lambda e: Likes(post=e.payload.post, weight=e.payload.weight))


@iq.entity
class Alert:
    id: int = iq.key()
    title: str
    made = iq.Transform(Post, lambda post: Alert(title=post.title) if post.like_count >= Settings.limit else None)


@iq.dictionary
class Settings:
    limit: int = iq.field(
        default=10,
        changes=[
            iq.on(SetLimit, set=lambda e: e.payload.limit),
            iq.on(Raise, set=lambda e: Settings.limit + e.payload.by),
        ],
    )
    mode: Literal["open", "closed"] = iq.StateMachine(
        "open", iq.on(Close, {"open": "closed"}), iq.on(Open, {"closed": "open"})
    )
    featured: Post | None = iq.one(
        default=None, on_delete="set_null", changes=iq.on(Feature, set=lambda e: e.payload.post)
    )
    ratio: Decimal = iq.field(default=Decimal("0.10"), changes=iq.on(Configure, set=lambda e: e.payload.ratio))
    level: Level = iq.field(default=Level.LOW, changes=iq.on(Configure, set=lambda e: e.payload.level))
    flag: bool = iq.field(default=False, changes=iq.on(Configure, set=lambda e: e.payload.flag))
    at: dt.datetime | None = iq.field(default=None, changes=iq.on(Configure, set=lambda e: e.payload.at))
    tags: list[str] = iq.field(factory=list, changes=iq.on(Configure, set=lambda e: e.payload.tags))
    note: str = "none"


@iq.dictionary
class Site:
    posts: int = iq.Count(Post)
    likes: int = iq.Summation(Post, of=lambda post: post.like_count)
    above: int = iq.Count(Post, where=lambda post: post.like_count >= Settings.limit)
    loud: int = iq.Count(Post, where=lambda post: post.popular)
    alerts: int = iq.Count(Alert)
    featured_length: int = iq.Count(
        Post, where=lambda post: Settings.featured is not None and Settings.featured.title == post.title
    )

    @iq.computed
    def mean(self) -> float:
        return self.likes / self.posts if self.posts else 0.0


SITE: tuple[Any, ...] = (
    Post, Likes, Alert, Settings, Site,
    SetLimit, Raise, Close, Open, Feature, Configure, Publish, Praise, Prune, Import,
)  # fmt: skip


@pytest.fixture
def site(make_app: Apps) -> Iterator[iq.Controller]:
    with pytest.warns(iq.GlobalDependenceWarning):
        app = make_app(*SITE)
    yield app
    assert app.verify() == []


def publish(app: iq.Controller, title: str = "a") -> Post:
    found: Post = app.dispatch(Publish(title=title)).created(Post)[0]
    return found


def test_values_come_back_as_they_were_given(site: iq.Controller) -> None:
    storage = site.system.storage
    found = storage.get(Settings)
    assert (found.ratio, found.level, found.flag, found.at, found.tags, found.note, found.featured) == (
        Decimal("0.10"), Level.LOW, False, None, [], "none", None,
    )  # fmt: skip
    at = dt.datetime(2026, 5, 4, 3, 2, 1, 5, tzinfo=dt.UTC)
    site.dispatch(Configure(ratio=Decimal("3.123456789012345678"), level=Level.HIGH, flag=True, at=at, tags=["a", "b"]))
    found = storage.get(Settings)
    assert (found.ratio, found.level, found.flag, found.at, found.tags) == (
        Decimal("3.123456789012345678"), Level.HIGH, True, at, ["a", "b"],
    )  # fmt: skip


def test_a_condition_and_a_maker_read_global_values(site: iq.Controller) -> None:
    site.dispatch(SetLimit(limit=2))
    assert (publish(site).number, publish(site).number) == (1, 2)
    with pytest.raises(iq.ConditionRejected):
        publish(site)
    site.dispatch(SetLimit(limit=3))
    site.dispatch(Close())
    with pytest.raises(iq.ConditionRejected):
        publish(site)
    site.dispatch(Close())
    site.dispatch(Open())
    assert publish(site).number == 3


def test_a_new_value_may_follow_from_the_present_one(site: iq.Controller) -> None:
    site.dispatch(Raise(by=5))
    site.dispatch(Raise(by=-7))
    assert site.system.storage.get(Settings).limit == 8


def test_what_follows_the_facts_reads_the_value_after_them(site: iq.Controller) -> None:
    publish(site)
    assert site.dispatch(Import(title="b")).data == (3, 3)


def test_derived_values_follow_a_global_one(site: iq.Controller) -> None:
    storage = site.system.storage
    posts = [publish(site, str(number)) for number in range(4)]
    for number, post in enumerate(posts):
        for weight in range(number + 1):
            site.dispatch(Praise(post=post, weight=weight * 5))

    def popular() -> list[tuple[int, bool]]:
        assert site.verify() == []
        return [(post.strong, post.popular) for post in storage.query(Post)]

    assert popular() == [(0, False), (0, False), (0, False), (1, True)]
    site.dispatch(SetLimit(limit=3))
    assert popular() == [(0, False), (1, True), (2, True), (3, True)]
    found = storage.get(Site)
    assert (found.posts, found.likes, found.above, found.loud, found.alerts) == (4, 10, 2, 3, 2)
    assert sorted(alert.title for alert in storage.query(Alert)) == ["2", "3"]
    site.dispatch(SetLimit(limit=-1))
    assert popular() == [(1, True), (2, True), (3, True), (4, True)]
    assert (storage.get(Site).above, storage.get(Site).alerts) == (4, 4)
    storage.update(storage.get(Settings), limit=100)
    assert popular() == [(0, False)] * 4
    assert (storage.get(Site).above, storage.get(Site).alerts) == (0, 0)


def test_a_property_reads_global_values_wherever_its_record_came_from(site: iq.Controller) -> None:
    storage = site.system.storage
    one, other = publish(site), publish(site)
    site.dispatch(Praise(post=one, weight=1))
    site.dispatch(Praise(post=one, weight=1))
    site.dispatch(Praise(post=other, weight=1))
    found = storage.query(Post).order_by(lambda post: post.share).all()
    assert [round(post.share, 3) for post in found] == [0.333, 0.667]
    with site.system.database.recording() as recorder:
        records = storage.query(Post).all()
        assert sum(post.share for post in records) == 1
        assert storage.get(Site).mean == 1.5
    # Posts, the dictionary for all of them, and the dictionary itself.
    assert len([sql for sql, _ in recorder.statements if sql.startswith("SELECT")]) == 3
    assert storage.query(Post).where(lambda post: post.share > 0.5).one() == one
    assert storage.query(Post).where(lambda post: post.like_count < Site.mean).one() == other


def test_a_dictionary_refers_to_a_record(site: iq.Controller) -> None:
    storage = site.system.storage
    one, other = publish(site, "a"), publish(site, "a")
    assert storage.get(Site).featured_length == 0
    site.dispatch(Feature(post=one))
    assert storage.get(Settings).featured == one
    assert [post.is_featured for post in storage.query(Post)] == [True, False]
    assert storage.query(Post).where(lambda post: post.is_featured).one() == one
    assert storage.get(Site).featured_length == 2
    storage.update(other, title="b")
    assert storage.get(Site).featured_length == 1
    storage.update(one, title="b")
    assert storage.get(Site).featured_length == 2
    storage.delete(one)
    assert storage.get(Settings).featured is None
    assert storage.get(Site).featured_length == 0


def test_an_ending_reads_global_values(site: iq.Controller) -> None:
    post = publish(site)
    publish(site)
    for _ in range(3):
        site.dispatch(Praise(post=post, weight=1))
    site.dispatch(SetLimit(limit=2))
    site.dispatch(Prune())
    assert site.system.storage.query(Post).all() == [post]
    assert site.system.storage.get(Site).posts == 1


def test_a_batch_whose_callbacks_read_what_it_changes_is_done_one_by_one(site: iq.Controller) -> None:
    storage = site.system.storage
    site.dispatch_many([Publish(title=str(number)) for number in range(6)])
    assert [post.number for post in storage.query(Post)] == [1, 2, 3, 4, 5, 6]
    site.dispatch(SetLimit(limit=7))
    with pytest.raises(iq.ConditionRejected):
        site.dispatch_many([Publish(title=str(number)) for number in range(2)])
    assert storage.get(Site).posts == 6


def test_side_effects_and_effects_tell_of_global_values(make_app: Apps) -> None:
    told: list[tuple[int, int | None]] = []

    @iq.side_effect(Totals, on="update")
    def tell(change: iq.RecordChange[Totals]) -> None:
        told.append((change.record.books, change.old and change.old.books))

    app = make_app(*LIBRARY, tell)
    result = app.dispatch(Write(title="a", price=Decimal(1), tag="x"))
    names = set().union(*(each.names for each in result.effects if each.record is Totals))
    assert {"books", "live", "worth", "dearest", "events"} <= names
    assert [each.kind for each in result.effects if each.record is Book] == ["create"]
    assert (1, 0) in told
    assert result.post_commit == "complete"


# -- what is refused when it is done ---------------------------------------------------------------


def test_a_value_is_read_in_a_callback_or_from_a_storage(site: iq.Controller) -> None:
    with pytest.raises(iq.InvalidValue) as found:
        print(Settings.limit)
    assert str(found.value) == (
        "[dictionary.reading]\n"
        "  Settings.limit\n"
        "  Settings.limit has a value in a callback of a model; elsewhere it is not known which database is meant\n"
        "  read it from a storage: system.storage.get(Settings).limit"
    )


def test_nobody_makes_sets_or_deletes_a_dictionary(site: iq.Controller) -> None:
    storage = site.system.storage
    with pytest.raises(iq.InvalidValue, match=r"dictionary\.making"):
        Settings(limit=3)
    with pytest.raises(iq.InvalidValue, match=r"dictionary\.immutable"):
        Settings.limit = 3
    with pytest.raises(iq.InvalidValue, match=r"dictionary\.deleting"):
        storage.delete(storage.get(Settings))
    with pytest.raises(iq.InvalidValue, match=r"record\.derived"):
        storage.update(storage.get(Site), posts=3)
    with pytest.raises(iq.InvalidQuery, match=r"query\.key"):
        storage.get(Post)
    with pytest.raises(iq.InvalidQuery, match=r"query\.key"):
        storage.get(Settings, 2)


def test_a_dictionary_of_another_model_is_not_read(make_app: Apps) -> None:
    app = make_app(*LIBRARY)
    with pytest.raises(iq.TraceError, match="Settings is not among the controller's models"):
        app.system.storage.query(Book).where(lambda book: book.star_sum > Settings.limit).all()


# -- warnings --------------------------------------------------------------------------------------


def test_setup_warns_of_what_depends_on_a_global_value_that_changes(make_app: Apps) -> None:
    with pytest.warns(iq.GlobalDependenceWarning) as found:
        make_app(*SITE)
    assert sorted(str(each.message) for each in found) == [
        "Alert.made depends on Settings.limit, so each change of that goes through every Post (0 now)",
        "Post.popular depends on Settings.limit, so each change of that goes through every Likes (0 now)",
        "Post.strong depends on Settings.limit, so each change of that goes through every Likes (0 now)",
        "Site.above depends on Settings.limit, so each change of that goes through every Post (0 now)",
        "Site.featured_length depends on Settings.featured, so each change of that goes through every Post (0 now)",
    ]


# -- what it costs ---------------------------------------------------------------------------------


def sent(app: iq.Controller, request: Any) -> list[str]:
    """The statements of a dispatch after its event, by verb and table."""
    with app.system.database.recording() as recorder:
        app.dispatch(request)
    found = []
    for sql, _ in recorder.statements:
        words = sql.replace('"', " ").replace("`", " ").split()
        after = {"SELECT": "FROM", "INSERT": "INTO", "UPDATE": "UPDATE", "DELETE": "FROM"}.get(words[0])
        found.append(words[0] if after is None else f"{words[0]} {words[words.index(after) + 1]}")
    return [each for each in found if each.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")]


@iq.interaction
class Add:
    n: int


@iq.interaction
class Drop:
    thing: Thing


@iq.interaction
class SetNote:
    note: str


@iq.interaction
class Touch:
    thing: Thing
    n: int


@iq.entity
class Thing:
    id: int = iq.key()
    n: int = iq.field(changes=iq.on(Touch, set=lambda e: e.payload.n))
    added = iq.Transform(Add, lambda e: Thing(n=e.payload.n))

    @iq.deleted_by(Drop)
    def dropped(self, e: Event[Drop]) -> bool:
        return self == e.payload.thing


@iq.dictionary
class Counters:
    things: int = iq.Count(Thing)
    positive: int = iq.Count(Thing, where=lambda thing: thing.n > 0)
    total: int = iq.Summation(Thing, of=lambda thing: thing.n)


@iq.dictionary
class Extremes:
    most: int | None = iq.Maximum(Thing, of=lambda thing: thing.n)


@iq.dictionary
class Notice:
    note: str = iq.field(default="", changes=iq.on(SetNote, set=lambda e: e.payload.note))


def test_three_global_counters_over_one_write_are_one_update(in_memory: Apps) -> None:
    plain, counted = in_memory(Thing, Add, Drop, Touch), in_memory(Thing, Counters, Add, Drop, Touch)
    assert sent(plain, Add(n=1)) == ["INSERT interaction_event", "INSERT thing"]
    assert sent(counted, Add(n=1)) == ["INSERT interaction_event", "INSERT thing", "UPDATE counters"]
    thing = counted.system.storage.query(Thing).one()
    assert sent(counted, Touch(thing=thing, n=2)) == [
        "INSERT interaction_event", "SELECT thing", "UPDATE thing", "UPDATE counters",
    ]  # fmt: skip
    assert sent(counted, Drop(thing=thing)) == ["INSERT interaction_event", "DELETE thing", "UPDATE counters"]


@pytest.mark.postgresql
def test_a_global_counter_costs_no_round_trip(postgresql_db: Any) -> None:
    app = iq.Controller(iq.MonoSystem(postgresql_db), [Thing, Counters, Add, Drop, Touch])
    app.setup(install=True)
    app.dispatch(Add(n=1))
    with postgresql_db.recording() as recorder:
        app.dispatch(Add(n=1))
    assert recorder.round_trips == 1


def test_the_next_extreme_is_one_look_up_in_an_index(make_app: Apps) -> None:
    app = make_app(Thing, Extremes, Add, Drop, Touch)
    things = [app.dispatch(Add(n=number)).created(Thing)[0] for number in range(5)]
    assert sent(app, Add(n=2))[2:] == ["UPDATE extremes"]
    with app.system.database.recording() as recorder:
        app.dispatch(Drop(thing=things[4]))
    dropped = [sql.split()[0] for sql, _ in recorder.statements if "extremes" in sql]
    assert dropped == ["SELECT", "UPDATE"]
    assert app.system.storage.get(Extremes).most == 3
    update = next(step.sql for step in app.explain(Drop).steps if "is looked up" in step.why)
    database = app.system.database
    if database.dialect.name == "SQLite":
        with database.reading() as reading:
            plan = [row[3] for row in reading.execute(f"EXPLAIN QUERY PLAN {update}", ("[[1]]",)).fetchall()]
        assert any("USING INDEX thing_n_idx" in step or "COVERING INDEX thing_n_idx" in step for step in plan), plan
    assert app.verify() == []


def test_a_value_that_nothing_reads_runs_nothing(in_memory: Apps) -> None:
    app = in_memory(Thing, Counters, Notice, Add, Drop, Touch, SetNote)
    assert sent(app, SetNote(note="a")) == ["INSERT interaction_event", "UPDATE notice"]


@RELIES
def test_a_change_that_many_values_read_is_one_update_for_each_group(in_memory: Apps) -> None:
    app = in_memory(*SITE)
    posts = [publish(app, str(number)) for number in range(3)]
    for post in posts:
        app.dispatch(Praise(post=post, weight=5))
    found = sent(app, SetLimit(limit=3))
    assert [each for each in found if each.startswith("UPDATE")] == ["UPDATE settings", "UPDATE post", "UPDATE site"]
    assert app.verify() == []


@RELIES
def test_a_setting_is_read_in_a_delta_by_the_same_statement(in_memory: Apps) -> None:
    app = in_memory(Room, Guest, Rule, Arrive, SetAge)
    room = app.system.storage.create(Room())
    assert sent(app, Arrive(room=room, age=20)) == ["INSERT interaction_event", "INSERT guest", "UPDATE room"]
    assert app.system.storage.get(Room, room.id).adults == 1
    assert sent(app, SetAge(age=21)) == [
        "INSERT interaction_event", "SELECT rule", "UPDATE rule", "SELECT guest", "UPDATE room",
    ]  # fmt: skip
    assert app.system.storage.get(Room, room.id).adults == 0


@iq.interaction
class Arrive:
    room: Room
    age: int


@iq.interaction
class SetAge:
    age: int


@iq.entity
class Room:
    id: int = iq.key()
    guests: Many[Guest] = iq.many(inverse="room")
    adults: int = iq.Count(guests, where=lambda guest: guest.age >= Rule.adult)


@iq.entity
class Guest:
    id: int = iq.key()
    room: Room
    age: int
    arrived = iq.Transform(Arrive, lambda e: Guest(room=e.payload.room, age=e.payload.age))


@iq.dictionary
class Rule:
    adult: int = iq.field(default=18, changes=iq.on(SetAge, set=lambda e: e.payload.age))


# -- at once ---------------------------------------------------------------------------------------


def test_a_quota_on_a_global_count_holds_under_concurrency(make_app: Apps) -> None:
    app = make_app(Ticket, Box, Buy)
    refused: list[str] = []

    def buy() -> None:
        for _ in range(4):
            try:
                app.dispatch(Buy())
            except iq.ConditionRejected as error:
                refused.append(error.code)

    threads = [threading.Thread(target=buy) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = app.system.storage.get(Box)
    assert (found.sold, len(refused)) == (10, 6)
    assert sorted(ticket.number for ticket in app.system.storage.query(Ticket)) == list(range(1, 11))
    assert app.verify() == []


@iq.condition
def has_room(e: Event[Buy]) -> bool:
    return Box.sold < Box.room


@iq.interaction(guard=has_room)
class Buy:
    pass


@iq.entity
class Ticket:
    id: int = iq.key()
    number: int
    bought = iq.Transform(Buy, lambda e: Ticket(number=Box.sold + 1))


@iq.dictionary
class Box:
    sold: int = iq.Count(Ticket)
    room: int = 10


# -- global values that read one another, and own values that read them ----------------------------


@iq.interaction
class Vote:
    song: Song
    points: int


@iq.interaction
class SetBar:
    bar: int


@iq.interaction(guard=iq.condition(lambda e: Bar.bar < 100))
class Sing:
    title: str


@iq.entity
class Song:
    id: int = iq.key()
    title: str
    votes: Many[Ballot] = iq.many(inverse="song")
    points: int = iq.Summation(votes, of=lambda vote: vote.points)

    @iq.computed(stored=True)
    def passes(self) -> bool:
        return self.points >= Bar.bar

    @iq.computed(stored=True, index=True)
    def share(self) -> float:
        return self.points / Chart.points if Chart.points else 0.0

    sung = iq.Transform(Sing, lambda e: Song(title=f"{e.payload.title} {Bar.bar}"))


@iq.entity
class Ballot:
    id: int = iq.key()
    song: Song
    points: int
    cast = iq.Transform(Vote, lambda e: Ballot(song=e.payload.song, points=e.payload.points))


@iq.view(Song, where=lambda song: song.points > Bar.bar)
class Hit(Song):
    pass


@iq.dictionary
class Bar:
    bar: int = iq.field(default=3, changes=iq.on(SetBar, set=lambda e: e.payload.bar))
    rises: int = iq.change_count(bar)

    @iq.computed(stored=True)
    def double(self) -> int:
        return Bar.bar + self.bar


@iq.dictionary
class Chart:
    points: int = iq.Summation(Song, of=lambda song: song.points)
    songs: int = iq.Count(Song)
    leading: int = iq.Count(Song, where=lambda song: song.points * 2 > Chart.points)
    passing: int = iq.Count(Song, where=lambda song: song.passes)
    dominant: int = iq.Count(Song, where=lambda song: song.share > 0.5)
    hits: int = iq.Count(Hit)
    best_hit: int | None = iq.Maximum(Hit, of=lambda song: song.points)

    @iq.computed(stored=True)
    def mean(self) -> float:
        return self.points / self.songs if self.songs else 0.0


CHARTS = (Song, Ballot, Hit, Bar, Chart, Vote, SetBar, Sing)


@RELIES
def test_global_values_read_one_another(make_app: Apps) -> None:
    app = make_app(*CHARTS)
    storage = app.system.storage

    def right() -> Chart:
        assert app.verify() == []
        return storage.get(Chart)

    found = right()
    assert (found.points, found.leading, found.passing, found.mean, storage.get(Bar).double) == (0, 0, 0, 0.0, 6)
    a, b, c = (app.dispatch(Sing(title=title)).created(Song)[0] for title in "abc")
    assert [song.title for song in storage.query(Song)] == ["a 3", "b 3", "c 3"]
    for song, points in ((a, 4), (b, 3), (c, 2)):
        app.dispatch(Vote(song=song, points=points))
    found = right()
    assert (found.points, found.leading, found.passing, found.dominant, found.mean) == (9, 0, 2, 0, 3.0)
    assert (found.hits, found.best_hit) == (1, 4)
    app.dispatch(Vote(song=a, points=10))
    found = right()
    assert (found.points, found.leading, found.dominant, found.hits, found.best_hit) == (19, 1, 1, 1, 14)
    assert [round(song.share, 3) for song in storage.query(Song)] == [0.737, 0.158, 0.105]
    app.dispatch(SetBar(bar=2))
    found = right()
    assert (found.passing, found.hits, storage.get(Bar).double, storage.get(Bar).rises) == (3, 2, 4, 1)
    app.dispatch(SetBar(bar=20))
    found = right()
    assert (found.passing, found.hits, found.best_hit) == (0, 0, None)
    storage.delete(storage.query(Ballot).where(lambda vote: vote.points == 10).one())
    assert (right().leading, right().dominant) == (0, 0)


@RELIES
def test_a_dictionary_that_is_new_has_what_follows_from_it(make_app: Apps) -> None:
    app = make_app(*CHARTS)
    song = app.dispatch(Sing(title="a")).created(Song)[0]
    app.dispatch(Vote(song=song, points=7))
    database = app.system.database
    database.run_ddl([f"DELETE FROM {database.dialect.quote('chart')}"])
    assert [str(each) for each in app.verify()] == [
        "Chart of 1 is None, but should be 'a record'",
        "Song.share of 1 is 1.0, but should be None",
    ]
    again = iq.Controller(iq.MonoSystem(database), CHARTS)
    again.setup(install=True)
    assert again.verify() == []
    found = again.system.storage.get(Chart)
    assert (found.points, found.songs, found.leading, found.mean, found.best_hit) == (7, 1, 1, 7.0, 7)


@RELIES
def test_a_batch_that_reads_what_it_does_not_change_is_written_together(in_memory: Apps) -> None:
    app = in_memory(*CHARTS)
    with app.system.database.recording() as recorder:
        app.dispatch_many([Sing(title=str(number)) for number in range(5)])
    assert len([sql for sql, _ in recorder.statements if sql.startswith('INSERT INTO "song"')]) == 1
    assert len([sql for sql, _ in recorder.statements if sql.startswith('SELECT "bar"."bar"')]) == 1
    assert app.system.storage.get(Chart).songs == 5
    assert app.verify() == []
