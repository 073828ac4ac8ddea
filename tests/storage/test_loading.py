"""Loading: what a record lacks comes when asked for, for all that came with it, in one query."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from interaqt.core.errors import InvalidQuery, InvalidValue, NotInstalled, RecordNotFound
from interaqt.core.many import Many
from interaqt.storage.storage import Storage
from tests.storage.library import Author, Book, Loan, Profile, Reader, Shelf, book_id, insert


class Counted:
    """How many selects ran since it was made."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def __enter__(self) -> Counted:
        self._recording = self._storage.database.recording()
        self._recorder = self._recording.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._recording.__exit__(None, None, None)
        self.number = sum("SELECT" in sql for sql, _ in self._recorder.statements)


def test_a_loop_over_references_asks_once(library: Storage) -> None:
    with Counted(library) as counted:
        names = [book.author.name for book in library.query(Book)]
        shelves = [book.shelf.label if book.shelf else None for book in library.query(Book)]
    assert names == ["Ada", "Ada", "Ben", "Ada"]
    assert shelves == ["top", "low", None, None]
    assert counted.number == 4


def test_references_to_one_record_are_one_instance(library: Storage) -> None:
    first, second, third, _ = library.query(Book).all()
    assert first.author is second.author
    assert first.author != third.author


def test_what_was_loaded_together_loads_on_together(library: Storage) -> None:
    with Counted(library) as counted:
        found = [loan.book.author.profile for loan in library.query(Loan)]
    assert [profile.text if profile else None for profile in found] == ["engines"] * 4
    assert counted.number == 4  # loans, books, authors, profiles


def test_a_loop_over_collections_asks_once_for_each_step(library: Storage) -> None:
    with Counted(library) as counted:
        found = {
            author.name: {book.title: [reader.name for reader in book.readers] for book in author.books}
            for author in library.query(Author)
        }
    assert found == {
        "Ada": {"Alpha": ["Rae", "Sam", "Tia"], "Beta": ["Rae"], "Delta": []},
        "Ben": {"Gamma": []},
        "Cid": {},
    }
    assert counted.number == 3


def test_a_collection_knows_whose_it_is(library: Storage) -> None:
    ada = library.query(Author).where(lambda author: author.name == "Ada").one()
    with Counted(library) as counted:
        assert isinstance(ada.books, Many)
        assert all(book.author is ada for book in ada.books)
        assert ada.profile is not None
        assert ada.profile.author is ada
        assert ada.books is ada.books
    assert counted.number == 2


def test_a_record_shared_by_collections_is_one_instance(library: Storage) -> None:
    first, second, *_ = library.query(Book).all()
    assert first.readers[0] is second.readers[0]
    assert [reader.number for reader in first.readers] == [1, 2, 3]


def test_the_relation_is_reached_with_its_own_attributes(library: Storage) -> None:
    alpha = library.get(Book, book_id(1))
    assert [(loan.reader.name, loan.days) for loan in alpha.loans] == [("Rae", 7), ("Sam", 14), ("Tia", 21)]


def test_a_reference_to_its_own_class(library: Storage) -> None:
    top, low = library.query(Shelf).all()
    assert (top.above, low.above) == (None, top)
    assert (list(top.below), list(low.below)) == ([low], [])


# -- include ----------------------------------------------------------------------------------


def test_included_records_are_there_with_one_query_for_each_step(library: Storage) -> None:
    query = library.query(Author).include(
        lambda author: author.profile, lambda author: [book.readers for book in author.books]
    )
    with Counted(library) as counted:
        authors = query.all()
    assert counted.number == 4  # authors, profiles, books, readers
    with Counted(library) as counted:
        assert [[len(book.readers) for book in author.books] for author in authors] == [[3, 1, 0], [0], []]
        assert [author.profile is not None for author in authors] == [True, False, False]
    assert counted.number == 0


def test_include_goes_on_through_references(library: Storage) -> None:
    with Counted(library) as counted:
        (first, *_) = library.query(Loan).include(lambda loan: loan.book.author.books).all()
        assert [book.title for book in first.book.author.books] == ["Alpha", "Beta", "Delta"]
    assert counted.number == 4


