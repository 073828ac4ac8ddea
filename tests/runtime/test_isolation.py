"""What one dispatch reads behind a reference cannot change under it: no derived value is ever torn."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import interaqt as iq
from interaqt import Many
from interaqt.storage.database import Database


@iq.interaction
class Rename:
    author: Author
    name: str


@iq.interaction
class Grade:
    book: Book
    grade: int


@iq.interaction
class AddReview:
    book: Book
    author: Author
    stars: int


@iq.interaction
class Rescore:
    review: Review
    stars: int


@iq.entity
class Author:
    id: int = iq.key()
    name: str = iq.field(changes=iq.on(Rename, set=lambda e: e.payload.name))


@iq.entity
class Book:
    id: int = iq.key()
    grade: int = iq.field(changes=iq.on(Grade, set=lambda e: e.payload.grade))
    reviews: Many[Review] = iq.many(inverse="book")

    by_humans: int = iq.Count(reviews, where=lambda review: review.author.name != "bot")
    weight: int = iq.Summation(
        reviews, of=lambda review: review.stars * review.book.grade, where=lambda review: review.author.name != "bot"
    )


@iq.entity
class Review:
    id: int = iq.key()
    book: Book
    author: Author
    stars: int = iq.field(changes=iq.on(Rescore, set=lambda e: e.payload.stars))

    added = iq.Transform(
        AddReview, lambda e: Review(book=e.payload.book, author=e.payload.author, stars=e.payload.stars)
    )


MODELS = [Author, Book, Review, Rename, Grade, AddReview, Rescore]


class Shop:
    def __init__(self, database: Any) -> None:
        self.system = iq.MonoSystem(database)
        self.app = iq.Controller(self.system, MODELS)
        self.app.setup(install=True)
        storage = self.system.storage
        self.author = storage.create(Author(name="Ada"))
        self.book = storage.create(Book(grade=2))
        self.review = storage.create(Review(book=self.book, author=self.author, stars=3))

    def at_once(self, first: Any, second: Any) -> None:
        """Start the second while the first has written and not committed; both must succeed."""
        reached, hold = threading.Event(), threading.Event()
        dispatch = self.app._dispatches[type(first)]
        facts = dispatch.facts.write
        errors: list[BaseException] = []

        def held(run: Any, event: Any, asked: Any) -> None:
            facts(run, event, asked)
            run.tx.execute("SELECT 1", ()).fetchall()
            if threading.current_thread() is one:
                reached.set()
                hold.wait(5)

        dispatch.facts.write = held  # type: ignore[method-assign]

        def go(request: Any) -> None:
            try:
                self.app.dispatch(request)
            except BaseException as error:
                errors.append(error)

        one = threading.Thread(target=go, args=(first,))
        two = threading.Thread(target=go, args=(second,))
        one.start()
        assert reached.wait(5)
        two.start()
        two.join(0.5)
        hold.set()
        one.join(10)
        two.join(10)
        dispatch.facts.write = facts  # type: ignore[method-assign]
        assert not errors, errors
        assert self.app.verify() == []


@pytest.fixture
def shop(server: Database) -> Shop:
    return Shop(server)


def test_a_review_added_while_its_author_is_renamed_counts_by_the_new_name(shop: Shop) -> None:
    shop.at_once(Rename(author=shop.author, name="bot"), AddReview(book=shop.book, author=shop.author, stars=1))


def test_an_author_renamed_while_a_review_is_added_finds_that_review(shop: Shop) -> None:
    shop.at_once(AddReview(book=shop.book, author=shop.author, stars=1), Rename(author=shop.author, name="bot"))


def test_two_far_ends_of_one_review_change_together(shop: Shop) -> None:
    shop.at_once(Rename(author=shop.author, name="bot"), Grade(book=shop.book, grade=5))
    shop.at_once(Grade(book=shop.book, grade=7), Rename(author=shop.author, name="Eve"))


def test_a_review_rescored_while_what_it_is_weighed_by_changes(shop: Shop) -> None:
    shop.at_once(Rescore(review=shop.review, stars=5), Grade(book=shop.book, grade=5))
    shop.at_once(Grade(book=shop.book, grade=3), Rescore(review=shop.review, stars=1))
    shop.at_once(Rename(author=shop.author, name="bot"), Rescore(review=shop.review, stars=4))


def test_what_a_new_row_is_weighed_by_is_locked_before_whom_it_counts_for(shop: Shop) -> None:
    """Where a reference holds its target: who changes the author goes from there to the books, too."""
    if not shop.system.database.dialect.reference_locks:  # type: ignore[attr-defined]
        pytest.skip("a new row holds nobody there")
    review = AddReview(book=shop.book, author=shop.author, stars=1)
    shop.app.dispatch(review)
    with shop.system.database.recording() as recorder:
        shop.app.dispatch_many([review] * 5)
    begin, event, author, book, insert, *_ = [sql.replace("`", '"') for sql, _ in recorder.statements]
    assert begin.startswith(("BEGIN", "START"))
    assert '"interaction_event"' in event
    assert '"author"' in author
    assert author.endswith("LOCK IN SHARE MODE")
    assert '"book"' in book
    assert book.endswith("FOR UPDATE")
    assert insert.startswith('INSERT INTO "review"')
