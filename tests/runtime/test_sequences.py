"""Numbers in scopes: given as a record is made, one after the other, without a gap and never twice."""

from __future__ import annotations

import enum
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import interaqt as iq
from interaqt import Many
from interaqt.core.types import Kind
from interaqt.storage.database import Database
from tests.runtime.conftest import Apps


@iq.interaction
class Open:
    project: Project
    titles: list[str]


@iq.interaction
class Import:
    """What fails once it has made an issue."""

    project: Project


@iq.interaction
class Remove:
    issue: Issue


@iq.interaction
class Bill:
    shop: str
    year: int


@iq.entity
class Project:
    name: str
    issues: Many[Issue] = iq.many(inverse="project")
    open: int = iq.Count(issues)
    newest: int | None = iq.Maximum(issues, of=lambda issue: issue.number)


def _fails(e: iq.Event[Import]) -> Note:
    return Note(issue=Issue(project=e.payload.project, title="imported"), text=None)  # type: ignore[arg-type]


@iq.entity
class Issue:
    project: Project = iq.one()
    title: str
    number: int = iq.ScopedSequence(project)
    opened = iq.Transform(Open, lambda e: [Issue(project=e.payload.project, title=title) for title in e.payload.titles])

    @iq.computed(stored=True)
    def is_round(self) -> bool:
        return self.number % 10 == 0

    @iq.deleted_by(Remove)
    def removed(self, e: iq.Event[Remove]) -> bool:
        return self == e.payload.issue


@iq.entity
class Note:
    """The first note on each issue, and others."""

    issue: Issue = iq.one(on_delete="cascade")
    text: str
    number: int = iq.ScopedSequence()
    first = iq.Transform(Issue, lambda issue: Note(issue=issue, text=issue.title))
    failed = iq.Transform(Import, _fails)


class Series(enum.Enum):
    SALE = "sale"
    CREDIT = "credit"


@iq.entity
class Invoice:
    shop: str = iq.field()
    year: int = iq.field()
    series: Series = iq.field(default=Series.SALE)
    number: int = iq.ScopedSequence(shop, year, series, start=1000, default=None)
    billed = iq.Transform(Bill, lambda e: Invoice(shop=e.payload.shop, year=e.payload.year))


MODELS = (Project, Issue, Note, Invoice, Open, Import, Remove, Bill)


@pytest.fixture
def app(make_app: Apps) -> Iterator[iq.Controller]:
    app = make_app(*MODELS)
    yield app
    assert app.verify() == []


@pytest.fixture
def projects(app: iq.Controller) -> tuple[Project, Project]:
    create = app.system.storage.create
    return create(Project(name="a")), create(Project(name="b"))


def numbers(app: iq.Controller, project: Project) -> list[tuple[int, str]]:
    issues = app.system.storage.query(Issue).where(lambda issue: issue.project == project)
    return sorted((each.number, each.title) for each in issues.all())


def invoices(app: iq.Controller) -> list[tuple[str, int, str, int]]:
    found = app.system.storage.query(Invoice).order_by(lambda each: each.id).all()
    return [(each.shop, each.year, each.series.value, each.number) for each in found]


# -- giving numbers


def test_each_scope_counts_by_itself_in_the_order_in_which_records_are_made(
    app: iq.Controller, projects: tuple[Project, Project]
) -> None:
    a, b = projects
    app.dispatch(Open(project=a, titles=["x", "y"]))
    app.dispatch(Open(project=b, titles=["z"]))
    app.dispatch(Open(project=a, titles=["w"]))
    assert numbers(app, a) == [(1, "x"), (2, "y"), (3, "w")]
    assert numbers(app, b) == [(1, "z")]


def test_requests_that_are_written_together_get_their_numbers_in_their_order(
    app: iq.Controller, projects: tuple[Project, Project]
) -> None:
    a, b = projects
    wanted = [(a, "1"), (b, "2"), (b, "3"), (a, "4"), (b, "5")]
    app.dispatch_many([Open(project=project, titles=[title]) for project, title in wanted])
    assert numbers(app, a) == [(1, "1"), (2, "4")]
    assert numbers(app, b) == [(1, "2"), (2, "3"), (3, "5")]


