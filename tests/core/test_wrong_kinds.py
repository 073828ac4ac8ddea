"""Mistakes with entities that inherit from others: what is said of each, where, and what to write instead."""

# ruff: noqa: E501 - messages stand here as they are printed

from __future__ import annotations

from tests.core.test_wrong_models import Refuses, refuses

__all__ = ["refuses"]

BASE = """
@iq.interaction
class Edit:
    content: Content
    text: str

@iq.entity
class Content:
    title: str
    likes: Many[Like] = iq.many(inverse="content")
    like_count: int = iq.Count(likes)

    @iq.computed
    def label(self) -> str:
        return self.title

@iq.entity
class Like:
    content: Content

"""


def test_an_entity_that_inherits_from_two(refuses: Refuses) -> None:
    refuses(
        BASE
        + """
@iq.entity  # HERE
class Liked(Content, Like):
    pass
""",
        """
        InvalidEntity: [entity.several_bases]
          shop.py:HERE, Liked
          Liked inherits from Content and Like, but its records lie in one table
          inherit from one of them, and from plain classes for what several have in common
        """,
    )


def test_an_entity_that_inherits_from_a_view(refuses: Refuses) -> None:
    refuses(
        BASE
        + """
@iq.view(Content, where=lambda content: content.title != "")
class Titled(Content): ...

@iq.entity  # HERE
class Article(Titled):
    body: str
""",
        """
        InvalidEntity: [entity.base_kind]
          shop.py:HERE, Article
          Article inherits from Titled, which is a view and is made as what it is a view of
          inherit from an entity
        """,
    )


def test_a_relation_that_inherits_from_an_entity(refuses: Refuses) -> None:
    refuses(
        BASE
        + """
@iq.relation  # HERE
class Article(Content):
    body: str
""",
        """
        InvalidEntity: [entity.base_kind]
          shop.py:HERE, Article
          Article inherits from Content, which is an entity and has no kinds but entities
          decorate it with @iq.entity
        """,
    )


def test_a_kind_of_what_is_not_given_to_the_controller(refuses: Refuses) -> None:
    refuses(
        BASE
        + """
@iq.entity  # HERE
class Article(Content):
    body: str

MODELS = [Like, Article]
""",
        """
        UnresolvedName: [name.unresolved]
          shop.py:HERE, Article
          Content is not among the controller's models. There is: Like, InteractionEvent.
          give Content to the controller with the other models
        """,
    )


def test_an_attribute_of_another_type(refuses: Refuses) -> None:
    refuses(
        BASE
        + """
@iq.entity
class Article(Content):
    title: int  # HERE
""",
        """
        InvalidAttribute: [attribute.inherited]
          shop.py:HERE, Article.title
          title is str in Content, and can't be int here
          give it another name, or the same type
        """,
    )


def test_an_attribute_that_is_derived_in_the_other_class(refuses: Refuses) -> None:
    refuses(
        BASE
        + """
@iq.entity
class Article(Content):
    like_count: int = 3  # HERE
""",
        """
        InvalidAttribute: [attribute.inherited]
          shop.py:HERE, Article.like_count
          like_count is Count(likes) in Content, and means the same of all its kinds
          give it another name
        """,
    )


def test_an_attribute_that_interactions_change_in_one_kind_only(refuses: Refuses) -> None:
    refuses(
        BASE
        + """
@iq.entity
class Article(Content):
    title: str = iq.field(changes=iq.on(Edit, set=lambda e: e.payload.text))  # HERE
""",
        """
        InvalidAttribute: [attribute.inherited]
          shop.py:HERE, Article.title
          title is declared in Content; here it can have another default, and no more
          say the rest where Content.title is declared
        """,
    )


def test_an_attribute_that_a_method_would_hide(refuses: Refuses) -> None:
    refuses(
        BASE.replace("    title: str\n", "    title: str  # HERE\n")
        + """
@iq.entity
class Article(Content):
    def title(self) -> str:
        return ""
""",
        """
        InvalidAttribute: [attribute.inherited]
          shop.py:HERE, Article.title
          title is an attribute of Content
          write title: str = ... for another default, or use another name
        """,
    )


