"""Mistakes with views: what is said of each, where, and what to write instead."""

# ruff: noqa: E501 - messages stand here as they are printed

from __future__ import annotations

from tests.core.test_wrong_models import Refuses, refuses

__all__ = ["refuses"]

BLOG = """
@iq.entity
class User:
    name: str
    active: bool = True
    posts: Many[Post] = iq.many(inverse="author")
    post_count: int = iq.Count(posts)

@iq.entity
class Post:
    title: str
    status: Literal["draft", "live"] = "draft"
    author: User
"""


def test_a_view_of_what_is_no_record(refuses: Refuses) -> None:
    refuses(
        """
        class Post:
            title: str

        @iq.view(Post, where=lambda post: post.title != "")  # HERE
        class TitledPost(Post): ...
        """,
        """
        InvalidEntity: [view.of]
          shop.py:HERE
          @iq.view takes the class of an entity, a relation or another view, not Post
          write @iq.view(Post, where=lambda post: post.published) above class LivePost(Post):
        """,
    )


def test_a_view_whose_condition_is_no_callback(refuses: Refuses) -> None:
    refuses(
        BLOG
        + """
@iq.view(Post, where=True)  # HERE
class LivePost(Post): ...
""",
        """
        InvalidEntity: [view.where]
          shop.py:HERE
          where= takes a condition, such as lambda each: each.active, not True
        """,
    )


def test_a_view_that_does_not_inherit(refuses: Refuses) -> None:
    refuses(
        BLOG
        + """
@iq.view(Post, where=lambda post: post.status == "live")  # HERE
class LivePost: ...
""",
        """
        InvalidEntity: [view.base]
          shop.py:HERE, LivePost
          LivePost is a view of Post, but inherits from no entity
          write class LivePost(Post):
        """,
    )


def test_a_view_that_inherits_from_another_one(refuses: Refuses) -> None:
    refuses(
        BLOG
        + """
@iq.view(Post, where=lambda post: post.status == "live")
class LivePost(Post): ...

@iq.view(Post, where=lambda post: post.title != "")  # HERE
class TitledPost(LivePost): ...
""",
        """
        InvalidEntity: [view.base]
          shop.py:HERE, TitledPost
          TitledPost is a view of Post, but inherits from LivePost
          write class TitledPost(Post):
        """,
    )


def test_a_view_with_an_attribute(refuses: Refuses) -> None:
    for line in ("hot: bool = True", "heat = iq.Count(posts)", "@iq.computed\n    def hot(self) -> bool: ..."):
        name = "heat" if "heat" in line else "hot"
        refuses(
            BLOG
            + f"""
posts: Any = iq.many(inverse="author")

@iq.view(Post, where=lambda post: post.status == "live")  # HERE
class LivePost(Post):
    {line}
""",
            f"""
            InvalidEntity: [view.attribute]
              shop.py:HERE, LivePost.{name}
              {name} stands in a view, which has the attributes of Post and no others
              declare it in Post; a view has a docstring, methods and properties
            """,
        )


def test_a_view_of_what_is_not_given_to_the_controller(refuses: Refuses) -> None:
    refuses(
        BLOG
        + """
@iq.view(Post, where=lambda post: post.status == "live")  # HERE
class LivePost(Post): ...

MODELS = [User, LivePost]
""",
        """
        UnresolvedName: [name.unresolved]
          shop.py:HERE, LivePost: view
          Post is not among the controller's models. There is: User, InteractionEvent.
          give Post to the controller with the other models
        """,
    )


def test_a_view_that_is_named_and_not_given_to_the_controller(refuses: Refuses) -> None:
    refuses(
        BLOG.replace("posts: Many[Post] =", "posts: Many[LivePost] =").replace(
            'iq.many(inverse="author")', 'iq.many(inverse="author")  # HERE'
        )
        + """
@iq.view(Post, where=lambda post: post.status == "live")
class LivePost(Post): ...

MODELS = [User, Post]
""",
        """
        UnresolvedName: [name.unresolved]
          shop.py:HERE, User.posts
          LivePost is not among the controller's models. Did you mean 'Post'?  There is: User, Post, InteractionEvent.
          give LivePost to the controller with the other models
        """,
    )


def test_a_reference_to_a_view(refuses: Refuses) -> None:
    refuses(
        BLOG
        + """
@iq.view(Post, where=lambda post: post.status == "live")
class LivePost(Post): ...

@iq.entity
class Page:
    post: LivePost  # HERE
""",
        """
        InvalidAttribute: [attribute.view]
          shop.py:HERE, Page.post
          LivePost is a view, and what is in it now may leave it, which a reference would outlive
          write post: Post, and ask where it matters whether the record is in the view
        """,
    )


