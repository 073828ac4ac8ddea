"""Scopes: one expression over table rows, given values and derived sources, in each kind of statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import peewee
import pytest

from interaqt.core.expressions import BOOL, INT, Const, Expr, Op, Param, Root
from interaqt.core.tracing import stand_in, trace_value
from interaqt.storage.programs import Program
from interaqt.storage.schema import column
from interaqt.storage.scope import Image, Row, Scope, Source
from interaqt.storage.storage import Storage
from tests.storage.library import Author, Book, book_id

CONDITIONS: dict[str, tuple[Callable[[Any], Any], set[str]]] = {
    "own": (lambda book: book.pages == 20, {"Beta", "Delta"}),
    "key": (lambda book: book.author.id == 1 and book.title != "Beta", {"Alpha", "Delta"}),
    "path": (lambda book: book.author.name == "Ada", {"Alpha", "Beta", "Delta"}),
    "far": (lambda book: book.shelf.above.label == "top" if book.shelf and book.shelf.above else False, {"Beta"}),
    "mirror": (lambda book: book.author.profile is None, {"Gamma"}),
    "past a mirror": (
        lambda book: book.author.profile.text == "engines" if book.author.profile else False,
        {"Alpha", "Beta", "Delta"},
    ),
    "chosen": (
        lambda book: (book.shelf.above or book.shelf).label == "top" if book.shelf else False,
        {"Alpha", "Beta"},
    ),
    "count": (lambda book: len(book.loans) == 3 or len(book.author.books) == 1, {"Alpha", "Gamma"}),
    "exists": (lambda book: not book.loans, {"Gamma", "Delta"}),
}


def condition(storage: Storage, name: str) -> tuple[Expr, set[str]]:
    function, titles = CONDITIONS[name]
    root = Root("book", storage.record_of(Book))
    return trace_value(function, [stand_in(root)], BOOL, allow_collections=True), titles


def run(
    storage: Storage, query: peewee.Node, given: Mapping[str, Any] = {}, then: peewee.Node | None = None
) -> list[Any]:
    """The rows that a query answers, or one after it."""
    transaction = storage.database.begin()
    try:
        result = Program(query, storage.database.dialect).run(transaction, given)
        rows = (
            result.fetchall()
            if then is None
            else Program(then, storage.database.dialect).run(transaction, {}).fetchall()
        )
        transaction.commit()
    finally:
        transaction.rollback()
    return rows


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("join", [False, True])
def test_rows_of_a_table(library: Storage, name: str, join: bool) -> None:
    expr, titles = condition(library, name)
    record = library.record_of(Book)
    book = library.schema.alias(record, "book")
    scope = Scope(library.schema, {"book": Row(book)}, join=join)
    where = scope.render(expr)
    rows = run(library, scope.joined(book.select(peewee.Column(book, "title")).where(where)))
    assert sorted(title for (title,) in rows) == sorted(titles)


@pytest.mark.parametrize("name", CONDITIONS)
def test_rows_that_are_updated(library: Storage, name: str) -> None:
    expr, titles = condition(library, name)
    record = library.record_of(Book)
    book = library.schema.table(record)
    scope = Scope(library.schema, {"book": Row(book)})
    matched = Op("case", (expr, Const(1, INT), Const(0, INT)), INT)
    query = book.update({peewee.Column(book, "pages"): scope.render(matched)}).where(scope.render(expr))
    pages = peewee.Column(book, "pages")
    rows = run(library, query, then=book.select(peewee.Column(book, "title"), pages).where(pages == 1))
    assert sorted(rows) == [(title, 1) for title in sorted(titles)]


@pytest.mark.parametrize("name", CONDITIONS)
def test_values_that_are_given(library: Storage, name: str) -> None:
    expr, titles = condition(library, name)
    scope = Scope(library.schema, {"book": Image("new")})
    query = peewee.Select([], [scope.render(expr)])
    found = set()
    for book in library.query(Book):
        given = {
            f"new.{each.name}": book.__dict__.get(f"#{each.name}", book.__dict__.get(each.name))
            for each in library.record_of(Book).stored()
        }
        ((holds,),) = run(library, query, given)
        if holds:
            found.add(book.title)
    assert found == titles


def test_rows_of_a_derived_source(library: Storage) -> None:
    expr, titles = condition(library, "path")
    record = library.record_of(Book)
    inner = library.schema.alias(record, "inner")
    source = inner.select(*[column(inner, each).alias(each.name) for each in record.stored()]).alias("source")
    scope = Scope(library.schema, {"book": Source(source)})
    rows = run(library, peewee.Select([source], [peewee.Column(source, "title")]).where(scope.render(expr)))
    assert {title for (title,) in rows} == titles


def test_a_record_that_is_given_by_its_key(library: Storage) -> None:
    author = Param("author", library.record_of(Author).type)
    expr = trace_value(lambda given: given.name == "Ada", [stand_in(author)], BOOL)
    query = peewee.Select([], [Scope(library.schema, {}).render(expr)])
    assert [bool(run(library, query, {"author": key})[0][0]) for key in (1, 2)] == [True, False]


def test_a_leaf_of_ones_own_is_asked_first_at_every_depth(library: Storage) -> None:
    author = Param("author", library.record_of(Author).type)
    expr = trace_value(lambda given: given.name == "Ada", [stand_in(author)], BOOL)
    book = library.schema.alias(library.record_of(Book), "book")

    def first(leaf: Expr) -> peewee.Node | None:
        return peewee.Column(book, "author_id") if leaf == author else None

    scope = Scope(library.schema, {}, first=first)
    rows = run(library, book.select(peewee.Column(book, "title")).where(scope.render(expr)))
    assert len(rows) == 3
    assert library.get(Book, book_id(3)).title == "Gamma"