def test_what_is_made_by_hand_is_numbered_too_and_knows_it(
    app: iq.Controller, projects: tuple[Project, Project]
) -> None:
    a, b = projects
    made = [app.system.storage.create(Issue(project=each, title="t")) for each in (a, b, a)]
    assert [each.number for each in made] == [1, 1, 2]


def test_what_follows_from_other_records_is_numbered_in_the_whole_class(
    app: iq.Controller, projects: tuple[Project, Project]
) -> None:
    a, b = projects
    app.dispatch(Open(project=a, titles=["x", "y"]))
    app.dispatch(Open(project=b, titles=["z"]))
    notes = app.system.storage.query(Note).all()
    assert sorted((each.number, each.text) for each in notes) == [(1, "x"), (2, "y"), (3, "z")]


def test_a_result_knows_the_numbers_of_what_it_made(app: iq.Controller, projects: tuple[Project, Project]) -> None:
    result = app.dispatch(Open(project=projects[0], titles=["x", "y"]))
    assert [each.number for each in result.created(Issue)] == [1, 2]


def test_a_scope_of_several_attributes_begins_with_start(app: iq.Controller) -> None:
    for shop, year in (("x", 2025), ("x", 2026), ("y", 2026), ("x", 2026)):
        app.dispatch(Bill(shop=shop, year=year))
    app.system.storage.create(Invoice(shop="x", year=2026, series=Series.CREDIT))
    assert invoices(app) == [
        ("x", 2025, "sale", 1000),
        ("x", 2026, "sale", 1000),
        ("y", 2026, "sale", 1000),
        ("x", 2026, "sale", 1001),
        ("x", 2026, "credit", 1000),
    ]


@pytest.mark.parametrize("names", [("a", "A"), ("a", "a "), ("ä", "a"), ('"],["', '"]["'), ("x" * 200, "x" * 201)])
def test_texts_that_differ_are_scopes_of_their_own(app: iq.Controller, names: tuple[str, str]) -> None:
    for shop in (*names, *names):
        app.system.storage.create(Invoice(shop=shop, year=1))
    assert invoices(app) == [(shop, 1, "sale", number) for number in (1000, 1001) for shop in names]


def test_what_reads_a_number_follows_it(app: iq.Controller, projects: tuple[Project, Project]) -> None:
    a, _ = projects
    app.dispatch(Open(project=a, titles=[str(each) for each in range(1, 12)]))
    found = app.system.storage.query(Issue).where(lambda issue: issue.is_round).all()
    assert [each.title for each in found] == ["10"]
    assert (app.system.storage.get(Project, a.id).newest, app.system.storage.get(Project, a.id).open) == (11, 11)


# -- what does not change


def test_a_number_is_given_once_also_if_its_record_is_gone(
    app: iq.Controller, projects: tuple[Project, Project]
) -> None:
    a, _ = projects
    *_, last = app.dispatch(Open(project=a, titles=["x", "y"])).created(Issue)
    app.dispatch(Remove(issue=last))
    app.dispatch(Open(project=a, titles=["z"]))
    assert numbers(app, a) == [(1, "x"), (3, "z")]


def test_what_is_undone_gives_its_numbers_back(app: iq.Controller, projects: tuple[Project, Project]) -> None:
    a, _ = projects
    app.dispatch(Open(project=a, titles=["x"]))
    with pytest.raises(iq.InvalidValue):
        app.dispatch(Import(project=a))

    def work(tx: iq.BusinessTransaction) -> None:
        tx.dispatch(Open(project=a, titles=["y", "z"]))
        raise LookupError

    with pytest.raises(LookupError):
        app.transact(work)
    app.dispatch(Open(project=a, titles=["w"]))
    assert numbers(app, a) == [(1, "x"), (2, "w")]


def test_neither_a_number_nor_what_it_is_counted_by_can_be_set(
    app: iq.Controller, projects: tuple[Project, Project]
) -> None:
    a, b = projects
    issue = app.system.storage.create(Issue(project=a, title="t"))
    with pytest.raises(iq.InvalidValue) as refused:
        app.system.storage.update(issue, number=7)
    assert (refused.value.code, refused.value.message) == (
        "record.derived",
        "Issue.number is kept by ScopedSequence(project); it can't be set",
    )
    with pytest.raises(iq.InvalidValue) as refused:
        app.system.storage.update(issue, project=b)
    assert (refused.value.code, refused.value.message, refused.value.hint) == (
        "sequence.scope",
        "Issue.project is what Issue.number is counted by, and the number of a record stays what it is",
        "delete the record and make another one",
    )
    with pytest.raises(iq.InvalidValue) as refused:
        Issue(project=a, title="t", number=4)  # type: ignore[call-arg]
    assert refused.value.message == "number is not given: it follows from its ScopedSequence(project)"


