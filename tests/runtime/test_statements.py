"""What a dispatch sends: how many statements, in how many round trips, and none that scans a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import attrs
import pytest

import interaqt as iq
from examples.social import CreatePost, EditPost, Like, LikePost, Post, UnlikePost, User
from interaqt import Many
from interaqt.storage.database import Database
from tests.runtime.conftest import Apps


@attrs.frozen
class Sent:
    """The statements of one action, each as its verb and table, and the round trips where there are any."""

    statements: list[tuple[str, tuple[Any, ...]]]
    round_trips: int

    @property
    def shapes(self) -> list[str]:
        return [shape(sql) for sql, _ in self.statements]

    @property
    def inner(self) -> list[str]:
        """Those between BEGIN and COMMIT that follow the event."""
        assert self.shapes[0] == "BEGIN"
        assert self.shapes[1] == "INSERT interaction_event"
        assert self.shapes[-1] == "COMMIT"
        return self.shapes[2:-1]


def shape(sql: str) -> str:
    verb = sql.split(None, 1)[0]
    table = re.search(r'(?:INTO|UPDATE|FROM) "(\w+)"', sql)
    return f"{verb} {table[1]}" if table is not None else verb


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest) -> Database:
    """Where an UPDATE answers; MySQL and MariaDB need a SELECT beside it, see tests/drivers."""
    found: Database = request.getfixturevalue(f"{request.param}_db")
    return found


@pytest.fixture
def sent(database: Database) -> Callable[[Callable[[], Any]], Sent]:
    """What an action sends, once everything that it needs is prepared."""

    def record(action: Callable[[], Any]) -> Sent:
        with database.recording() as recorder:
            action()
        return Sent(list(recorder.statements), recorder.round_trips)

    return record


Record = Callable[[Callable[[], Any]], Sent]


def trips(database: Database, number: int) -> int:
    """How many round trips that is here: none where there is no network."""
    return number if database.dialect.name == "PostgreSQL" else 0


# -- the social example -----------------------------------------------------------------------------

SOCIAL = (User, Post, Like, CreatePost, EditPost, LikePost, UnlikePost)


@pytest.fixture
def social(make_app: Apps) -> iq.Controller:
    return make_app(*SOCIAL)


@pytest.fixture
def ada(social: iq.Controller) -> User:
    return social.system.storage.create(User(name="Ada", email="ada@example.org"))


@pytest.fixture
def post(social: iq.Controller, ada: User) -> Post:
    return social.dispatch(CreatePost(title="Hello", content="..."), user=ada).created(Post)[0]


def test_a_like_is_a_row_and_one_update_for_each_table_in_one_round_trip(
    social: iq.Controller, database: Database, sent: Record, ada: User, post: Post
) -> None:
    found = sent(lambda: social.dispatch(LikePost(post=post), user=ada))
    assert found.inner == ["INSERT like", "UPDATE user", "UPDATE post"]
    assert found.round_trips == trips(database, 1)


def test_a_post_is_a_row_and_its_authors_count(
    social: iq.Controller, database: Database, sent: Record, ada: User, post: Post
) -> None:
    found = sent(lambda: social.dispatch(CreatePost(title="Again", content="..."), user=ada))
    assert found.inner == ["INSERT post", "UPDATE user"]
    # Whether the author's likes make posts popular now depends on the count that the update answers.
    assert found.round_trips == trips(database, 2)


def test_an_unlike_is_a_deletion_and_the_same_updates(
    social: iq.Controller, database: Database, sent: Record, ada: User, post: Post
) -> None:
    social.dispatch(LikePost(post=post), user=ada)
    found = sent(lambda: social.dispatch(UnlikePost(post=post), user=ada))
    assert found.inner == ["DELETE like", "UPDATE user", "UPDATE post"]
    assert found.round_trips == trips(database, 2)


def test_an_unlike_of_what_was_not_liked_asks_whether_the_post_is_there(
    social: iq.Controller, sent: Record, ada: User, post: Post
) -> None:
    found = sent(lambda: social.dispatch(UnlikePost(post=post), user=ada))
    assert found.inner == ["DELETE like", "SELECT post"]


def test_an_edit_reads_the_post_for_its_guard_and_writes_it(
    social: iq.Controller, database: Database, sent: Record, ada: User, post: Post
) -> None:
    found = sent(lambda: social.dispatch(EditPost(post=post, content="new"), user=ada))
    assert found.shapes == ["BEGIN", "SELECT post", "INSERT interaction_event", "UPDATE post", "COMMIT"]
    assert found.round_trips == trips(database, 3)


def test_a_rejected_request_writes_nothing(social: iq.Controller, sent: Record, ada: User, post: Post) -> None:
    bob = social.system.storage.create(User(name="Bob", email="bob@example.org"))

    def edit() -> None:
        with pytest.raises(iq.ConditionRejected):
            social.dispatch(EditPost(post=post, content="new"), user=bob)

    assert sent(edit).shapes == ["BEGIN", "SELECT post", "ROLLBACK"]


def test_reading_is_one_statement_and_one_more_for_each_step_along(
    social: iq.Controller, database: Database, sent: Record, ada: User, post: Post
) -> None:
    storage = social.system.storage
    social.dispatch(LikePost(post=post), user=ada)
    assert sent(lambda: storage.get(Post, post.id)).shapes == ["SELECT post"]
    query = storage.query(Post).include(lambda post: post.author, lambda post: post.likes)
    found = sent(lambda: [(each.author.name, [like.at for like in each.likes]) for each in query.all()])
    assert sorted(found.shapes) == ["SELECT like", "SELECT post", "SELECT user"]


# -- each kind of computation, each kind of write ---------------------------------------------------


@iq.interaction
class AddItem:
    basket: Basket
    price: int
    kind: Kind | None


@iq.interaction
class AddMany:
    baskets: list[Basket]
    each: int


@iq.interaction
class Reprice:
    item: Item
    price: int


@iq.interaction
class Note:
    item: Item
    note: str


@iq.interaction
class MoveItem:
    item: Item
    to: Basket


@iq.interaction
class DropItem:
    item: Item


@iq.interaction
class Check:
    item: Item


@iq.interaction
class Retax:
    kind: Kind
    tax: int


@iq.entity
class Kind:
    id: int = iq.key()
    tax: int = iq.field(changes=iq.on(Retax, set=lambda e: e.payload.tax))


@iq.entity
class Basket:
    id: int = iq.key()
    items: Many[Item] = iq.many(inverse="basket")

    count: int = iq.Count(items)
    dear: int = iq.Count(items, where=lambda item: item.price > 10)
    total: int = iq.Summation(items, of=lambda item: item.price)
    weighted: int = iq.WeightedSummation(items, of=lambda item: item.price, weight=lambda item: item.price)
    average: float | None = iq.Average(items, of=lambda item: item.price)
    all_checked: bool = iq.Every(items, where=lambda item: item.state == "checked")
    any_checked: bool = iq.Any(items, where=lambda item: item.state == "checked")
    taxed: int = iq.Count(items, where=lambda item: item.kind is not None and item.kind.tax > 0)


@iq.entity
class Item:
    id: int = iq.key()
    basket: Basket = iq.one(changes=iq.on(MoveItem, record=lambda e: e.payload.item, set=lambda e: e.payload.to))
    price: int = iq.field(changes=iq.on(Reprice, set=lambda e: e.payload.price))
    note: str = iq.field(default="", changes=iq.on(Note, set=lambda e: e.payload.note))
    kind: Kind | None = None
    state: Literal["new", "checked"] = iq.StateMachine("new", iq.on(Check, {"new": "checked"}))

    added = iq.Transform(AddItem, lambda e: Item(basket=e.payload.basket, price=e.payload.price, kind=e.payload.kind))
    several = iq.Transform(
        AddMany,
        lambda e: [Item(basket=basket, price=price) for basket in e.payload.baskets for price in range(e.payload.each)],
    )

    @iq.deleted_by(DropItem)
    def dropped(self, e: iq.Event[DropItem]) -> bool:
        return self == e.payload.item


BASKETS = (Kind, Basket, Item, AddItem, AddMany, Reprice, Note, MoveItem, DropItem, Check, Retax)


@pytest.fixture
def baskets(make_app: Apps) -> Iterator[iq.Controller]:
    app = make_app(*BASKETS)
    yield app
    assert app.verify() == []


@pytest.fixture
def basket(baskets: iq.Controller) -> Basket:
    return baskets.system.storage.create(Basket())


@pytest.fixture
def item(baskets: iq.Controller, basket: Basket) -> Item:
    return baskets.dispatch(AddItem(basket=basket, price=12, kind=None)).created(Item)[0]


def test_all_values_of_one_host_move_by_one_statement(
    baskets: iq.Controller, database: Database, sent: Record, basket: Basket
) -> None:
    found = sent(lambda: baskets.dispatch(AddItem(basket=basket, price=12, kind=None)))
    assert found.inner == ["INSERT item", "UPDATE basket"]
    assert found.round_trips == trips(database, 1)


def test_a_change_of_a_contributing_record_is_its_state_its_update_and_its_hosts(
    baskets: iq.Controller, database: Database, sent: Record, item: Item
) -> None:
    found = sent(lambda: baskets.dispatch(Reprice(item=item, price=9)))
    assert found.inner == ["SELECT item", "UPDATE item", "UPDATE basket"]
    assert found.round_trips == trips(database, 2)


def test_a_state_change_is_the_same(baskets: iq.Controller, database: Database, sent: Record, item: Item) -> None:
    found = sent(lambda: baskets.dispatch(Check(item=item)))
    assert found.inner == ["SELECT item", "UPDATE item", "UPDATE basket"]
    assert found.round_trips == trips(database, 2)


def test_a_state_that_stays_writes_nothing(baskets: iq.Controller, sent: Record, item: Item) -> None:
    baskets.dispatch(Check(item=item))
    assert sent(lambda: baskets.dispatch(Check(item=item))).inner == ["SELECT item"]


def test_a_change_that_nothing_depends_on_is_one_update(baskets: iq.Controller, sent: Record, item: Item) -> None:
    assert sent(lambda: baskets.dispatch(Note(item=item, note="x"))).inner == ["UPDATE item"]


def test_a_move_takes_from_one_host_and_gives_to_the_other(baskets: iq.Controller, sent: Record, item: Item) -> None:
    there = baskets.system.storage.create(Basket())
    found = sent(lambda: baskets.dispatch(MoveItem(item=item, to=there)))
    assert found.inner[:2] == ["SELECT item", "UPDATE item"]
    assert found.inner[2:] == ["UPDATE basket", "UPDATE basket"]


def test_a_deletion_is_one_statement_and_its_hosts(baskets: iq.Controller, sent: Record, item: Item) -> None:
    assert sent(lambda: baskets.dispatch(DropItem(item=item))).inner == ["DELETE item", "UPDATE basket"]


def test_two_hundred_records_are_one_insert_and_one_update(
    baskets: iq.Controller, database: Database, sent: Record
) -> None:
    hosts = [baskets.system.storage.create(Basket()) for _ in range(4)]
    found = sent(lambda: baskets.dispatch(AddMany(baskets=hosts, each=50)))
    # What lies behind a reference is summed by the database; rows are locked in the order of their keys.
    locks = ["SELECT basket"] if database.capability.row_locks else []
    assert found.inner == ["INSERT item", "SELECT kind", *locks, "UPDATE basket"]
    assert [each.total for each in baskets.system.storage.query(Basket)] == [1225] * 4


def test_a_far_change_looks_for_whom_it_concerns_by_one_statement(
    baskets: iq.Controller, sent: Record, basket: Basket
) -> None:
    kind = baskets.system.storage.create(Kind(tax=1))
    for _ in range(3):
        baskets.dispatch(AddItem(basket=basket, price=5, kind=kind))
    stays = sent(lambda: baskets.dispatch(Retax(kind=kind, tax=2)))
    flips = sent(lambda: baskets.dispatch(Retax(kind=kind, tax=0)))
    assert stays.inner == ["SELECT kind", "UPDATE kind"]
    assert flips.inner == ["SELECT kind", "UPDATE kind", "SELECT item", "UPDATE basket"]


# -- explain ----------------------------------------------------------------------------------------


def test_a_plan_lists_the_statements_in_their_order_with_a_reason_each(
    social: iq.Controller, sent: Record, ada: User, post: Post
) -> None:
    found = sent(lambda: social.dispatch(LikePost(post=post), user=ada))
    plan = social.explain(LikePost)
    assert [step.sql for step in plan.steps] == [sql for sql, _ in found.statements[1:-1]]
    assert [step.why.split()[0] for step in plan.steps] == [
        "the",
        "Like.liked:",
        "User.likes_given",
        "Post.like_count,",
    ]
    assert [step.sql in str(plan) and step.why in str(plan) for step in plan.steps] == [True] * 4


@pytest.mark.parametrize("interaction", [AddItem, Reprice, Check, DropItem, Note], ids=lambda cls: cls.__name__)
def test_what_a_plan_lists_is_what_is_sent(
    baskets: iq.Controller, sent: Record, item: Item, basket: Basket, interaction: type
) -> None:
    requests = {
        AddItem: lambda: AddItem(basket=basket, price=1, kind=None),
        Reprice: lambda: Reprice(item=item, price=1),
        Check: lambda: Check(item=item),
        DropItem: lambda: DropItem(item=item),
        Note: lambda: Note(item=item, note="x"),
    }
    found = sent(lambda: baskets.dispatch(requests[interaction]()))
    plan = [shape(step.sql) for step in baskets.explain(interaction).steps]
    assert plan == found.shapes[1:-1]
    assert all(step.why for step in baskets.explain(interaction).steps)


# -- no table is scanned ----------------------------------------------------------------------------


def test_no_statement_of_a_plan_scans_a_table(make_app: Apps, database: Database, sent: Record) -> None:
    social = make_app(*SOCIAL)
    ada = social.system.storage.create(User(name="Ada", email="ada@example.org"))
    found = sent(lambda: _live(social, ada))
    scanned = [sql for sql, values in found.statements if scans(database, sql, values)]
    assert scanned == []


def test_nor_does_one_of_any_kind_of_computation(baskets: iq.Controller, database: Database, sent: Record) -> None:
    def run() -> None:
        storage = baskets.system.storage
        here, there, kind = storage.create(Basket()), storage.create(Basket()), storage.create(Kind(tax=1))
        item = baskets.dispatch(AddItem(basket=here, price=12, kind=kind)).created(Item)[0]
        baskets.dispatch(AddMany(baskets=[here, there], each=2))
        baskets.dispatch(Reprice(item=item, price=1))
        baskets.dispatch(Check(item=item))
        baskets.dispatch(Retax(kind=kind, tax=0))
        baskets.dispatch(MoveItem(item=item, to=there))
        baskets.dispatch(DropItem(item=item))

    found = sent(run)
    assert [sql for sql, values in found.statements if scans(database, sql, values)] == []


def _live(social: iq.Controller, ada: User) -> None:
    post = social.dispatch(CreatePost(title="Hello", content="..."), user=ada).created(Post)[0]
    social.dispatch(LikePost(post=post), user=ada)
    social.dispatch(EditPost(post=post, content="new"), user=ada)
    social.dispatch(UnlikePost(post=post), user=ada)
    social.dispatch(UnlikePost(post=post), user=ada)
    social.system.storage.get(Post, post.id)


def scans(database: Database, sql: str, values: tuple[Any, ...]) -> bool:
    """Whether the database would read a table from one end to the other for the statement."""
    if sql.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
        return False
    if database.dialect.name == "SQLite":
        with database.reading() as reading:
            plan = [row[3] for row in reading.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()]
        tables, names = database.tables(), {alias: table for table, alias in re.findall(r'"(\w+)" AS "([^"]+)"', sql)}
        # The first row in the order of an index is one look-up, though SQLite calls it a scan.
        first = "LIMIT 1)" in sql and not any("TEMP B-TREE" in step for step in plan)
        steps = [step for step in plan if step.startswith("SCAN ") and not (first and " INDEX " in step)]
        scanned = [step.split()[1] for step in steps]
        return any(names.get(each, each) in tables for each in scanned)
    transaction = database.begin()
    try:
        # Small tables are scanned whatever there is; the question is whether they could be not.
        transaction.execute("SET LOCAL enable_seqscan = off", ())
        plan = [row[0] for row in transaction.execute(f"EXPLAIN {sql}", values).fetchall()]
    finally:
        transaction.rollback()
    return any("Seq Scan" in step for step in plan)


# -- views ------------------------------------------------------------------------------------------


@iq.interaction
class Applaud:
    post: Piece
    clap: int = 1


@iq.interaction
class Praise:
    post: GoodPiece


@iq.interaction
class Mark:
    post: Piece
    good: bool


@iq.entity
class Author:
    id: int = iq.key()
    name: str
    good_pieces: Many[GoodPiece] = iq.many(inverse="author")

    by_view: int = iq.Summation(good_pieces, of=lambda piece: piece.claps)


@iq.entity
class Piece:
    id: int = iq.key()
    author: Author
    good: bool = iq.field(default=True, changes=iq.on(Mark, set=lambda e: e.payload.good))
    clap_rows: Many[Handclap] = iq.many(inverse="piece")

    claps: int = iq.Summation(clap_rows, of=lambda each: each.number)


@iq.entity
class Handclap:
    id: int = iq.key()
    piece: Piece
    number: int = 1
    made = iq.Transform(Applaud, lambda e: Handclap(piece=e.payload.post, number=e.payload.clap))
    praised = iq.Transform(Praise, lambda e: Handclap(piece=e.payload.post, number=10))


@iq.view(Piece, where=lambda piece: piece.good)
class GoodPiece(Piece): ...


VIEWED = (Author, Piece, Handclap, GoodPiece, Applaud, Praise, Mark)


def test_a_view_that_nobody_observes_costs_no_statement(make_app: Apps, database: Database, sent: Record) -> None:
    app = make_app(*VIEWED)
    author = app.system.storage.create(Author(name="Ada"))
    piece = app.system.storage.create(Piece(author=author))
    app.dispatch(Applaud(post=piece))
    found = sent(lambda: app.dispatch(Applaud(post=piece)))
    assert found.inner == ["INSERT handclap", "UPDATE piece", "UPDATE author"]
    found = sent(lambda: app.dispatch(Mark(post=piece, good=False)))
    assert found.inner == ["SELECT piece", "UPDATE piece", "UPDATE author"]
    found = sent(lambda: app.dispatch(Applaud(post=piece)))
    assert found.inner == ["INSERT handclap", "UPDATE piece"]


def test_a_payload_item_of_a_view_costs_one_statement(make_app: Apps, database: Database, sent: Record) -> None:
    app = make_app(*VIEWED)
    author = app.system.storage.create(Author(name="Ada"))
    app.system.storage.create(Piece(author=author))
    (piece,) = app.system.storage.query(GoodPiece).all()
    app.dispatch(Praise(post=piece))
    found = sent(lambda: app.dispatch(Praise(post=piece)))
    assert found.shapes == [
        "BEGIN",
        "SELECT piece",
        "INSERT interaction_event",
        "INSERT handclap",
        "UPDATE piece",
        "UPDATE author",
        "COMMIT",
    ]


def test_an_observed_view_asks_only_for_what_the_row_does_not_say(
    make_app: Apps, database: Database, sent: Record
) -> None:
    @iq.side_effect(GoodPiece)
    def observe(change: iq.RecordChange[GoodPiece]) -> None:
        pass

    app = make_app(*VIEWED, observe)
    author = app.system.storage.create(Author(name="Ada"))
    piece = app.system.storage.create(Piece(author=author))
    app.dispatch(Applaud(post=piece))
    app.dispatch(Mark(post=piece, good=False))
    found = sent(lambda: app.dispatch(Mark(post=piece, good=True)))
    assert found.inner == ["SELECT piece", "UPDATE piece", "UPDATE author"]


# -- kinds ------------------------------------------------------------------------------------------


@iq.interaction
class Vote:
    target: Thing
    weight: int = 1


@iq.interaction
class VoteForBook:
    target: Book


@iq.interaction
class Print:
    title: str
    pages: int


@iq.entity
class Thing:
    id: int = iq.key()
    title: str
    votes: Many[Ballot] = iq.many(inverse="target")

    score: int = iq.Summation(votes, of=lambda ballot: ballot.weight)


@iq.entity
class Book(Thing):
    pages: int
    printed = iq.Transform(Print, lambda e: Book(title=e.payload.title, pages=e.payload.pages))


@iq.entity
class Film(Thing):
    minutes: int = 90


@iq.entity
class Ballot:
    id: int = iq.key()
    target: Thing
    weight: int = 1
    cast = iq.Transform(Vote, lambda e: Ballot(target=e.payload.target, weight=e.payload.weight))
    cast_for_book = iq.Transform(VoteForBook, lambda e: Ballot(target=e.payload.target))


def test_kinds_cost_no_statement(make_app: Apps, sent: Record) -> None:
    app = make_app(Thing, Book, Film, Ballot, Vote, VoteForBook, Print)
    (book,) = app.dispatch(Print(title="b", pages=3)).created(Book)
    app.dispatch(Vote(target=book))
    app.dispatch(VoteForBook(target=book))
    assert sent(lambda: app.dispatch(Vote(target=book))).inner == ["INSERT ballot", "UPDATE thing"]
    assert sent(lambda: app.dispatch(VoteForBook(target=book))).inner == ["INSERT ballot", "UPDATE thing"]
    assert sent(lambda: app.dispatch(Print(title="c", pages=1))).inner == ["INSERT thing"]
    many = [Print(title=title, pages=1) for title in "defgh"]
    assert sent(lambda: app.dispatch_many(many)).inner == ["INSERT thing"]


def test_of_which_kind_a_record_is_that_json_names_is_asked_once(make_app: Apps, sent: Record) -> None:
    app = make_app(Thing, Book, Film, Ballot, Vote, VoteForBook, Print)
    (book,) = app.dispatch(Print(title="b", pages=3)).created(Book)
    for interaction in (Vote, VoteForBook):
        app.dispatch(interaction, {"target": book.id})
        found = sent(lambda interaction=interaction: app.dispatch(interaction, {"target": book.id}))  # type: ignore[misc]
        assert [shape for shape in found.shapes if shape not in ("BEGIN", "COMMIT")] == [
            "SELECT thing",
            "INSERT interaction_event",
            "INSERT ballot",
            "UPDATE thing",
        ]