def test_a_kind_with_a_key_of_its_own(refuses: Refuses) -> None:
    refuses(
        BASE
        + """
@iq.entity
class Article(Content):
    number: int = iq.key()  # HERE
""",
        """
        InvalidAttribute: [attribute.inherited]
          shop.py:HERE, Article.number
          the key is that of Content, for both have one table
          leave it out
        """,
    )


def test_two_kinds_with_an_attribute_of_one_name(refuses: Refuses) -> None:
    refuses(
        BASE
        + """
@iq.entity
class Article(Content):
    size: str

@iq.entity
class Photo(Content):
    size: int  # HERE
""",
        """
        InvalidAttribute: [attribute.kinds_clash]
          shop.py:HERE, Photo.size
          Photo.size and Article.size would both be stored under the name 'size', for Photo and Article are kinds of Content and lie in one table
          declare it once, in Content or a class between, if it means the same; else rename one of them
        """,
    )


def test_a_kind_that_is_kept_for_another_time(refuses: Refuses) -> None:
    refuses(
        BASE
        + """
@iq.entity(retention=iq.Retention(keep=3))  # HERE
class Article(Content):
    body: str
""",
        """
        InvalidEntity: [entity.part_option]
          shop.py:HERE, Article
          retention= is said of all Content records together, for they lie in one table
          write it above class Content
        """,
    )


def test_a_kind_that_is_known_by_what_others_have_too(refuses: Refuses) -> None:
    refuses(
        BASE
        + """
@iq.entity(identity=("title",))  # HERE
class Article(Content):
    body: str
""",
        """
        InvalidEntity: [entity.identity]
          shop.py:HERE, Article: identity
          all that it is known by is that of Content, of which there are other kinds
          declare identity=('title',) above class Content, or name an attribute of Article as well
        """,
    )


def test_a_kind_that_follows_from_another_one(refuses: Refuses) -> None:
    refuses(
        BASE
        + """
@iq.entity
class Article(Content):
    body: str

@iq.entity
class Digest(Content):
    made = iq.Transform(Article, lambda article: Digest(title=article.body))  # HERE
""",
        """
        InvalidComputation: [transform.self]
          shop.py:HERE, Digest.made: Transform(Article)
          Article and Digest are kinds of Content and lie in one table, which would follow from itself
          let an interaction make both, or declare Digest as an entity of its own
        """,
    )


def test_an_attribute_of_a_kind_that_the_record_need_not_be(refuses: Refuses) -> None:
    refuses(
        BASE
        + """
@iq.entity
class Article(Content):
    body: str

@iq.dictionary
class Totals:
    long: int = iq.Count(Content, where=lambda content: len(content.body) > 3)  # HERE
""",
        """
        TraceError: [trace]
          shop.py:HERE, Totals.long: Count(Content, where=...)
          Content has no attribute 'body'
            in: long: int = iq.Count(Content, where=lambda content: len(content.body) > 3)
          an Article has: ask isinstance(content, Article) first
        """,
    )


def test_an_abstract_entity_that_is_made(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity(abstract=True)  # HERE
        class Content:
            title: str

        @iq.entity
        class Article(Content):
            body: str

        def use(app, storage):
            storage.create(Content(title="x"))
        """,
        """
        InvalidValue: [record.abstract]
          shop.py:HERE, Content
          Content is abstract: each of its records is of one of its kinds
          make Article(...)
        """,
    )


def test_isinstance_of_a_view_in_a_callback(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class Content:
            title: str

        @iq.view(Content, where=lambda content: content.title != "")
        class Titled(Content): ...

        @iq.dictionary
        class Totals:
            titled: int = iq.Count(Content, where=lambda content: isinstance(content, Titled))  # HERE
        """,
        """
        TraceError: [trace]
          shop.py:HERE, Totals.titled: Count(Content, where=...)
          isinstance() can't tell whether a record is in the view Titled
            in: titled: int = iq.Count(Content, where=lambda content: isinstance(content, Titled))
          ask what the view asks, or go over a collection of Titled records
        """,
    )