# -- reserving


def test_reserved_numbers_are_given_by_makers_alone(app: iq.Controller) -> None:
    create, scope = app.system.storage.create, ("x", 2026, Series.SALE)
    assert app.reserve(Invoice.number, *scope, count=3) == range(1000, 1003)
    app.dispatch(Bill(shop="x", year=2026))
    assert app.reserve(Invoice.number, *scope, count=2) == range(1004, 1006)
    create(Invoice(shop="x", year=2026, number=1001))
    create(Invoice(shop="x", year=2026, number=1005))
    create(Invoice(shop="x", year=2026))
    assert [number for *_, number in invoices(app)] == [1003, 1001, 1005, 1006]


def test_a_number_that_was_not_reserved_or_is_there_is_refused(app: iq.Controller) -> None:
    app.dispatch(Bill(shop="x", year=2026))
    for number in (999, 1001):
        with pytest.raises(iq.InvalidValue) as refused:
            app.system.storage.create(Invoice(shop="x", year=2026, number=number))
        assert str(refused.value.message) == (
            f"Invoice.number is {number}, which was not reserved: "
            'of Invoice.number(shop,year,series)["x",2026,"sale"], from 1000 to 1000 are given or reserved'
        )
    with pytest.raises(iq.InvalidValue) as refused:
        app.system.storage.create(Invoice(shop="y", year=2026, number=1000))
    assert refused.value.message.endswith(", none is given or reserved")
    assert refused.value.hint == (
        "reserve it before: controller.reserve(Invoice.number, ..., count=...); or leave it out"
    )
    with pytest.raises(iq.ConstraintViolationError, match="there is a Invoice with the same shop and year and series"):
        app.system.storage.create(Invoice(shop="x", year=2026, number=1000))
    with pytest.raises(iq.InvalidValue, match=r"Invoice.number is str 'seven', not int"):
        app.system.storage.create(Invoice(shop="x", year=2026, number="seven"))  # type: ignore[arg-type]
    assert len(invoices(app)) == 1


def test_what_is_reserved_in_a_transaction_is_given_back_with_it(
    app: iq.Controller, projects: tuple[Project, Project]
) -> None:
    a, _ = projects
    reserved: list[range] = []

    def work(tx: iq.BusinessTransaction, fail: bool) -> None:
        reserved.append(tx.reserve(Issue.number, a, count=10))
        tx.dispatch(Open(project=a, titles=["x"]))
        if fail:
            raise LookupError

    with pytest.raises(LookupError):
        app.transact(lambda tx: work(tx, fail=True))
    app.transact(lambda tx: work(tx, fail=False))
    assert reserved == [range(1, 11), range(1, 11)]
    assert numbers(app, a) == [(11, "x")]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda app, a: app.reserve(7, a, count=1), "reserve() takes a sequence of a class, not 7."),
        (lambda app, a: app.reserve(Issue.title, a, count=1), "not <attribute title>."),
        (lambda app, a: app.reserve(Issue.number, a, count=0), "count= takes how many numbers, an int from 1, not 0"),
        (lambda app, a: app.reserve(Issue.number, count=1), "is counted by its project, and no values were given"),
        (lambda app, a: app.reserve(Note.number, a, count=1), "is counted for the whole class, and 1 value was given"),
        (lambda app, a: app.reserve(Issue.number, "a", count=1), "Issue.project is str 'a', not a Project"),
        (
            lambda app, a: app.reserve(Issue.number, Project(name="new"), count=1),
            "Issue.project is a Project that is not stored yet",
        ),
        (
            lambda app, a: app.reserve(Invoice.number, "x", "y", Series.SALE, count=1),
            "Invoice.year is str 'y', not int",
        ),
    ],
)
def test_a_reservation_that_makes_no_sense(
    app: iq.Controller, projects: tuple[Project, Project], ask: Callable[[iq.Controller, Project], range], said: str
) -> None:
    with pytest.raises(iq.InvalidValue) as refused:
        ask(app, projects[0])
    assert said in refused.value.message


