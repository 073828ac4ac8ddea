"""Custom: plain Python over declared inputs, kept right whatever is written."""

from __future__ import annotations

import datetime as dt
import enum
import statistics
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import attrs
import pytest

import interaqt as iq
from interaqt import Many
from tests.runtime.conftest import Apps
from tests.runtime.test_statements import shape

asked: list[str] = []
"""Which functions were asked, in order."""


def slug_of(title: str, name: str) -> str:
    asked.append("slug")
    return "-".join(f"{name} {title}".lower().split())


def score_of(rows: list[tuple[int, int]]) -> float:
    asked.append("score")
    return round(statistics.fmean(weight * karma for weight, karma in rows), 3)


def badge_of(own: tuple[str, float], notes: list[str | None]) -> str:
    asked.append("badge")
    title, score = own
    return f"{title}: {len(notes)} at {score}, {sorted(note for note in notes if note)}"


@iq.interaction
class Write:
    author: User
    titles: list[str]


@iq.interaction
class Retitle:
    post: Post
    title: str


@iq.interaction
class GiveTo:
    post: Post
    author: User


@iq.interaction
class Praise:
    user: User
    karma: int


@iq.interaction
class LikeMany:
    post: Post
    by: list[User]
    karma: int | None = None


@iq.interaction
class Reweigh:
    like: Like
    weight: int


@iq.interaction
class MoveLike:
    like: Like
    to: Post


@iq.interaction
class Unlike:
    post: Post
    by: User


@iq.entity
class User:
    id: int = iq.key()
    name: str
    karma: int = iq.field(
        default=1, changes=[iq.on(Praise, record=lambda e: e.payload.user, set=lambda e: e.payload.karma)]
    )
    posts: Many[Post] = iq.many(inverse="author")

    best: float | None = iq.Maximum(posts, of=lambda post: post.score)
    slugs: list[str] = iq.Custom(posts, inputs=lambda post: post.slug, compute=sorted)


@iq.entity(unique=[("slug",)])
class Post:
    id: int = iq.key()
    author: User = iq.one(changes=iq.on(GiveTo, record=lambda e: e.payload.post, set=lambda e: e.payload.author))
    title: str = iq.field(changes=iq.on(Retitle, set=lambda e: e.payload.title))
    likes: Many[Like] = iq.many(inverse="post")
    likers: Many[User] = iq.many(through="likes")

    score: float = iq.Custom(likes, inputs=lambda like: (like.weight, like.user.karma), compute=score_of, initial=0.0)
    slug: str = iq.Custom(reads=lambda post: (post.title, post.author.name), compute=slug_of)
    badge: str = iq.Custom(
        likes,
        reads=lambda post: (post.title, post.score),
        inputs=lambda like: like.note,
        where=lambda like: like.weight > 0,
        compute=badge_of,
    )
    names: str = iq.Custom(likers, inputs=lambda user: user.name, compute=", ".join)

    written = iq.Transform(Write, lambda e: [Post(author=e.payload.author, title=title) for title in e.payload.titles])

    @iq.computed(stored=True)
    def shout(self) -> str:
        return self.slug.upper() + ("!" if self.score > 3 else "")


@iq.relation
class Like:
    id: int = iq.key()
    user: User
    post: Post = iq.one(
        on_delete="cascade", changes=iq.on(MoveLike, record=lambda e: e.payload.like, set=lambda e: e.payload.to)
    )
    weight: int = iq.field(default=1, changes=iq.on(Reweigh, set=lambda e: e.payload.weight))
    note: str | None = None

    liked = iq.Transform(LikeMany, lambda e: [Like(user=user, post=e.payload.post) for user in e.payload.by])

    @iq.deleted_by(Unlike)
    def unliked(self, e: iq.Event[Unlike]) -> bool:
        return self.user == e.payload.by and self.post == e.payload.post


MODELS = (User, Post, Like, Write, Retitle, GiveTo, Praise, LikeMany, Reweigh, MoveLike, Unlike)