def test_include_of_what_is_not_related_is_refused(library: Storage) -> None:
    with pytest.raises(InvalidQuery, match=r"no related records 'autor'.*\n?.*Did you mean 'author'"):
        library.query(Book).include(lambda book: book.autor)  # type: ignore[attr-defined]
    with pytest.raises(InvalidQuery, match=r"Book\.title is a value"):
        library.query(Book).include(lambda book: book.title)
    with pytest.raises(InvalidQuery, match="walks to no related record"):
        library.query(Book).include(lambda book: book)
    with pytest.raises(InvalidQuery, match="a collection has no 'author'"):
        library.query(Author).include(lambda author: author.books.author)  # type: ignore[attr-defined]


# -- records of which only the key is known ---------------------------------------------------


def test_ghosts_load_together_when_first_asked(library: Storage) -> None:
    model = library.record_of(Book)
    with Counted(library) as counted:
        first, second, missing = library.loader.ghosts(model, [book_id(1), book_id(2), book_id(99)])
        assert (first.id, repr(first)) == (book_id(1), f"Book(id={book_id(1)!r})")  # type: ignore[attr-defined]
    assert counted.number == 0
    with Counted(library) as counted:
        assert first.title == "Alpha"  # type: ignore[attr-defined]
        assert second.pages == 20  # type: ignore[attr-defined]
    assert counted.number == 1
    with pytest.raises(RecordNotFound, match="there is no Book with id"):
        missing.title  # type: ignore[attr-defined]  # noqa: B018


def test_a_ghost_leads_on(library: Storage) -> None:
    model = library.record_of(Book)
    ghosts: list[Any] = library.loader.ghosts(model, [book_id(1), book_id(3)])
    with Counted(library) as counted:
        assert [ghost.author.name for ghost in ghosts] == ["Ada", "Ben"]
    assert counted.number == 2
    with Counted(library) as counted:
        assert [len(ghost.readers) for ghost in ghosts] == [3, 0]
    assert counted.number == 1


def test_a_ghost_equals_the_record_that_it_stands_for(library: Storage) -> None:
    ghost = library.loader.ghost(library.record_of(Book), book_id(1))
    record = library.get(Book, book_id(1))
    assert ghost == record
    assert len({ghost, record}) == 1


def test_what_is_known_of_a_record_is_kept(library: Storage) -> None:
    model = library.record_of(Book)
    (known,) = library.loader.known(model, [{"id": book_id(1), "title": "mine", "shelf": None}])
    record: Any = known
    assert (record.title, record.pages, record.shelf, record.author.name) == ("mine", 10, None, "Ada")


def test_a_record_that_is_gone_meanwhile_is_told(library: Storage) -> None:
    (loan, *_) = library.query(Loan).all()
    transaction = library.database.begin()
    transaction.execute('DELETE FROM "loan"', ())
    transaction.execute('DELETE FROM "reader"', ())
    transaction.commit()
    with pytest.raises(RecordNotFound, match="there is no Reader with number"):
        loan.reader  # noqa: B018


# -- the rest -----------------------------------------------------------------------------------


def test_a_new_record_has_no_origin(library: Storage) -> None:
    with pytest.raises(InvalidValue, match="before the record is stored"):
        Author(name="new").books  # noqa: B018


def test_a_record_that_is_kept_does_not_keep_those_it_came_with(library: Storage) -> None:
    books = library.query(Book).all()
    kept, other = books[0], weakref.ref(books[1])
    del books
    gc.collect()
    assert other() is None
    assert kept.author.name == "Ada"


def test_what_computations_keep_for_themselves_is_not_loaded(library: Storage) -> None:
    (author, *_) = library.query(Author).all()
    assert not [name for name in vars(author) if "mean_price__" in name]
    source = library.loader.shape(library.record_of(Author)).source
    assert "'mean_price': value_" in source
    assert "mean_price__sum" not in source


def test_nothing_is_written_before_a_controller_is_set_up(library: Storage) -> None:
    with pytest.raises(NotInstalled, match="before a controller is set up"):
        library.create(Author(name="new"))


def test_records_of_a_mirror_when_there_is_none(library: Storage) -> None:
    insert(library, Profile, text="poems", author=2)
    found = [author.profile.text if author.profile else None for author in library.query(Author)]
    assert found == ["engines", "poems", None]
    assert library.query(Reader).count() == 3