def test_nothing_is_reserved_of_a_record_that_is_gone_or_inside_a_dispatch(
    app: iq.Controller, projects: tuple[Project, Project]
) -> None:
    a, _ = projects
    app.system.storage.delete(a)
    with pytest.raises(iq.RecordNotFound, match="there is no Project with id 1"):
        app.reserve(Issue.number, a, count=1)
    with pytest.raises(iq.NestedDispatchError):
        app.transact(lambda tx: app.reserve(Issue.number, a, count=1))


# -- at once


def test_parallel_first_records_of_a_scope_get_one_number_each(
    app: iq.Controller, projects: tuple[Project, Project]
) -> None:
    a, _ = projects
    ready = threading.Barrier(4)

    def open_some(name: str) -> range:
        ready.wait()
        app.dispatch(Open(project=a, titles=[name] * 3))
        return app.reserve(Issue.number, a, count=2)

    with ThreadPoolExecutor(4) as pool:
        reserved = list(pool.map(open_some, "wxyz"))
    given = [number for number, _ in numbers(app, a)]
    assert sorted([*given, *(number for some in reserved for number in some)]) == [*range(1, 21)]


# -- a database that has records already


def _forget_counters(app: iq.Controller) -> None:
    quote = app.system.database.dialect.quote
    app.system.database.run_ddl([f"DELETE FROM {quote('sequence_counter')}"])


def test_setup_begins_after_the_numbers_that_there_are(app: iq.Controller, projects: tuple[Project, Project]) -> None:
    a, b = projects
    app.dispatch(Open(project=a, titles=["x", "y"]))
    app.dispatch(Open(project=b, titles=["z"]))
    app.dispatch(Bill(shop="x", year=2026))
    _forget_counters(app)
    assert sorted(map(str, app.verify())) == [
        'the last number of Invoice.number of \'Invoice.number(shop,year,series)["x",2026,"sale"]\' is None, '
        "but should be 1000",
        "the last number of Issue.number of 'Issue.number(project)[1]' is None, but should be 2",
        "the last number of Issue.number of 'Issue.number(project)[2]' is None, but should be 1",
        "the last number of Note.number of 'Note.number()[]' is None, but should be 3",
    ]
    again = iq.Controller(app.system, MODELS)
    with pytest.raises(iq.NotInstalled) as refused:
        again.setup()
    assert refused.value.message == (
        "there are records with numbers, but none was given by Issue.number, Note.number, Invoice.number"
    )
    again.setup(install=True)
    assert again.verify() == []
    again.dispatch(Open(project=a, titles=["w"]))
    again.dispatch(Open(project=b, titles=["v"]))
    again.dispatch(Bill(shop="x", year=2026))
    assert numbers(again, a) == [(1, "x"), (2, "y"), (3, "w")]
    assert numbers(again, b) == [(1, "z"), (2, "v")]
    assert [number for *_, number in invoices(again)] == [1000, 1001]
    again.setup(install=True)
    assert again.verify() == []


def test_rebuild_brings_counters_up_to_the_numbers(app: iq.Controller, projects: tuple[Project, Project]) -> None:
    a, _ = projects
    app.dispatch(Open(project=a, titles=["x", "y", "z"]))
    quote = app.system.database.dialect.quote
    app.system.database.run_ddl([f"UPDATE {quote('sequence_counter')} SET {quote('last')} = 1"])
    assert len(app.verify()) == 2
    app.rebuild(Issue, "number", batch=2)
    app.rebuild(Note, "number", batch=2)
    app.dispatch(Open(project=a, titles=["w"]))
    assert numbers(app, a) == [(1, "x"), (2, "y"), (3, "z"), (4, "w")]


@iq.entity
class Chapter:
    book: str = iq.field()
    title: str


class _Later:
    @iq.entity
    class Chapter:
        book: str = iq.field()
        title: str
        number: int = iq.ScopedSequence(book)