@pytest.fixture
def board(make_app: Apps) -> Iterator[iq.Controller]:
    app = make_app(*MODELS)
    asked.clear()
    yield app
    assert app.verify() == []


@pytest.fixture
def ada(board: iq.Controller) -> User:
    return board.system.storage.create(User(name="Ada", karma=2))


@pytest.fixture
def bob(board: iq.Controller) -> User:
    return board.system.storage.create(User(name="Bob", karma=3))


@pytest.fixture
def post(board: iq.Controller, ada: User) -> Post:
    post = board.dispatch(Write(author=ada, titles=["On Time"])).created(Post)[0]
    asked.clear()
    return post


def test_a_record_is_whole_when_it_is_made(board: iq.Controller, ada: User) -> None:
    result = board.dispatch(Write(author=ada, titles=["On Time", "On Space"]))
    first, second = result.created(Post)
    assert (first.score, first.slug, first.names) == (0.0, "ada-on-time", "")
    assert first.badge == "On Time: 0 at 0.0, []"
    assert (second.slug, second.shout) == ("ada-on-space", "ADA-ON-SPACE")
    # Its own values are in the row from the beginning: nobody is told that they have changed.
    assert [each.kind for each in result.effects if each.record is Post] == ["create", "create"]
    assert board.system.storage.get(User, ada.id).slugs == ["ada-on-space", "ada-on-time"]


def test_what_likes_come_to_is_computed_once_for_all_that_are_made(
    board: iq.Controller, post: Post, ada: User, bob: User
) -> None:
    board.dispatch(LikeMany(post=post, by=[ada, bob]))
    stored = board.system.storage.get(Post, post.id)
    assert (stored.score, stored.names) == (2.5, "Ada, Bob")
    assert stored.badge == "On Time: 2 at 2.5, []"
    assert board.system.storage.get(User, ada.id).best == 2.5
    # The badge reads the score, so it waits for it.
    assert asked == ["score", "badge"]


def test_a_change_of_a_like_and_of_its_user(board: iq.Controller, post: Post, ada: User, bob: User) -> None:
    likes = board.dispatch(LikeMany(post=post, by=[ada, bob])).created(Like)
    asked.clear()
    board.dispatch(Reweigh(like=likes[0], weight=4))
    assert board.system.storage.get(Post, post.id).score == 5.5
    board.dispatch(Praise(user=bob, karma=10))
    stored = board.system.storage.get(Post, post.id)
    assert (stored.score, stored.shout) == (9.0, "ADA-ON-TIME!")
    assert asked == ["score", "badge", "score", "badge"]


def test_a_like_that_moves_concerns_two_posts(board: iq.Controller, post: Post, ada: User, bob: User) -> None:
    other = board.dispatch(Write(author=ada, titles=["Other"])).created(Post)[0]
    likes = board.dispatch(LikeMany(post=post, by=[ada, bob])).created(Like)
    board.dispatch(MoveLike(like=likes[1], to=other))
    storage = board.system.storage
    assert [storage.get(Post, each.id).score for each in (post, other)] == [2.0, 3.0]
    board.dispatch(Unlike(post=other, by=bob))
    assert storage.get(Post, other.id).score == 0.0
    assert storage.get(Post, other.id).badge == "Other: 0 at 0.0, []"


def test_what_is_read_of_the_record_and_what_it_refers_to(
    board: iq.Controller, post: Post, ada: User, bob: User
) -> None:
    storage = board.system.storage
    board.dispatch(Retitle(post=post, title="On Tea"))
    assert storage.get(Post, post.id).slug == "ada-on-tea"
    assert storage.get(Post, post.id).badge == "On Tea: 0 at 0.0, []"
    board.dispatch(GiveTo(post=post, author=bob))
    assert storage.get(Post, post.id).slug == "bob-on-tea"
    asked.clear()
    storage.update(bob, name="Rob")
    assert storage.get(Post, post.id).shout == "ROB-ON-TEA"
    assert [storage.get(User, each.id).slugs for each in (ada, bob)] == [[], ["rob-on-tea"]]
    storage.update(ada, name="Eve")
    assert asked == ["slug"]


