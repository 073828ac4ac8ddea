"""Queries: filters, order, parts and values, the same on each database as in Python."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from interaqt.core.errors import InvalidQuery, InvalidValue, RecordNotFound, TraceError
from interaqt.storage.storage import Storage
from tests.storage.library import Author, Book, Genre, Loan, Reader, Sample, Shelf, book_id, insert

UTC = dt.UTC


def titles(books: list[Book]) -> list[str]:
    return [book.title for book in books]


def test_all_records_come_in_the_order_of_their_keys(library: Storage) -> None:
    assert titles(library.query(Book).all()) == ["Alpha", "Beta", "Gamma", "Delta"]
    assert titles(list(library.query(Book))) == ["Alpha", "Beta", "Gamma", "Delta"]


def test_several_filters_must_all_hold(library: Storage) -> None:
    query = library.query(Book).where(lambda book: book.pages == 20)
    assert titles(query.all()) == ["Beta", "Delta"]
    assert titles(query.where(lambda book: book.title < "C").all()) == ["Beta"]
    assert titles(query.all()) == ["Beta", "Delta"]  # a query is never changed


def test_variables_count_as_they_are_when_the_filter_is_given(library: Storage) -> None:
    wanted = 10
    query = library.query(Book).where(lambda book: book.pages == wanted)
    wanted = 20
    assert titles(query.all()) == ["Alpha"]
    queries = []
    for pages in (10, 20, 30):
        queries.append(library.query(Book).where(lambda book: book.pages == pages))  # noqa: B023, PERF401
    assert [query.count() for query in queries] == [1, 2, 1]


def test_queries_that_differ_in_values_only_share_their_text(library: Storage) -> None:
    with library.database.recording() as recorder:
        for title in ("Alpha", "Beta' OR 1=1 --", "%_\\\"'", "ß\U0001f600"):
            library.query(Book).where(lambda book: book.title == title).limit(3).all()  # noqa: B023
        library.query(Book).where(lambda book: book.title == "x").limit(4).all()
    assert len({sql for sql, _ in recorder.statements if "SELECT" in sql}) == 1


def test_stored_records_are_compared_by_key(library: Storage) -> None:
    ada = library.query(Author).where(lambda author: author.name == "Ada").one()
    top = library.query(Shelf).where(lambda shelf: shelf.label == "top").one()
    assert titles(library.query(Book).where(lambda book: book.author == ada).all()) == ["Alpha", "Beta", "Delta"]
    assert titles(library.query(Book).where(lambda book: book.author != ada).all()) == ["Gamma"]
    assert titles(library.query(Book).where(lambda book: book.shelf == top).all()) == ["Alpha"]
    assert titles(library.query(Book).where(lambda book: book.shelf != top).all()) == ["Beta", "Gamma", "Delta"]
    assert titles(library.query(Book).where(lambda book: book.shelf in (top, None)).all()) == [
        "Alpha",
        "Gamma",
        "Delta",
    ]
    assert library.query(Author).where(lambda author: author == ada).one() == ada


def test_an_optional_reference_is_found_by_its_index(library: Storage) -> None:
    top = library.query(Shelf).where(lambda shelf: shelf.label == "top").one()
    with library.database.recording() as recorder:
        library.query(Book).where(lambda book: book.shelf == top and book.pages > 0).all()
    (sql,) = (sql for sql, _ in recorder.statements if "SELECT" in sql)
    quote = library.database.dialect.quote
    assert f"{quote('book')}.{quote('shelf_id')} = " in sql


def test_a_record_that_is_not_stored_or_of_another_class_is_refused(library: Storage) -> None:
    new = Author(name="new")
    with pytest.raises((InvalidQuery, TraceError), match="not stored"):
        library.query(Book).where(lambda book: book.author == new)
    reader = library.query(Reader).first()
    with pytest.raises(TraceError, match="never equal"):
        library.query(Book).where(lambda book: book.author == reader)  # type: ignore[comparison-overlap]


def test_paths_lead_through_references(library: Storage) -> None:
    query = library.query(Loan).where(lambda loan: loan.book.author.name == "Ada" and loan.reader.name != "Rae")
    assert [(loan.book.title, loan.reader.name) for loan in query] == [("Alpha", "Sam"), ("Alpha", "Tia")]
    below = library.query(Shelf).where(lambda shelf: shelf.above is not None and shelf.above.label == "top")
    assert [shelf.label for shelf in below] == ["low"]
    assert library.query(Book).where(lambda book: book.shelf is None).count() == 2


def test_paths_lead_through_the_other_side_of_a_pair(library: Storage) -> None:
    query = library.query(Author).where(lambda author: author.profile is not None)
    assert [author.name for author in query] == ["Ada"]
    query = library.query(Author).where(lambda author: author.profile is not None and author.profile.text == "engines")
    assert [author.name for author in query] == ["Ada"]
    assert library.query(Author).where(lambda author: author.profile is None).count() == 2


def test_collections_never_multiply_records(library: Storage) -> None:
    lent = library.query(Book).where(lambda book: len(book.loans) > 0)
    assert (titles(lent.all()), lent.count()) == (["Alpha", "Beta"], 2)
    most = library.query(Book).order_by(lambda book: len(book.readers), desc=True).limit(2)
    assert titles(most.all()) == ["Alpha", "Beta"]
    assert library.query(Author).where(lambda author: bool(author.books)).count() == 2
    assert library.query(Author).where(lambda author: not author.books).one().name == "Cid"


def test_membership_in_a_collection(library: Storage) -> None:
    rae = library.query(Reader).where(lambda reader: reader.name == "Rae").one()
    tia = library.query(Reader).where(lambda reader: reader.name == "Tia").one()
    assert titles(library.query(Book).where(lambda book: rae in book.readers).all()) == ["Alpha", "Beta"]
    assert titles(library.query(Book).where(lambda book: tia not in book.readers).all()) == ["Beta", "Gamma", "Delta"]
    assert titles(library.query(Book).where(lambda book: rae in book.readers and tia in book.readers).all()) == [
        "Alpha"
    ]


def test_enums_and_computed_properties_can_be_asked_for(library: Storage) -> None:
    assert titles(library.query(Book).where(lambda book: book.genre == Genre.POEMS).all()) == ["Gamma"]
    assert library.query(Author).where(lambda author: author.shown == "Ben!").one().shown == "Ben!"


def test_values_among_many(library: Storage) -> None:
    ids = [book_id(number) for number in range(3, 2000)]
    books = library.query(Book)
    assert titles(books.where_in(lambda book: book.id, ids).all()) == ["Gamma", "Delta"]
    assert titles(books.where_in(lambda book: book.id, ids).where_in(lambda book: book.pages, (20, 10)).all()) == [
        "Delta"
    ]
    authors = [author for author in library.query(Author) if author.name != "Ada"]
    assert titles(books.where_in(lambda book: book.author, authors).all()) == ["Gamma"]
    assert titles(books.where_in(lambda book: book.genre, [Genre.POEMS]).all()) == ["Gamma"]
    shelves = [None, library.query(Shelf).where(lambda shelf: shelf.label == "low").one()]
    assert titles(books.where_in(lambda book: book.shelf, shelves).all()) == ["Beta", "Gamma", "Delta"]
    assert titles(books.where_in(lambda book: book.shelf, shelves[1:]).all()) == ["Beta"]
    assert books.where_in(lambda book: book.title, ()).count() == 0
    assert books.where_in(lambda book: book.author.name, ["Ada", "' OR 1=1"]).sum(lambda book: book.pages) == 50
    wrong: Any = ["20"]
    with pytest.raises(InvalidValue):
        books.where_in(lambda book: book.pages, wrong)
    wrong = library.query(Reader).all()
    with pytest.raises(InvalidQuery, match="not a Author"):
        books.where_in(lambda book: book.author, wrong)


def test_queries_over_different_lists_share_their_text(library: Storage) -> None:
    with library.database.recording() as recorder:
        for pages in ([10], [10, 20], []):
            library.query(Book).where_in(lambda book: book.pages, pages).all()
    assert len({sql for sql, _ in recorder.statements if "SELECT" in sql}) == 1


def test_texts_of_any_script_can_be_values(library: Storage) -> None:
    query = library.query(Book).order_by(lambda book: "ä" if book.pages > 20 else book.title)
    assert titles(query.all()) == ["Alpha", "Beta", "Delta", "Gamma"]


# -- order and parts --------------------------------------------------------------------------


def test_none_comes_first_in_either_direction(library: Storage) -> None:
    query = library.query(Author)
    assert [author.name for author in query.order_by(lambda a: a.born)] == ["Ben", "Ada", "Cid"]
    assert [author.name for author in query.order_by(lambda a: a.born, desc=True)] == ["Ben", "Cid", "Ada"]


def test_equal_records_keep_the_order_of_their_keys_so_pages_never_overlap(library: Storage) -> None:
    query = library.query(Book).order_by(lambda book: book.pages, desc=True)
    assert titles(query.all()) == ["Gamma", "Beta", "Delta", "Alpha"]
    pages = [titles(query.limit(1).offset(n).all()) for n in range(5)]
    assert pages == [["Gamma"], ["Beta"], ["Delta"], ["Alpha"], []]
    assert titles(query.order_by(lambda book: book.title, desc=True).all()) == ["Gamma", "Delta", "Beta", "Alpha"]


def test_order_leads_through_references(library: Storage) -> None:
    query = library.query(Book).order_by(lambda book: book.author.name, desc=True).order_by(lambda book: book.pages)
    assert titles(query.all()) == ["Gamma", "Alpha", "Beta", "Delta"]
    by_shelf = library.query(Book).order_by(lambda book: book.shelf.label if book.shelf is not None else None)
    assert titles(by_shelf.all()) == ["Gamma", "Delta", "Beta", "Alpha"]


def test_texts_are_ordered_by_code_point(library: Storage) -> None:
    for name in ("b", "B", "a", "ä", "Z", "\U0001f600", "\uffee"):
        insert(library, Reader, name=name)
    names = [reader.name for reader in library.query(Reader)]
    assert [reader.name for reader in library.query(Reader).order_by(lambda r: r.name)] == sorted(names)


def test_a_part_counts_records(library: Storage) -> None:
    query = library.query(Book)
    assert (query.limit(3).count(), query.offset(1).count(), query.offset(9).count(), query.limit(0).count()) == (
        3,
        3,
        0,
        0,
    )
    assert (query.limit(0).all(), query.limit(0).first(), query.limit(0).exists()) == ([], None, False)
    assert (query.offset(3).exists(), query.offset(4).exists()) == (True, False)


@pytest.mark.parametrize("wrong", [-1, True, 1.5, "1", None, 2**63])
def test_a_part_is_a_number_of_records(library: Storage, wrong: object) -> None:
    with pytest.raises(InvalidQuery, match="takes a number of records") as caught:
        library.query(Book).limit(wrong)  # type: ignore[arg-type]
    assert caught.value.location is not None
    assert caught.value.location.file == __file__
    with pytest.raises(InvalidQuery):
        library.query(Book).offset(wrong)  # type: ignore[arg-type]


def test_one_is_neither_none_nor_several(library: Storage) -> None:
    query = library.query(Book)
    assert query.where(lambda book: book.pages == 30).one().title == "Gamma"
    with pytest.raises(RecordNotFound, match="there is no such Book"):
        query.where(lambda book: book.pages == 31).one()
    with pytest.raises(InvalidQuery, match="more than one such Book") as caught:
        query.one()
    assert caught.value.code == "query.several"


def test_first_follows_the_order(library: Storage) -> None:
    first = library.query(Book).order_by(lambda book: book.title, desc=True).first()
    assert first is not None
    assert first.title == "Gamma"
    assert library.query(Book).where(lambda book: book.pages > 99).first() is None


# -- values -----------------------------------------------------------------------------------


def test_values_over_records(library: Storage) -> None:
    books = library.query(Book)
    assert books.sum(lambda book: book.pages) == 80
    assert books.average(lambda book: book.pages) == 20.0
    assert (books.minimum(lambda book: book.title), books.maximum(lambda book: book.title)) == ("Alpha", "Gamma")
    assert library.query(Loan).sum(lambda loan: loan.book.pages * loan.days) == 10 * 42 + 20 * 7
    assert books.maximum(lambda book: book.author.name) == "Ben"
    assert books.minimum(lambda book: book.pages > 10) is False


def test_none_has_no_part_in_a_value(library: Storage) -> None:
    authors = library.query(Author)
    assert authors.sum(lambda author: author.born) == 3715
    assert authors.average(lambda author: author.born) == 1857.5
    assert (authors.minimum(lambda author: author.born), authors.maximum(lambda author: author.born)) == (1815, 1900)


def test_values_over_nothing(library: Storage) -> None:
    nothing = library.query(Book).where(lambda book: book.pages > 99)
    assert nothing.sum(lambda book: book.pages) == 0
    assert nothing.average(lambda book: book.pages) is None
    assert nothing.minimum(lambda book: book.pages) is None
    assert (nothing.count(), nothing.exists(), nothing.all()) == (0, False, [])


def test_values_over_a_part(library: Storage) -> None:
    part = library.query(Book).order_by(lambda book: book.pages, desc=True).limit(2)
    assert part.sum(lambda book: book.pages) == 50
    assert part.minimum(lambda book: book.pages) == 20
    assert part.maximum(lambda book: book.author.name) == "Ben"


def test_values_of_other_types(library: Storage) -> None:
    first: dict[str, Any] = {
        "a_bool": True,
        "an_int": 2**62,
        "a_float": 0.1,
        "a_decimal": Decimal("0.10"),
        "a_str": "0",
        "some_bytes": b"\0",
        "a_date": dt.date(2024, 2, 29),
        "a_datetime": dt.datetime(2024, 2, 29, 23, 59, 59, 999999, UTC),
        "a_span": dt.timedelta(days=-1, microseconds=1),
        "a_uuid": book_id(9),
        "a_genre": Genre.NOVEL,
        "a_json": {"a": [1, 2]},
        "maybe_int": 0,
        "maybe_json": [],
        "maybe_genre": Genre.POEMS,
    }
    second = first | {"a_decimal": Decimal("9.9"), "a_bool": False, "a_span": dt.timedelta(days=2), "a_json": {}}
    second |= {"maybe_int": None, "maybe_json": None, "maybe_genre": None, "a_str": "", "some_bytes": b""}
    for values in (first, second):
        insert(library, Sample, **values)
    samples = library.query(Sample)
    for sample, values in zip(samples, (first, second), strict=True):
        assert {name: getattr(sample, name) for name in values} == values
        assert {name: type(getattr(sample, name)) for name in values} == {
            name: type(value) for name, value in values.items()
        }
    assert samples.sum(lambda s: s.a_decimal) == Decimal("10.0")
    assert samples.maximum(lambda s: s.a_decimal) == Decimal("9.9")
    assert samples.sum(lambda s: s.a_span) == dt.timedelta(days=1, microseconds=1)
    assert samples.minimum(lambda s: s.a_datetime) == first["a_datetime"]
    assert samples.where(lambda s: s.a_decimal == Decimal("0.1")).count() == 1
    assert samples.where(lambda s: s.maybe_int == 0).count() == 1
    assert samples.where(lambda s: s.a_uuid == book_id(9) and s.a_date == dt.date(2024, 2, 29)).count() == 2
    assert [s.a_span for s in samples.order_by(lambda s: s.a_bool)] == [dt.timedelta(days=2), first["a_span"]]


def test_what_has_no_sum_or_order_is_refused(library: Storage) -> None:
    with pytest.raises(InvalidQuery, match="can't be summed"):
        library.query(Book).sum(lambda book: book.title)  # type: ignore[type-var]
    with pytest.raises(InvalidQuery, match="no order"):
        library.query(Sample).order_by(lambda sample: sample.a_json)


# -- mistakes ---------------------------------------------------------------------------------


def test_a_mistake_is_told_from_its_line(library: Storage) -> None:
    with pytest.raises(TraceError) as caught:
        library.query(Book).where(lambda book: book.titel == "x")  # type: ignore[attr-defined]
    assert "Did you mean 'title'?" in str(caught.value)
    assert caught.value.location is not None
    assert caught.value.location.file == __file__
    with pytest.raises(InvalidQuery, match="takes a callback"):
        library.query(Book).where(Book.pages == 3)  # type: ignore[arg-type]


def test_a_class_that_is_not_a_model_is_refused(library: Storage) -> None:
    with pytest.raises(InvalidQuery, match=r"Boook is not among .* Did you mean 'Book'\?"):
        library.query(type("Boook", (), {}))


def test_records_by_key(library: Storage) -> None:
    assert library.get(Book, book_id(3)).title == "Gamma"
    assert library.find(Book, book_id(99)) is None
    with pytest.raises(RecordNotFound, match="there is no Reader with number 99"):
        library.get(Reader, 99)
    with pytest.raises(InvalidQuery, match="the key is str '1', not int"):
        library.get(Author, "1")


def test_more_records_than_a_page_come_each_once(library: Storage) -> None:
    transaction = library.database.begin()
    places = library.database.dialect.paramstyle(["", ""])
    transaction.execute_many(f'INSERT INTO "reader" ("name") VALUES ({places})', [(f"n{n:05}",) for n in range(2500)])
    transaction.commit()
    names = sorted(reader.name for reader in library.query(Reader).all())
    assert len(names) == 2503
    assert sorted(reader.name for reader in library.query(Reader)) == names
    assert [reader.name for reader in library.query(Reader).order_by(lambda r: r.name)] == names
    assert [reader.name for reader in library.query(Reader).order_by(lambda r: r.name).limit(1500)] == names[:1500]


def test_reads_inside_a_transaction_see_what_it_wrote(library: Storage) -> None:
    transaction = library.database.begin()
    token = library.enter(transaction)
    try:
        transaction.execute('DELETE FROM "loan"', ())
        assert library.query(Loan).count() == 0
    finally:
        library.leave(token)
        transaction.rollback()
    assert library.query(Loan).count() == 4