def test_records_from_before_the_sequence_are_numbered_by_rebuild(database: Database) -> None:
    before = iq.Controller(iq.MonoSystem(database), [Chapter])
    before.setup(install=True)
    for book, title in (("x", "a"), ("y", "b"), ("x", "c"), ("x", "d"), ("y", "e")):
        before.system.storage.create(Chapter(book=book, title=title))
    quote = database.dialect.quote
    number = database.dialect.column_types[Kind.INT]
    database.run_ddl([f"ALTER TABLE {quote('chapter')} ADD COLUMN {quote('number')} {number}"])
    app = iq.Controller(iq.MonoSystem(database), [_Later.Chapter])
    app.setup(install=True)
    fresh = app.system.storage.create(_Later.Chapter(book="x", title="f"))
    assert fresh.number == 1
    assert [str(each) for each in app.verify()] == [
        f"Chapter.number of {key} is None, but should be 'a number'" for key in range(1, 6)
    ]
    app.rebuild(_Later.Chapter, "number", batch=2)
    assert app.verify() == []
    found = app.system.storage.query(_Later.Chapter).order_by(lambda each: each.id).all()
    assert [(each.book, each.title, each.number) for each in found] == [
        ("x", "a", 2), ("y", "b", 1), ("x", "c", 3), ("x", "d", 4), ("y", "e", 2), ("x", "f", 1)
    ]  # fmt: skip


# -- kinds, relations, identity


@iq.interaction
class Add:
    shelf: str
    what: list[str]


@iq.entity
class Item:
    shelf: str = iq.field()
    number: int = iq.ScopedSequence(shelf)
    added = iq.Transform(
        Add,
        lambda e: [{"book": Book, "film": Film}.get(what, Item)(shelf=e.payload.shelf) for what in e.payload.what],
    )


@iq.entity
class Book(Item):
    edition: int = iq.ScopedSequence(Item.shelf, start=10)


@iq.entity
class Film(Item):
    pass


def test_kinds_are_numbered_together_and_each_by_itself(make_app: Apps) -> None:
    app = make_app(Add, Item, Book, Film)
    app.dispatch(Add(shelf="x", what=["book", "film", "item"]))
    app.dispatch(Add(shelf="x", what=["book"]))
    app.system.storage.create(Film(shelf="y"))
    found = app.system.storage.query(Item).order_by(lambda each: each.id).all()
    shown = [(type(each).__name__, each.shelf, each.number) for each in found]
    assert sorted(shown[:3]) == [("Book", "x", 1), ("Film", "x", 2), ("Item", "x", 3)]
    assert shown[3:] == [("Book", "x", 4), ("Film", "y", 1)]
    assert [each.edition for each in app.system.storage.query(Book).all()] == [10, 11]
    assert app.reserve(Film.number, "x", count=2) == range(5, 7)
    assert app.verify() == []
    app.rebuild(Item)


@iq.entity
class Member:
    name: str


@iq.entity
class Club:
    name: str


@iq.relation
class Membership:
    club: Club = iq.one()
    member: Member = iq.one()
    number: int = iq.ScopedSequence(club)


def test_a_relation_is_numbered_by_one_of_its_ends(make_app: Apps) -> None:
    app = make_app(Member, Club, Membership)
    create = app.system.storage.create
    clubs = [create(Club(name=name)) for name in "xy"]
    members = [create(Member(name=name)) for name in "abc"]
    made = [create(Membership(club=club, member=member)) for member in members for club in clubs]
    assert [each.number for each in made] == [1, 1, 2, 2, 3, 3]
    assert app.verify() == []


@iq.interaction
class Arrive:
    codes: list[str]
    warehouse: str


@iq.entity(identity=("code",), identity_conflict="keep")
class Parcel:
    code: str
    warehouse: str = iq.field()
    number: int = iq.ScopedSequence(warehouse)
    arrived = iq.Transform(
        Arrive, lambda e: [Parcel(code=code, warehouse=e.payload.warehouse) for code in e.payload.codes]
    )