def test_deleting_a_host_or_a_far_end(board: iq.Controller, post: Post, ada: User, bob: User) -> None:
    storage = board.system.storage
    board.dispatch(LikeMany(post=post, by=[ada, bob]))
    asked.clear()
    storage.delete(bob)
    stored = storage.get(Post, post.id)
    assert (stored.score, stored.names) == (2.0, "Ada")
    assert asked == ["score", "badge"]
    asked.clear()
    storage.delete(stored)
    # It is gone, so nothing of it is computed any more.
    assert asked == []
    assert storage.get(User, ada.id).slugs == []


def test_many_at_once_are_computed_once(board: iq.Controller, post: Post, ada: User, bob: User) -> None:
    board.dispatch_many([LikeMany(post=post, by=[ada]), LikeMany(post=post, by=[bob])])
    assert asked == ["score", "badge"]
    assert board.system.storage.get(Post, post.id).score == 2.5


def test_rebuilding_puts_right_what_verifying_finds(board: iq.Controller, post: Post, ada: User, bob: User) -> None:
    board.dispatch(LikeMany(post=post, by=[ada, bob]))
    database = board.system.database
    tx = database.begin()
    tx.execute('UPDATE "post" SET "score" = 7, "slug" = \'x\'', ())
    tx.commit()
    found = {each.attribute: (each.stored, each.expected) for each in board.verify()}
    assert (found["Post.score"], found["Post.slug"]) == ((7.0, 2.5), ("x", "ada-on-time"))
    told: list[iq.Progress] = []
    assert board.rebuild(Post, progress=told.append, batch=1) > 0
    assert {each.attribute for each in told} >= {"Post.score", "Post.slug", "Post.badge", "Post.names"}
    stored = board.system.storage.get(Post, post.id)
    assert (stored.score, stored.slug, stored.shout) == (2.5, "ada-on-time", "ADA-ON-TIME")


def test_explaining_shows_the_rule_the_inputs_and_the_rows(
    board: iq.Controller, post: Post, ada: User, bob: User
) -> None:
    board.dispatch(LikeMany(post=post, by=[ada, bob]))
    found = board.explain(post, "score")
    assert found.value == 2.5
    assert found.rule.startswith("Custom(likes), declared at tests/runtime/test_custom.py:")
    assert found.depends_on == ("Like.user", "Like.weight", "Post.likes", "User.karma")
    assert [row.gives for row in found.rows] == [(1, 2), (1, 3)]
    assert "Like#1 gives 1, 2" in str(found)
    own = board.explain(post, "slug")
    assert own.depends_on == ("Post.author", "Post.title", "User.name")
    assert own.reads == ("On Time", "Ada")
    assert "given 'On Time', 'Ada'" in str(own)


# -- values of every type -----------------------------------------------------------------------------


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


@attrs.frozen
class Spread:
    least: Decimal
    most: Decimal


@iq.entity
class Chart:
    id: uuid.UUID = iq.key()
    points: Many[Point] = iq.many(inverse="chart")

    texts: list[str] = iq.Custom(points, inputs=lambda point: point.label, compute=list)
    table: dict[str, Decimal] = iq.Custom(
        points, inputs=lambda point: (point.label, point.value), compute=lambda rows: dict(rows)
    )
    spread: Spread | None = iq.Custom(
        points,
        inputs=lambda point: point.value,
        compute=lambda values: Spread(min(values), max(values)),
        initial=None,
    )
    total: Decimal = iq.Custom(points, inputs=lambda point: point.value, compute=lambda values: sum(values, Decimal(0)))
    last: dt.datetime | None = iq.Custom(
        points, inputs=lambda point: point.at, compute=lambda moments: max(moments), initial=None
    )
    size: Size = iq.Custom(
        points, inputs=lambda point: point.size, compute=lambda sizes: max(sizes, key=sizes.count), initial=Size.SMALL
    )
    any_large: bool = iq.Custom(points, inputs=lambda point: point.size, compute=lambda sizes: Size.LARGE in sizes)
    key_of_first: uuid.UUID | None = iq.Custom(
        points, inputs=lambda point: point.id, compute=lambda keys: keys[0] if keys else None
    )
    age: dt.timedelta = iq.Custom(
        points,
        inputs=lambda point: point.at,
        compute=lambda moments: max(moments) - min(moments),
        initial=dt.timedelta(0),
    )
    raw: bytes = iq.Custom(points, inputs=lambda point: point.label, compute=lambda labels: "".join(labels).encode())