def test_a_misspelt_attribute_in_a_views_condition(refuses: Refuses) -> None:
    refuses(
        BLOG
        + """
@iq.view(Post, where=lambda post: post.state == "live")  # HERE
class LivePost(Post): ...
""",
        """
        TraceError: [trace]
          shop.py:HERE, LivePost: view
          Post has no attribute 'state'
            in: @iq.view(Post, where=lambda post: post.state == "live")
          Did you mean 'status'?  There is: title, status, author, id.
        """,
    )


def test_a_view_whose_condition_reads_a_collection(refuses: Refuses) -> None:
    refuses(
        BLOG
        + """
@iq.view(User, where=lambda user: len(user.posts) > 0)  # HERE
class Writer(User): ...
""",
        """
        TraceError: [trace]
          shop.py:HERE, Writer: view
          User.posts is a collection, which a computation can't read as a value
            in: @iq.view(User, where=lambda user: len(user.posts) > 0)
          declare `posts_count: int = iq.Count(posts)` or `any_posts: bool = iq.Any(posts, ...)` in User and read that
        """,
    )


def test_a_view_that_is_made_of_what_follows_from_it(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class User:
            name: str
            busy_posts: Many[BusyPost] = iq.many(inverse="author")
            busy: int = iq.Count(busy_posts)  # HERE

        @iq.entity
        class Post:
            author: User

        @iq.view(Post, where=lambda post: post.author.busy > 3)
        class BusyPost(Post): ...
        """,
        """
        ComputationCycle: [computation.cycle]
          shop.py:HERE, User.busy
          these follow from one another, so none can be worked out first:
            User.busy  (shop.py:HERE)
            -> User.busy  (shop.py:HERE)
          break the circle: let one of them read what the user sets, not what is derived
        """,
    )


def test_a_collection_of_a_view_by_what_does_not_lead_back(refuses: Refuses) -> None:
    refuses(
        BLOG.replace(
            '    posts: Many[Post] = iq.many(inverse="author")\n',
            '    posts: Many[Post] = iq.many(inverse="author")\n    live: Many[LivePost] = iq.many(inverse="writer")  # HERE\n',
        )
        + """
@iq.view(Post, where=lambda post: post.status == "live")
class LivePost(Post): ...
""",
        """
        InvalidAttribute: [attribute.inverse]
          shop.py:HERE, User.live
          LivePost has no reference 'writer' to User. There is: author.
        """,
    )


def test_a_view_that_is_made(refuses: Refuses) -> None:
    refuses(
        BLOG
        + """
@iq.view(Post, where=lambda post: post.status == "live")  # HERE
class LivePost(Post): ...

def use(app, storage):
    storage.create(LivePost(title="x", author=storage.create(User(name="Ada"))))
""",
        """
        InvalidValue: [record.view]
          shop.py:HERE, LivePost
          LivePost is a view: a Post is in it as long as it satisfies what the view says
          make a Post(...)
        """,
    )


def test_a_transform_that_makes_a_view(refuses: Refuses) -> None:
    refuses(
        BLOG.replace(
            "    author: User\n",
            "    author: User\n    made = iq.Transform(User, lambda user: LivePost(title=user.name, author=user))  # HERE\n",
        )
        + """
@iq.view(Post, where=lambda post: post.status == "live")
class LivePost(Post): ...
""",
        """
        TraceError: [trace]
          shop.py:HERE, Post.made: Transform(User)
          LivePost is a view: a Post is in it as long as it satisfies what the view says
            in: made = iq.Transform(User, lambda user: LivePost(title=user.name, author=user))
          make a Post(...)
        """,
    )


def test_a_misspelt_attribute_in_a_transform_from_a_view(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class Post:
            title: str

        @iq.view(Post, where=lambda post: post.title != "")
        class TitledPost(Post): ...

        @iq.entity
        class Copy:
            text: str
            post: Post
            made = iq.Transform(TitledPost, lambda post: Copy(text=post.headline, post=post))  # HERE
        """,
        """
        TraceError: [trace]
          shop.py:HERE, Copy.made: Transform(TitledPost)
          TitledPost has no attribute 'headline'
            in: made = iq.Transform(TitledPost, lambda post: Copy(text=post.headline, post=post))
          There is: title, id.
        """,
    )