def test_what_is_found_again_takes_no_number(make_app: Apps) -> None:
    app = make_app(Arrive, Parcel)
    app.dispatch(Arrive(codes=["p", "q", "p"], warehouse="x"))
    app.dispatch(Arrive(codes=["q", "r"], warehouse="x"))
    app.dispatch(Arrive(codes=["p"], warehouse="y"))
    app.dispatch(Arrive(codes=["s"], warehouse="y"))
    found = app.system.storage.query(Parcel).order_by(lambda each: each.id).all()
    assert [(each.code, each.warehouse, each.number) for each in found] == [
        ("p", "x", 1), ("q", "x", 2), ("r", "x", 3), ("s", "y", 1)
    ]  # fmt: skip
    assert app.verify() == []


def test_of_several_who_make_the_same_record_one_takes_a_number(make_app: Apps) -> None:
    app = make_app(Arrive, Parcel)
    ready = threading.Barrier(4)

    def arrive(warehouse: str) -> None:
        ready.wait()
        for code in "pqrst":
            app.dispatch(Arrive(codes=[code], warehouse=warehouse))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(arrive, "wxyz"))
    found = app.system.storage.query(Parcel).all()
    assert len(found) == 5
    for warehouse in {each.warehouse for each in found}:
        given = sorted(each.number for each in found if each.warehouse == warehouse)
        assert given == [*range(1, len(given) + 1)]
    assert app.verify() == []


# -- records that follow from others


@iq.interaction
class Transfer:
    device: Device
    site: str


@iq.entity
class Device:
    site: str = iq.field(changes=iq.on(Transfer, set=lambda e: e.payload.site))
    name: str


@iq.entity
class Label:
    """One on each device, numbered at its site."""

    device: Device = iq.one()
    site: str = iq.field()
    name: str
    number: int = iq.ScopedSequence(site)
    printed = iq.Transform(Device, lambda device: Label(device=device, site=device.site, name=device.name))


def test_what_follows_and_is_counted_elsewhere_is_another_record(make_app: Apps) -> None:
    app = make_app(Transfer, Device, Label)
    storage = app.system.storage
    one, two = (storage.create(Device(site="x", name=name)) for name in ("one", "two"))
    storage.create(Device(site="y", name="three"))
    storage.update(two, name="second")
    app.dispatch(Transfer(device=one, site="y"))
    app.dispatch(Transfer(device=one, site="y"))
    storage.create(Device(site="x", name="four"))
    found = storage.query(Label).order_by(lambda label: label.id).all()
    shown = [(label.id, label.name, label.site, label.number) for label in found]
    assert shown == [(2, "second", "x", 2), (3, "three", "y", 1), (4, "one", "y", 2), (5, "four", "x", 3)]
    assert app.verify() == []


# -- what it costs


@pytest.fixture
def sent(app: iq.Controller, database: Database) -> Callable[..., list[str]]:
    def sent(work: Callable[[], object]) -> list[str]:
        with database.recording() as recorder:
            work()
        return [sql for sql, _ in recorder.statements if "sequence_counter" in sql]

    return sent


def test_a_number_is_one_statement_and_one_answer_that_is_waited_for(app: iq.Controller, database: Database) -> None:
    app.dispatch(Bill(shop="x", year=2026))
    with database.recording() as recorder:
        app.dispatch(Bill(shop="x", year=2026))
    tables = [re.search(r"INSERT INTO .(\w+).", sql)[1] for sql, _ in recorder.statements[1:-1]]  # type: ignore[index]
    assert tables == ["interaction_event", "sequence_counter", "invoice"]
    # Without it, a server is waited for once.
    assert recorder.round_trips == (0 if database.dialect.name == "SQLite" else 2)


def test_all_numbers_of_one_kind_of_record_are_one_statement(
    app: iq.Controller, projects: tuple[Project, Project], sent: Callable[..., list[str]]
) -> None:
    a, b = projects
    assert len(sent(lambda: app.dispatch(Bill(shop="x", year=2026)))) == 1
    assert len(sent(lambda: app.reserve(Note.number, count=10))) == 1
    # Of an issue follows a note, which is made when the issues are.
    assert len(sent(lambda: app.dispatch(Open(project=a, titles=["x"])))) == 1 + 1
    assert len(sent(lambda: app.dispatch(Open(project=a, titles=["x"] * 20)))) == 1 + 1
    many = [Open(project=each, titles=["y"]) for each in (a, b, b, a)]
    assert len(sent(lambda: app.dispatch_many(many))) == 1 + 1