@iq.entity
class Point:
    id: uuid.UUID = iq.key()
    chart: Chart
    label: str
    value: Decimal
    at: dt.datetime
    size: Size = Size.SMALL


def test_values_may_be_of_any_type_that_can_be_stored(make_app: Apps) -> None:
    app = make_app(Chart, Point)
    storage = app.system.storage
    chart = storage.create(Chart())
    assert (chart.texts, chart.table, chart.spread, chart.size) == ([], {}, None, Size.SMALL)
    zone = dt.timezone(dt.timedelta(hours=2))
    points = [
        storage.create(
            Point(
                chart=chart,
                label=label,
                value=Decimal(value),
                at=dt.datetime(2026, 1, day, tzinfo=zone),
                size=Size.LARGE if day > 1 else Size.SMALL,
            )
        )
        for day, (label, value) in enumerate([("a", "1.50"), ("ä'\"", "-2"), ("c", "7")], 1)
    ]
    found = storage.get(Chart, chart.id)
    ordered = sorted(points, key=lambda point: point.id)
    assert found.texts == [point.label for point in ordered]
    assert found.table == {"a": Decimal("1.5"), "ä'\"": Decimal(-2), "c": Decimal(7)}
    assert found.spread == Spread(Decimal(-2), Decimal(7))
    assert found.total == Decimal("6.5")
    assert found.last == dt.datetime(2026, 1, 3, tzinfo=zone)
    assert (found.size, found.any_large) == (Size.LARGE, True)
    assert found.key_of_first == ordered[0].id
    assert found.age == dt.timedelta(days=2)
    assert found.raw == "".join(found.texts).encode()
    assert app.verify() == []
    assert app.rebuild(Chart) == 10


# -- steps ----------------------------------------------------------------------------------------------


def total_of(values: list[int]) -> int:
    asked.append("total")
    return sum(values)


def more(value: int, old: int | None, new: int | None) -> int:
    asked.append(f"step {old} {new}")
    return value - (old or 0) + (new or 0)


def longest_of(words: list[str]) -> tuple[str, dict[str, int]]:
    asked.append("longest")
    longest = max(words, key=len, default="")
    return longest, {str(len(word)): sum(len(each) == len(word) for each in words) for word in words}


def longest_after(value: str, state: dict[str, int], old: str | None, new: str | None) -> Any:
    asked.append(f"step {old} {new}")
    counts = dict(state)
    if old is not None:
        counts[str(len(old))] -= 1
        if len(old) == len(value):
            return iq.UNKNOWN
    if new is not None:
        counts[str(len(new))] = counts.get(str(len(new)), 0) + 1
        if len(new) == len(value):
            return iq.UNKNOWN
        value = new if len(new) > len(value) else value
    return value, {length: count for length, count in counts.items() if count}


@iq.entity
class Till:
    id: int = iq.key()
    factor: int = 1
    sales: Many[Sale] = iq.many(inverse="till")

    total: int = iq.Custom(sales, inputs=lambda sale: sale.amount * sale.kind.factor, compute=total_of, step=more)
    doubled: int = iq.Custom(reads=lambda till: (till.total,), compute=lambda total: 2 * total)
    longest: str = iq.Custom(
        sales, inputs=lambda sale: sale.word, compute=longest_of, step=longest_after, state={}, initial=""
    )


@iq.entity
class Kind:
    id: int = iq.key()
    factor: int


