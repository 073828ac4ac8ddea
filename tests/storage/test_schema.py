"""Tables: what they are called, what they hold by themselves, and how a refusal is told."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from interaqt.core.declare import entity
from interaqt.core.errors import ConstraintViolationError, NotInstalled, SetupError
from interaqt.core.fields import field, key
from interaqt.core.resolve import resolve
from interaqt.storage.database import Database
from interaqt.storage.names import LONGEST, object_name
from interaqt.storage.schema import Schema
from interaqt.storage.storage import Storage
from tests.storage.library import CLASSES, Author, Book, Genre, Loan, Profile, Reader, insert, installed


@pytest.fixture
def library(database: Database) -> Storage:
    return installed(database)


def test_tables_and_columns_are_named_as_they_are_declared(library: Storage) -> None:
    tables = library.database.tables()
    assert set(tables) == {"author", "profile", "book", "reader", "loan", "shelf", "sample"}
    assert tables["book"] == {"id", "title", "pages", "genre", "author_id", "shelf_id"}
    assert tables["loan"] == {"id", "reader_number", "book_id", "days"}
    assert {"book_count", "mean_price", "mean_price__sum", "mean_price__count"} <= tables["author"]


def test_installing_again_changes_nothing(library: Storage) -> None:
    insert(library, Author, name="Ada")
    with library.database.recording() as recorder:
        library.schema.install()
        library.schema.check()
    assert not [sql for sql, _ in recorder.statements if "CREATE" in sql]
    assert library.query(Author).count() == 1


def test_what_is_not_installed_is_refused(database: Database) -> None:
    schema = Schema(resolve(CLASSES), database)
    with pytest.raises(NotInstalled, match="'author', 'profile', 'book'"):
        schema.check()


def test_an_existing_table_without_a_column_is_refused_with_what_would_add_it(database: Database) -> None:
    database.run_ddl(['CREATE TABLE "reader" ("number" INTEGER PRIMARY KEY)'])
    schema = Schema(resolve(CLASSES), database)
    with pytest.raises(SetupError) as caught:
        schema.install()
    assert caught.value.code == "setup.missing_column"
    assert "the table 'reader' has no column 'name', for Reader.name" in caught.value.message
    quote = database.dialect.quote
    column = f"ALTER TABLE {quote('reader')} ADD COLUMN {quote('name')}"
    words = "VARCHAR(255)" if database.dialect.name in ("MariaDB", "MySQL") else "TEXT"
    assert f"{column} {words}" in caught.value.hint
    assert set(database.tables()) == {"reader"}  # nothing half done


def test_a_column_of_another_type_is_refused(database: Database) -> None:
    database.run_ddl(['CREATE TABLE "reader" ("number" INTEGER PRIMARY KEY, "name" DOUBLE PRECISION)'])
    schema = Schema(resolve(CLASSES), database)
    with pytest.raises(
        SetupError, match=r"Reader\.name is str, stored as (?i:(long)?text), but the column 'name'"
    ) as caught:
        schema.install()
    assert caught.value.code == "setup.column_type"
    assert set(database.tables()) == {"reader"}


def indexes(database: Database) -> set[tuple[str, str]]:
    by_name = {
        "SQLite": "SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL",
        "PostgreSQL": "SELECT tablename, indexname FROM pg_indexes WHERE schemaname = current_schema()"
        " AND indexname LIKE '%%idx'",
    }
    sql = by_name.get(
        database.dialect.name,
        "SELECT table_name, index_name FROM information_schema.statistics WHERE table_schema = database()"
        " AND index_name LIKE '%%idx'",
    )
    with database.reading() as reading:
        return {(table, name) for table, name in reading.execute(sql, ()).fetchall()}


def test_each_reference_can_be_followed_backwards_by_an_index(library: Storage) -> None:
    assert indexes(library.database) == {
        ("author", "author_favourite_id_idx"),
        ("book", "book_title_idx"),
        ("book", "book_author_id_idx"),
        ("book", "book_shelf_id_idx"),
        ("loan", "loan_book_id_idx"),  # its reader is first in the unique pair, its author in a unique column
        ("shelf", "shelf_above_id_idx"),
    }


def test_a_key_is_never_given_again(library: Storage) -> None:
    first = insert(library, Reader, name="Ada")
    transaction = library.database.begin()
    transaction.execute('DELETE FROM "reader"', ())
    transaction.commit()
    assert insert(library, Reader, name="Ben") > first


def refused(library: Storage, write: Callable[[], Any]) -> ConstraintViolationError:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of whatever class the driver raises
        write()
    violation = library.database.violation(caught.value)
    assert violation is not None
    return library.schema.violation(violation)


def test_a_value_that_exists_already(library: Storage) -> None:
    insert(library, Reader, name="Ada")
    error = refused(library, lambda: insert(library, Reader, name="Ada"))
    assert (error.kind, error.record, error.properties) == ("unique", "Reader", ("name",))
    assert (error.code, error.constraint) == ("constraint.unique", "reader_name_key")
    assert error.message == "there is a Reader with the same name already"


def test_values_that_exist_together_already(library: Storage) -> None:
    insert(library, Author, name="Ada", born=1815)
    insert(library, Author, name="Ada", born=1816)
    error = refused(library, lambda: insert(library, Author, name="Ada", born=1815))
    assert (error.kind, error.properties) == ("unique", ("name", "born"))


def test_none_is_not_the_same_as_another_none(library: Storage) -> None:
    insert(library, Author, name="Ada", born=None)
    insert(library, Author, name="Ada", born=None)
    assert library.query(Author).count() == 2


def test_a_pair_is_linked_once(library: Storage) -> None:
    author, reader = insert(library, Author, name="Ada"), insert(library, Reader, name="Ben")
    book = insert(library, Book, id=uuid.uuid4(), title="One", pages=1, genre=Genre.NOVEL, author=author)
    insert(library, Loan, reader=reader, book=book, days=1)
    error = refused(library, lambda: insert(library, Loan, reader=reader, book=book, days=2))
    assert (error.record, error.properties) == ("Loan", ("reader", "book"))


def test_one_to_one_takes_one(library: Storage) -> None:
    author = insert(library, Author, name="Ada")
    insert(library, Profile, text="first", author=author)
    error = refused(library, lambda: insert(library, Profile, text="second", author=author))
    assert (error.record, error.properties) == ("Profile", ("author",))


def test_a_required_value_that_is_missing(library: Storage) -> None:
    error = refused(library, lambda: insert(library, Author))
    assert (error.kind, error.record, error.properties) == ("not_null", "Author", ("name",))
    assert error.message == "Author.name is None, but it is not optional"


def test_a_reference_to_nothing(library: Storage) -> None:
    error = refused(library, lambda: insert(library, Profile, text="of nobody", author=99))
    assert (error.kind, error.code) == ("foreign_key", "constraint.foreign_key")
    if library.database.dialect.name != "SQLite":  # which does not tell the constraint
        assert (error.record, error.properties) == ("Profile", ("author",))


def test_what_is_referred_to_is_not_deleted_behind_the_engine(library: Storage) -> None:
    author = insert(library, Author, name="Ada")
    insert(library, Profile, text="hers", author=author)

    def delete() -> None:
        transaction = library.database.begin()
        try:
            transaction.execute('DELETE FROM "author"', ())
            transaction.commit()
        finally:
            transaction.rollback()

    assert refused(library, delete).kind == "foreign_key"
    assert library.query(Profile).count() == 1


def test_a_value_outside_its_type(library: Storage) -> None:
    author = insert(library, Author, name="Ada")

    def write() -> None:
        transaction = library.database.begin()
        try:
            transaction.execute(
                'INSERT INTO "book" ("id", "title", "pages", "genre", "author_id")'
                f" VALUES ('00000000-0000-0000-0000-000000000001', 't', 1, 'opera', {author})",
                (),
            )
            transaction.commit()
        finally:
            transaction.rollback()

    error = refused(library, write)
    assert (error.kind, error.record, error.properties) == ("check", "Book", ("genre",))


def test_names_of_objects_fit_and_stay() -> None:
    assert object_name("book", ["author_id"], "idx") == "book_author_id_idx"
    long = object_name("t" * 40, ["a" * 40, "b" * 40], "fkey")
    assert len(long.encode()) == LONGEST
    assert long == object_name("t" * 40, ["a" * 40, "b" * 40], "fkey")
    assert long != object_name("t" * 40, ["a" * 40, "c" * 40], "fkey")
    assert long.endswith("_fkey")
    wide = object_name("ä" * 20, ["ö" * 20], "key")
    assert len(wide.encode()) <= LONGEST


@entity
class Post:
    tag_name: str = field(unique=True)


@entity
class PostTag:
    name: str = field(unique=True)


@entity
class Order:
    """Words of SQL for names, and one that only quoting keeps apart."""

    select: int = key()
    where: str
    group: int | None = field(index=True)
    CamelCase: int = 0


def test_objects_of_two_tables_that_would_be_called_the_same_are_told_apart(database: Database) -> None:
    schema = Schema(resolve([Post, PostTag]), database)
    schema.install()
    storage = Storage(schema)
    for cls, attribute in ((Post, "tag_name"), (PostTag, "name")):
        insert(storage, cls, **{attribute: "x"})
        error = refused(storage, lambda: insert(storage, cls, **{attribute: "x"}))  # noqa: B023
        assert (error.record, error.properties) == (cls.__name__, (attribute,))


def test_names_that_are_words_of_sql(database: Database) -> None:
    schema = Schema(resolve([Order]), database)
    schema.install()
    storage = Storage(schema)
    insert(storage, Order, where="here", group=None, CamelCase=3)
    (order,) = storage.query(Order).where(lambda each: each.where == "here" and each.CamelCase == 3).all()
    assert (order.where, order.group, order.CamelCase) == ("here", None, 3)
