"""The model that the storage tests share, and a way to put rows into it without any of the engine."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any

from interaqt.core.computations import Average, Count
from interaqt.core.declare import entity, relation
from interaqt.core.fields import computed, field, key, many, one
from interaqt.core.many import Many
from interaqt.core.model import Property, Reference
from interaqt.core.record import Record, key_of
from interaqt.core.resolve import resolve
from interaqt.storage.database import Database
from interaqt.storage.schema import Schema
from interaqt.storage.storage import Storage

__all__ = [
    "CLASSES",
    "Author",
    "Book",
    "Genre",
    "Loan",
    "Profile",
    "Reader",
    "Sample",
    "Shelf",
    "book_id",
    "insert",
    "installed",
    "stocked",
]


class Genre(enum.Enum):
    NOVEL = "novel"
    POEMS = "poems"


@entity(unique=[("name", "born")])
class Author:
    id: int = key()
    name: str
    born: int | None = None
    favourite: Book | None = one(default=None)
    books: Many[Book] = many(inverse="author")
    profile: Profile | None = one(inverse="author")

    book_count: int = Count(books)
    mean_price: float | None = Average(books, lambda book: float_price(book))

    @computed
    def shown(self) -> str:
        return f"{self.name}!"


def float_price(book: Book) -> float:
    return book.pages * 1.5


@entity
class Profile:
    id: int = key()
    text: str
    author: Author = one(unique=True)


@entity
class Book:
    id: uuid.UUID = key()
    title: str = field(index=True)
    pages: int
    genre: Genre = Genre.NOVEL
    author: Author = one()
    shelf: Shelf | None = one(default=None)
    loans: Many[Loan] = many(inverse="book")
    readers: Many[Reader] = many(through="loans")


@entity
class Reader:
    number: int = key()
    name: str = field(unique=True)
    loans: Many[Loan] = many(inverse="reader")


@relation
class Loan:
    reader: Reader
    book: Book
    days: int = 14


@entity
class Shelf:
    id: int = key()
    label: str
    above: Shelf | None = one(default=None)
    below: Many[Shelf] = many(inverse="above")


@entity
class Sample:
    id: int = key()
    a_bool: bool
    an_int: int
    a_float: float
    a_decimal: Decimal
    a_str: str
    some_bytes: bytes
    a_date: dt.date
    a_datetime: dt.datetime
    a_span: dt.timedelta
    a_uuid: uuid.UUID
    a_genre: Genre
    a_json: dict[str, list[int]]
    maybe_int: int | None = None
    maybe_json: list[str] | None = None
    maybe_genre: Genre | None = None


CLASSES: list[type] = [Author, Profile, Book, Reader, Loan, Shelf, Sample]


def installed(database: Database) -> Storage:
    """The library in an empty database."""
    schema = Schema(resolve(CLASSES), database)
    schema.install()
    return Storage(schema)


def insert(storage: Storage, cls: type, **values: Any) -> Any:
    """Write one row by plain SQL; answers its key. What the engine would keep starts at zero."""
    record = storage.record_of(cls)
    dialect = storage.database.dialect
    columns: list[str] = []
    stored: list[Any] = []
    for each in record.stored():
        assert isinstance(each, Property | Reference)
        if each.name in values:
            value = values[each.name]
        elif isinstance(each, Property) and each.computation is not None and not each.type.nullable:
            value = 0
        else:
            continue
        convert = dialect.to_db(each.type)
        value = key_of(value) if isinstance(value, Record) else value
        columns.append(dialect.quote(each.column))
        stored.append(value if convert is None else convert(value))
    pieces = [""] + [", "] * (len(columns) - 1) + [""]
    places = dialect.paramstyle(pieces)
    sql = f"INSERT INTO {dialect.quote(record.table)} ({', '.join(columns)}) VALUES ({places}) RETURNING "
    transaction = storage.database.begin()
    try:
        (found,) = transaction.execute(sql + dialect.quote(record.key.column), stored).fetchone()
        transaction.commit()
    except BaseException:
        transaction.rollback()
        raise
    convert = dialect.from_db(record.key.type)
    return found if convert is None else convert(found)


def book_id(number: int) -> uuid.UUID:
    return uuid.UUID(int=number)


def stocked(database: Database) -> Storage:
    """Ada (1815) wrote Alpha, Beta and Delta; Ben (no year) wrote Gamma; Cid (1900) nothing."""
    storage = installed(database)
    ada = insert(storage, Author, name="Ada", born=1815)
    ben = insert(storage, Author, name="Ben", born=None)
    insert(storage, Author, name="Cid", born=1900)
    insert(storage, Profile, text="engines", author=ada)
    top = insert(storage, Shelf, label="top")
    low = insert(storage, Shelf, label="low", above=top)
    books = [("Alpha", 10, ada, top), ("Beta", 20, ada, low), ("Gamma", 30, ben, None), ("Delta", 20, ada, None)]
    for number, (title, pages, author, shelf) in enumerate(books, 1):
        genre = Genre.POEMS if title == "Gamma" else Genre.NOVEL
        insert(storage, Book, id=book_id(number), title=title, pages=pages, genre=genre, author=author, shelf=shelf)
    readers = [insert(storage, Reader, name=name) for name in ("Rae", "Sam", "Tia")]
    for reader, number, days in ((0, 1, 7), (1, 1, 14), (2, 1, 21), (0, 2, 7)):
        insert(storage, Loan, reader=readers[reader], book=book_id(number), days=days)
    return storage