@iq.entity
class Sale:
    id: int = iq.key()
    till: Till
    kind: Kind
    amount: int
    word: str = ""


@pytest.fixture
def till(make_app: Apps) -> Iterator[tuple[iq.Controller, Till, Kind]]:
    app = make_app(Till, Kind, Sale)
    storage = app.system.storage
    found = storage.create(Till())
    asked.clear()
    yield app, found, storage.create(Kind(factor=1))
    assert app.verify() == []


def test_a_step_goes_on_from_the_present_value(till: tuple[iq.Controller, Till, Kind]) -> None:
    app, host, kind = till
    storage = app.system.storage
    sales = [storage.create(Sale(till=host, kind=kind, amount=amount)) for amount in (5, 7)]
    storage.update(sales[0], amount=6)
    storage.update(kind, factor=10)
    storage.delete(sales[1])
    asked_of_total = [each for each in asked if each != "longest" and not each.endswith("None ")]
    assert [each for each in asked_of_total if "None" not in each or each[-1].isdigit() or each[5].isdigit()] == [
        "step None 5", "step None 7", "step 5 6", "step 6 60", "step 7 70", "step 70 None",
    ]  # fmt: skip
    assert (storage.get(Till, host.id).total, storage.get(Till, host.id).doubled) == (60, 120)


def test_a_step_that_does_not_know_has_all_computed(till: tuple[iq.Controller, Till, Kind]) -> None:
    app, host, kind = till
    storage = app.system.storage
    for word in ("a", "abc", "ab"):
        storage.create(Sale(till=host, kind=kind, amount=0, word=word))
    assert storage.get(Till, host.id).longest == "abc"
    assert "longest" not in asked
    storage.delete(storage.query(Sale).where(lambda sale: sale.word == "abc").one())
    assert storage.get(Till, host.id).longest == "ab"
    assert asked.count("longest") == 1


def test_a_step_over_two_tills(till: tuple[iq.Controller, Till, Kind]) -> None:
    app, host, kind = till
    storage = app.system.storage
    other = storage.create(Till())
    sale = storage.create(Sale(till=host, kind=kind, amount=5))
    storage.update(sale, till=other, amount=8)
    assert [storage.get(Till, each.id).total for each in (host, other)] == [0, 8]


# -- what is refused ------------------------------------------------------------------------------------


def counted(pages: list[int]) -> Any:
    return None if 7 in pages else len(pages)


@iq.entity
class Shelf:
    id: int = iq.key()
    books: Many[Book] = iq.many(inverse="shelf")

    ratio: float = iq.Custom(
        books, inputs=lambda book: book.pages, compute=lambda pages: 1 / (sum(pages) - 13), initial=0.0
    )
    count: int = iq.Custom(
        books, inputs=lambda book: book.pages, compute=lambda pages: None if 7 in pages else 1, initial=0
    )  # type: ignore[arg-type, return-value]
    text: str = iq.Custom(books, inputs=lambda book: book.title, compute=lambda titles: "\0" if "nul" in titles else "")


@iq.entity
class Book:
    id: int = iq.key()
    shelf: Shelf
    pages: int = 0
    title: str = ""


def test_a_function_that_fails_is_named_with_its_line_and_nothing_is_written(make_app: Apps) -> None:
    app = make_app(Shelf, Book)
    storage = app.system.storage
    shelf = storage.create(Shelf())
    with pytest.raises(iq.ComputationError) as failed:
        storage.create(Book(shelf=shelf, pages=13))
    error = failed.value
    assert error.code == "computation.failed"
    assert error.subject == "Shelf.ratio: Custom(books)"
    assert error.message == "compute= raises ZeroDivisionError: division by zero"
    assert error.location is not None
    assert error.location.file == __file__
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert storage.query(Book).count() == 0


