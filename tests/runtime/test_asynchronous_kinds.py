"""Asynchronous computations of records of several kinds: each is asked for where it belongs, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import interaqt as iq
from interaqt import Many
from tests.runtime.conftest import Apps

NOW = iq.Asynchronous()

asked: list[str] = []
"""What was computed, in order."""


async def title_of(title: str) -> str:
    asked.append(f"shout {title}")
    return title.upper()


async def words_of(title: str, body: str) -> int:
    asked.append(f"words {title}")
    return len(body.split())


def mood_of(notes: list[str]) -> str:
    asked.append("mood")
    return "bad" if "bad" in notes else "good"


def best_of(title: str, clips: list[int]) -> int | None:
    asked.append(f"best {title}")
    return max(clips, default=None)


@iq.interaction
class Rename:
    content: Content
    title: str


@iq.interaction
class Rewrite:
    article: Article
    body: str


@iq.interaction
class Drop:
    content: Content


@iq.entity
class Shelf:
    id: int = iq.key()
    contents: Many[Content] = iq.many(inverse="shelf")
    articles: Many[Article] = iq.many(inverse="shelf")

    shouted: int = iq.Count(contents, where=lambda content: content.shout is not None)
    words: int = iq.Summation(articles, of=lambda article: article.words)


@iq.entity
class Content:
    id: int = iq.key()
    shelf: Shelf
    title: str = iq.field(changes=iq.on(Rename, set=lambda e: e.payload.title))
    notes: Many[Note] = iq.many(inverse="content")

    shout: str | None = iq.Custom(reads=lambda content: (content.title,), compute=title_of, asynchronous=NOW)
    mood: str = iq.Custom(notes, inputs=lambda note: note.text, compute=mood_of, asynchronous=NOW, initial="none")

    @iq.deleted_by(Drop)
    def dropped(self, e: iq.Event[Drop]) -> bool:
        return self == e.payload.content


@iq.entity
class Article(Content):
    body: str = iq.field(default="", changes=iq.on(Rewrite, set=lambda e: e.payload.body))

    remarks: Many[Note] = iq.many(inverse="content")

    tone: str = iq.Custom(remarks, inputs=lambda note: note.text, compute=mood_of, asynchronous=NOW, initial="none")
    words: int = iq.Custom(
        reads=lambda article: (article.title, article.body), compute=words_of, asynchronous=NOW, initial=0
    )


@iq.entity
class Film(Content):
    clips: Many[Clip] = iq.many(inverse="film")

    best: int | None = iq.Custom(
        clips,
        reads=lambda film: film.title,
        inputs=lambda clip: clip.stars,
        compute=best_of,
        asynchronous=NOW,
    )


@iq.entity
class Note:
    id: int = iq.key()
    content: Content = iq.one(on_delete="cascade")
    text: str


@iq.entity
class Clip:
    id: int = iq.key()
    film: Film = iq.one(on_delete="cascade")
    stars: int


MODELS = (Shelf, Content, Article, Film, Note, Clip, Rename, Rewrite, Drop)


@pytest.fixture
def app(make_app: Apps) -> Iterator[iq.Controller]:
    app = make_app(*MODELS)
    asked.clear()
    yield app
    assert app.verify() == []


@pytest.fixture
def shelf(app: iq.Controller) -> Shelf:
    return app.system.storage.create(Shelf())


def waiting(app: iq.Controller) -> list[tuple[str, str]]:
    """What is asked for, each with the kind of its record."""
    return sorted((task.attribute, type(app.system.storage.get(Content, task.key)).__name__) for task in app.tasks())


def done(app: iq.Controller) -> list[str]:
    """What is computed by all that is asked for."""
    asked.clear()
    app.run_tasks()
    assert app.tasks() == []
    return sorted(asked)


def test_a_record_is_asked_of_what_its_kind_has_and_of_no_more(app: iq.Controller, shelf: Shelf) -> None:
    create = app.system.storage.create
    create(Content(shelf=shelf, title="note"))
    create(Article(shelf=shelf, title="essay", body="a b c"))
    create(Film(shelf=shelf, title="noir"))
    assert waiting(app) == [
        ("Article.words", "Article"),
        ("Content.shout", "Article"),
        ("Content.shout", "Content"),
        ("Content.shout", "Film"),
    ]
    assert app.verify() == []
    assert done(app) == ["shout essay", "shout noir", "shout note", "words essay"]
    found = {each.title: each for each in app.system.storage.query(Content)}
    assert {title: each.shout for title, each in found.items()} == {"note": "NOTE", "essay": "ESSAY", "noir": "NOIR"}
    essay, noir = found["essay"], found["noir"]
    assert isinstance(essay, Article)
    assert isinstance(noir, Film)
    assert (essay.words, noir.best, essay.mood) == (3, None, "none")
    assert (app.system.storage.get(Shelf, shelf.id).shouted, app.system.storage.get(Shelf, shelf.id).words) == (3, 3)


def test_what_all_kinds_have_changes_what_each_is_asked(app: iq.Controller, shelf: Shelf) -> None:
    create = app.system.storage.create
    article = create(Article(shelf=shelf, title="essay", body="a b"))
    film = create(Film(shelf=shelf, title="noir"))
    done(app)
    app.dispatch(Rename(content=film, title="Noir"))
    app.dispatch(Rename(content=article, title="Essay"))
    assert waiting(app) == [
        ("Article.words", "Article"),
        ("Content.shout", "Article"),
        ("Content.shout", "Film"),
        ("Film.best", "Film"),
    ]
    assert done(app) == ["shout Essay", "shout Noir", "words Essay"]
    app.dispatch(Rewrite(article=article, body="a b c d"))
    assert waiting(app) == [("Article.words", "Article")]
    assert done(app) == ["words Essay"]
    assert app.system.storage.get(Shelf, shelf.id).words == 4


def test_collections_of_one_kind_and_of_all(app: iq.Controller, shelf: Shelf) -> None:
    create = app.system.storage.create
    film = create(Film(shelf=shelf, title="noir"))
    article = create(Article(shelf=shelf, title="essay"))
    done(app)
    create(Clip(film=film, stars=3))
    create(Note(content=film, text="bad"))
    create(Note(content=article, text="fine"))
    assert waiting(app) == [
        ("Article.tone", "Article"),
        ("Content.mood", "Article"),
        ("Content.mood", "Film"),
        ("Film.best", "Film"),
    ]
    assert done(app) == ["best noir", "mood", "mood", "mood"]
    assert (app.system.storage.get(Film, film.id).best, app.system.storage.get(Film, film.id).mood) == (3, "bad")
    assert app.system.storage.get(Article, article.id).mood == "good"


def test_a_task_tells_of_which_kind_its_record_is(app: iq.Controller, shelf: Shelf) -> None:
    article = app.system.storage.create(Article(shelf=shelf, title="essay", body="a b"))
    (task,) = app.tasks("Article.words")
    assert task.record == article
    assert isinstance(task.record, Article)
    assert task.record.body == "a b"


def test_what_is_asked_of_a_record_goes_with_it(app: iq.Controller, shelf: Shelf) -> None:
    article = app.system.storage.create(Article(shelf=shelf, title="essay", body="a b"))
    app.system.storage.create(Film(shelf=shelf, title="noir"))
    app.dispatch(Drop(content=article))
    assert waiting(app) == [("Content.shout", "Film")]
    assert done(app) == ["shout noir"]


def test_rebuild_asks_for_what_each_kind_has(app: iq.Controller, shelf: Shelf) -> None:
    create = app.system.storage.create
    create(Article(shelf=shelf, title="essay", body="a b"))
    create(Film(shelf=shelf, title="noir"))
    done(app)
    app.rebuild(Article, "words")
    assert waiting(app) == [("Article.words", "Article")]
    app.rebuild(Content)
    assert done(app) == ["shout essay", "shout noir", "words essay"]


def test_a_record_of_another_kind_costs_nothing(app: iq.Controller, shelf: Shelf) -> None:
    def tasks_written(content: Content) -> int:
        with app.system.database.recording() as recorder:
            app.system.storage.create(content)
        return sum("asynchronous_task" in sql for sql, _ in recorder.statements)

    assert tasks_written(Content(shelf=shelf, title="note")) == 1
    assert tasks_written(Film(shelf=shelf, title="noir")) == 1
    assert tasks_written(Article(shelf=shelf, title="essay")) == 2
