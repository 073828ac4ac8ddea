"""Mistakes in a Custom: what is said of each, where, and what to write instead."""

# ruff: noqa: E501 - messages stand here as they are printed

from __future__ import annotations

import pytest

from tests.core.test_wrong_models import BLOG, Refuses, refuses

__all__ = ["refuses"]


def post(line: str) -> str:
    """The blog with one more attribute of Post."""
    return BLOG.format(line)


CASES = {
    "no_compute": (
        "score: int = iq.Custom(likes, inputs=lambda like: like.score)  # HERE",
        """
        InvalidComputation: [custom.compute]
          shop.py:HERE, Post.score: Custom(...)
          it leaves out compute=, which is a callback
          write iq.Custom(likes, inputs=lambda like: (like.weight,), compute=lambda rows: ...)
        """,
    ),
    "nothing_to_read": (
        "score: int = iq.Custom(compute=lambda: 1)  # HERE",
        """
        InvalidComputation: [custom.reads]
          shop.py:HERE, Post.score: Custom(...)
          it leaves out reads=, which is a callback
          write iq.Custom(reads=lambda post: (post.title,), compute=lambda title: ...), or, over a collection, iq.Custom(likes, inputs=lambda like: (like.weight,), compute=lambda rows: ...)
        """,
    ),
    "no_callback": (
        'score: int = iq.Custom(likes, inputs="score", compute=sum)  # HERE',
        """
        InvalidComputation: [custom.inputs]
          shop.py:HERE, Post.score: Custom(...)
          'score' is given for inputs=, which is a callback
          write iq.Custom(likes, inputs=lambda like: (like.weight,), compute=lambda rows: ...)
        """,
    ),
    "inputs_of_nothing": (
        "score: int = iq.Custom(reads=lambda post: (post.title,), inputs=lambda like: like.score, compute=len)  # HERE",
        """
        InvalidComputation: [custom.inputs]
          shop.py:HERE, Post.score: Custom(...)
          inputs= is about the records of a collection, and none is given
          write iq.Custom(likes, inputs=lambda like: (like.weight,), compute=lambda rows: ...)
        """,
    ),
    "an_initial_value_that_is_never_there": (
        'shout: str = iq.Custom(reads=lambda post: (post.title,), compute=str.upper, initial="")  # HERE',
        """
        InvalidComputation: [custom.initial]
          shop.py:HERE, Post.shout: Custom(...)
          it is computed when the record is made, so there is no initial value
        """,
    ),
    "a_step_beside_reads": (
        "score: int = iq.Custom(likes, reads=lambda post: post.title, inputs=lambda like: like.score, compute=lambda own, rows: 1, step=lambda value, old, new: value)  # HERE",
        """
        InvalidComputation: [custom.step]
          shop.py:HERE, Post.score: Custom(...)
          step= is given one record's change, and not what reads= answers, on which the value depends, too
          leave step= out: compute= is asked then
        """,
    ),
    "touches": (
        "score: int = iq.Custom(likes, inputs=lambda like: like.score, compute=sum, touches=0)  # HERE",
        """
        InvalidComputation: [custom.touches]
          shop.py:HERE, Post.score: Custom(...)
          touches= takes a number of records from 1 on, not 0
        """,
    ),
    "over_nothing_it_fails": (
        "best: int = iq.Custom(likes, inputs=lambda like: like.score, compute=max)  # HERE",
        """
        InvalidComputation: [custom.initial]
          shop.py:HERE, Post.best: Custom(likes)
          compute= raises ValueError over no records: max() arg is an empty sequence
          give what the value is then: initial=...
        """,
    ),
    "over_nothing_it_is_none": (
        "best: int = iq.Custom(likes, inputs=lambda like: like.score, compute=lambda scores: max(scores, default=None))  # HERE",
        """
        InvalidComputation: [custom.initial]
          shop.py:HERE, Post.best: Custom(likes)
          what compute= answers over no records is None, but int is not optional
          give what the value is then: initial=...
        """,
    ),
    "an_initial_value_of_another_type": (
        'best: int = iq.Custom(likes, inputs=lambda like: like.score, compute=max, initial="none")  # HERE',
        """
        InvalidComputation: [custom.initial]
          shop.py:HERE, Post.best: Custom(likes)
          the initial value is str 'none', not int
        """,
    ),
    "a_record_for_an_input": (
        "names: str = iq.Custom(likes, inputs=lambda like: (like.score, like.user), compute=str)  # HERE",
        """
        TraceError: [trace]
          shop.py:HERE, Post.names: Custom(likes)
          a value of inputs= is a User, of which more could be read than is declared
          answer what is needed of it, such as its id
        """,
    ),
    "another_number_of_inputs": (
        "names: str = iq.Custom(likes, inputs=lambda like: (like.score, like.note) if like.note is not None else (like.score,), compute=str)  # HERE",
        """
        TraceError: [trace]
          shop.py:HERE, Post.names: Custom(likes)
          inputs= answers tuples of different lengths
          answer None in the place of what is not there
        """,
    ),
    "inputs_that_compute": (
        "names: str = iq.Custom(likes, inputs=lambda like: like.user.name.zfill(3), compute=str)  # HERE",
        """
        TraceError: [trace]
          shop.py:HERE, Post.names: Custom(likes)
          User.name is str, of which .zfill can't be traced
            in: names: str = iq.Custom(likes, inputs=lambda like: like.user.name.zfill(3), compute=str)
          There is: lower, upper, strip, lstrip, rstrip, startswith, endswith, replace.
          Else, let inputs= answer the value itself, and compute= go on from there.
        """,
    ),
    "its_own_key": (
        "names: str = iq.Custom(reads=lambda post: (post.id,), compute=str)  # HERE",
        """
        InvalidComputation: [custom.key]
          shop.py:HERE, Post.names: Custom(reads=...)
          it reads Post.id, which the database counts when the row is made
          give the record a UUID key, which is made before its row
        """,
    ),
    "a_state_that_json_has_no_form_for": (
        "names: str = iq.Custom(likes, inputs=lambda like: like.score, compute=lambda rows: ('', rows), state=set())  # HERE",
        """
        InvalidComputation: [custom.state]
          shop.py:HERE, Post.names: Custom(likes)
          state= is set(), which JSON has no form for
          give what it is at first: a dict, a list, a number, a text, or an instance of an attrs class
        """,
    ),
    "no_state_in_the_answer": (
        "total: int = iq.Custom(likes, inputs=lambda like: like.score, compute=sum, state={})  # HERE",
        """
        InvalidComputation: [custom.state]
          shop.py:HERE, Post.total: Custom(likes)
          compute= answers 0 over no records, not a pair of the value and the state
        """,
    ),
    "a_circle": (
        "one: int = iq.Custom(reads=lambda post: (post.two,), compute=int)  # HERE\n    two: int = iq.Custom(reads=lambda post: (post.one,), compute=int)  # THERE",
        """
        ComputationCycle: [computation.cycle]
          shop.py:HERE, Post.one
          these follow from one another, so none can be worked out first:
            Post.one  (shop.py:HERE)
            -> Post.two  (shop.py:THERE)
            -> Post.one  (shop.py:HERE)
          break the circle: let one of them read what the user sets, not what is derived
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_custom(name: str, refuses: Refuses) -> None:
    line, message = CASES[name]
    refuses(post(line), message)