@pytest.mark.parametrize(
    ("book", "message"),
    [
        ({"pages": 7}, "what compute= answers is None, but int is not optional"),
        ({"title": "nul"}, "it answers '\\x00' is not a text that can be stored: it has a NUL character"),
    ],
)
def test_what_the_attribute_does_not_take_is_refused(make_app: Apps, book: dict[str, Any], message: str) -> None:
    app = make_app(Shelf, Book)
    storage = app.system.storage
    shelf = storage.create(Shelf())
    with pytest.raises(iq.ComputationError) as failed:
        storage.create(Book(shelf=shelf, **book))
    assert (failed.value.code, failed.value.message) == ("custom.value", message)
    assert storage.query(Book).count() == 0
    assert app.verify() == []


@iq.entity
class Rate:
    id: int = iq.key()
    value: int
    rows: Many[Priced] = iq.many(inverse="rate")


@iq.entity
class Priced:
    id: int = iq.key()
    rate: Rate
    price: int = iq.Custom(reads=lambda priced: (priced.rate.value,), compute=lambda value: value + 1, touches=2)


def test_one_write_may_touch_so_many_and_no_more(make_app: Apps) -> None:
    app = make_app(Rate, Priced)
    storage = app.system.storage
    rate = storage.create(Rate(value=1))
    for _ in range(2):
        storage.create(Priced(rate=rate))
    storage.update(rate, value=2)
    storage.create(Priced(rate=rate))
    with pytest.raises(iq.ComputationError) as failed:
        storage.update(rate, value=3)
    assert failed.value.code == "custom.touches"
    assert failed.value.message == ("one write would have it computed for 3 Priced records, and touches= allows 2")
    assert [each.price for each in storage.query(Priced)] == [3, 3, 3]
    assert storage.get(Rate, rate.id).value == 2
    # Working all out anew is not one write.
    assert app.rebuild(Priced, "price") == 3


# -- over a whole class, and over a view ----------------------------------------------------------------


@iq.entity
class Reading:
    id: int = iq.key()
    level: int
    sensor: Sensor


@iq.entity
class Sensor:
    id: int = iq.key()
    factor: int
    readings: Many[Reading] = iq.many(inverse="sensor")
    alarms: Many[Alarm] = iq.many(inverse="sensor")

    heights: list[int] = iq.Custom(alarms, inputs=lambda alarm: alarm.level, compute=sorted)


@iq.view(Reading, where=lambda reading: reading.level > 10)
class Alarm(Reading):
    pass


@iq.dictionary
class Weather:
    title: str = "Weather"
    spread: int = iq.Custom(
        Reading,
        inputs=lambda reading: reading.level * reading.sensor.factor,
        compute=lambda levels: max(levels) - min(levels),
        initial=0,
    )
    alarms: list[int] = iq.Custom(Alarm, inputs=lambda alarm: alarm.level, compute=sorted)
    report: str = iq.Custom(
        reads=lambda weather: (weather.title, weather.spread), compute=lambda title, spread: f"{title}: {spread}"
    )


def test_over_a_whole_class_and_over_a_view(make_app: Apps) -> None:
    app = make_app(Reading, Sensor, Alarm, Weather)
    storage = app.system.storage

    def seen() -> tuple[int, list[int], str, list[list[int]]]:
        assert app.verify() == []
        weather = storage.get(Weather)
        return weather.spread, weather.alarms, weather.report, [each.heights for each in storage.query(Sensor)]

    assert seen() == (0, [], "Weather: 0", [])
    one, two = (storage.create(Sensor(factor=factor)) for factor in (1, 2))
    low, high = (storage.create(Reading(level=level, sensor=one)) for level in (3, 20))
    assert seen() == (17, [20], "Weather: 17", [[20], []])
    storage.update(low, level=11)
    assert seen() == (9, [11, 20], "Weather: 9", [[11, 20], []])
    storage.update(high, sensor=two)
    assert seen() == (29, [11, 20], "Weather: 29", [[11], [20]])
    storage.update(two, factor=1)
    storage.update(high, level=1)
    assert seen() == (10, [11], "Weather: 10", [[11], []])
    storage.delete(low)
    assert seen() == (0, [], "Weather: 0", [[], []])
    assert app.rebuild(Weather) == 3


# -- what it costs: over a collection see test_costs ----------------------------------------------------


@iq.entity
class Owner:
    id: int = iq.key()
    name: str


@iq.entity
class Tag:
    id: int = iq.key()
    text: str
    owner: Owner
    shout: str = iq.Custom(reads=lambda tag: (tag.text,), compute=str.upper)


@iq.entity
class Mark:
    id: int = iq.key()
    text: str
    owner: Owner
    shown: str = iq.Custom(
        reads=lambda mark: (mark.text, mark.owner.name), compute=lambda text, name: f"{name}: {text}"
    )


@pytest.mark.parametrize("kind", [Tag, Mark], ids=["itself", "and what it refers to"])
def test_what_a_value_of_the_record_itself_costs(make_app: Apps, kind: Any) -> None:
    app = make_app(Owner, kind)
    storage, database = app.system.storage, app.system.database
    if database.dialect.name not in ("SQLite", "PostgreSQL"):
        pytest.skip("the same statements are written otherwise there, see tests/drivers")
    ada, bob = storage.create(Owner(name="Ada")), storage.create(Owner(name="Bob"))

    def sent(write: Callable[[], Any]) -> list[str]:
        with database.recording() as recorder:
            write()
        assert app.verify() == []
        found = [shape(sql) for sql, _ in recorder.statements]
        return found[found.index("BEGIN") + 1 : found.index("COMMIT")]

    name = kind.__name__.lower()
    lone = kind is Tag
    made = [f"INSERT {name}"] if lone else ["SELECT owner", f"INSERT {name}"]
    assert sent(lambda: storage.create(kind(text="a", owner=ada))) == made
    record = storage.query(kind).one()
    read = [] if lone else ["SELECT owner"]
    changed = [f"SELECT {name}", f"UPDATE {name}", f"SELECT {name}", *read, f"UPDATE {name}"]
    assert sent(lambda: storage.update(record, text="b")) == changed
    moved = [f"UPDATE {name}"] if lone else changed
    assert sent(lambda: storage.update(record, owner=bob)) == moved
    followed = ["UPDATE owner"]
    if not lone:
        # Whom it concerns is found by an index, and all of them are written at once.
        followed = ["SELECT owner", "UPDATE owner", "SELECT mark", "SELECT mark", "SELECT owner", "UPDATE mark"]
    assert sent(lambda: storage.update(bob, name="Rob")) == followed
    assert sent(lambda: storage.update(record, text="b")) == [f"SELECT {name}"]


# -- what changes with the clock ------------------------------------------------------------------------


@iq.entity
class Desk:
    id: int = iq.key()
    tickets: Many[Ticket] = iq.many(inverse="desk")

    overdue: list[str] = iq.Custom(
        tickets,
        inputs=lambda ticket: (ticket.late, ticket.name),
        compute=lambda rows: [name for late, name in rows if late],
    )


@iq.entity
class Ticket:
    id: int = iq.key()
    desk: Desk
    name: str
    due: dt.datetime

    late: bool = iq.RealTime(lambda ticket, now: now > ticket.due)
    shown: str = iq.Custom(
        reads=lambda ticket: (ticket.name, ticket.late), compute=lambda name, late: f"{name}{'!' * late}"
    )


def test_what_changes_with_the_clock_is_followed_by_ticks(make_app: Apps) -> None:
    moment = [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)]
    app = make_app(Desk, Ticket, clock=lambda: moment[0])
    storage = app.system.storage
    desk = storage.create(Desk())
    first = storage.create(Ticket(desk=desk, name="a", due=moment[0] - dt.timedelta(days=1)))
    second = storage.create(Ticket(desk=desk, name="b", due=moment[0] + dt.timedelta(days=1)))
    assert (first.shown, second.shown, storage.get(Desk, desk.id).overdue) == ("a!", "b", ["a"])
    moment[0] += dt.timedelta(days=2)
    app.tick()
    assert storage.get(Ticket, second.id).shown == "b!"
    assert storage.get(Desk, desk.id).overdue == ["a", "b"]
    assert app.verify() == []
