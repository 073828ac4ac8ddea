"""Mistakes in a ScopedSequence: what is said of each, where, and what to write instead."""

# ruff: noqa: E501 - messages stand here as they are printed

from __future__ import annotations

import pytest

from tests.core.test_wrong_models import Refuses, refuses

__all__ = ["refuses"]

TRACKER = """
project = "a name of the module"

@iq.interaction
class Move:
    issue: Issue
    to: Project

@iq.entity
class Project:
    name: str

@iq.entity
class Other:
    project: Project = iq.one()

@iq.entity{}
class Issue:
    project: Project = iq.one()
    parent: Issue | None = iq.one(default=None)
    area: Project = iq.one(changes=iq.on(Move, set=lambda e: e.payload.to))
    year: int = iq.field()
    weight: float = iq.field()
    topic: str | None = iq.field()
    issues: Many[Issue] = iq.many(inverse="parent")
    parts: int = iq.Count(issues)
    id: int = iq.key()
    {}
"""

CASES = {
    "a_name_in_quotes": (
        'number: int = iq.ScopedSequence("project")  # HERE',
        """
        InvalidComputation: [sequence.scope]
          shop.py:HERE, Issue.number: ScopedSequence(...)
          its scope is attributes of the class, declared above with a value, not 'project'
          write project: ... = iq.one() for a reference, = iq.field() for a value, and below it iq.ScopedSequence(project), without quotes
        """,
    ),
    "what_is_no_attribute": (
        "number: int = iq.ScopedSequence(Project)  # HERE",
        """
        InvalidComputation: [sequence.scope]
          shop.py:HERE, Issue.number: ScopedSequence(...)
          its scope is attributes of the class, declared above with a value, not <class 'shop.Project'>
          write project: ... = iq.one() for a reference, = iq.field() for a value, and below it iq.ScopedSequence(project)
        """,
    ),
    "another_ones_attribute": (
        "number: int = iq.ScopedSequence(Other.project)  # HERE",
        """
        InvalidComputation: [sequence.scope]
          shop.py:HERE, Issue.number: ScopedSequence(project)
          its scope is attributes of its own class. Did you mean 'project'?  There is: project, parent, area, year, weight, topic, id.
        """,
    ),
    "a_first_number_that_is_none": (
        'number: int = iq.ScopedSequence(project, start="A1")  # HERE',
        """
        InvalidComputation: [sequence.start]
          shop.py:HERE, Issue.number: ScopedSequence(...)
          start= is the first number, an int, not 'A1'
          write start=1000, or leave it out
        """,
    ),
    "a_default_number": (
        "number: int = iq.ScopedSequence(project, default=1)  # HERE",
        """
        InvalidComputation: [sequence.default]
          shop.py:HERE, Issue.number: ScopedSequence(...)
          default= takes None, for the next number, not 1
          write default=None where makers may give numbers that were reserved; start= is the first number
        """,
    ),
    "a_number_that_makers_give": (
        "number: int = iq.ScopedSequence(project, init=True)  # HERE",
        """
        InvalidComputation: [sequence.init]
          shop.py:HERE, Issue.number: ScopedSequence(...)
          a maker gives no number unless it was reserved
          write default=None instead: then a maker may give one that controller.reserve(...) answered
        """,
    ),
    "a_text": (
        "number: str = iq.ScopedSequence(project)  # HERE",
        """
        InvalidComputation: [sequence.type]
          shop.py:HERE, Issue.number: ScopedSequence(project)
          it gives int, but the attribute is declared str
          write number: int
        """,
    ),
    "a_number_that_may_be_none": (
        "number: int | None = iq.ScopedSequence(year, start=7)  # HERE",
        """
        InvalidComputation: [sequence.type]
          shop.py:HERE, Issue.number: ScopedSequence(year, start=7)
          it gives int, but the attribute is declared int | None
          write number: int
        """,
    ),
    "by_what_may_be_none": (
        "number: int = iq.ScopedSequence(project, topic)  # HERE",
        """
        InvalidComputation: [sequence.scope]
          shop.py:HERE, Issue.number: ScopedSequence(project, topic)
          Issue.topic may be None, and None is not the same as another None
          write topic: str, or leave it out of the scope
        """,
    ),
    "by_what_changes": (
        "number: int = iq.ScopedSequence(area)  # HERE",
        """
        InvalidComputation: [sequence.scope]
          shop.py:HERE, Issue.number: ScopedSequence(area)
          Issue.area is changed by interactions, and the number of a record stays what it is
          let its scope be what makers give once and for all
        """,
    ),
    "by_what_is_derived": (
        "number: int = iq.ScopedSequence(parts)  # HERE",
        """
        InvalidComputation: [sequence.scope]
          shop.py:HERE, Issue.number: ScopedSequence(parts)
          Issue.parts is kept by Count(issues), and the number of a record stays what it is
          let its scope be what makers give once and for all
        """,
    ),
    "by_a_float": (
        "number: int = iq.ScopedSequence(weight)  # HERE",
        """
        InvalidComputation: [sequence.scope]
          shop.py:HERE, Issue.number: ScopedSequence(weight)
          Issue.weight is float, of which one and the same value may be written in several ways
          let its scope be references, numbers, texts, dates, or members of an Enum or a Literal
        """,
    ),
    "by_a_collection": (
        "number: int = iq.ScopedSequence(issues)  # HERE",
        """
        InvalidComputation: [sequence.scope]
          shop.py:HERE, Issue.number: ScopedSequence(issues)
          issues is a collection, and its scope is values of the record itself
        """,
    ),
    "by_the_key": (
        "number: int = iq.ScopedSequence(id)  # HERE",
        """
        InvalidComputation: [sequence.scope]
          shop.py:HERE, Issue.number: ScopedSequence(id)
          its scope is Issue.id, of which each record has its own
          leave it out
        """,
    ),
    "by_one_attribute_twice": (
        "number: int = iq.ScopedSequence(year, project, year)  # HERE",
        """
        InvalidComputation: [sequence.scope]
          shop.py:HERE, Issue.number: ScopedSequence(year, project, year)
          its scope names year twice
        """,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_sequence(refuses: Refuses, case: str) -> None:
    line, message = CASES[case]
    refuses(TRACKER.format("", line), message)


def test_an_identity_that_changes_what_is_counted_by(refuses: Refuses) -> None:
    refuses(
        TRACKER.format(
            '(identity=("year",), identity_conflict="update")',
            "number: int = iq.ScopedSequence(year, project)  # HERE",
        ),
        """
        InvalidComputation: [sequence.scope]
          shop.py:HERE, Issue.number: ScopedSequence(year, project)
          identity_conflict="update" may change Issue.project, and the number of a record stays what it is
          let project be a part of the identity, or write identity_conflict="keep"
        """,
    )


def test_a_dictionary_is_not_counted(refuses: Refuses) -> None:
    refuses(
        """
        @iq.dictionary
        class Totals:
            number: int = iq.ScopedSequence()  # HERE
        """,
        """
        InvalidComputation: [sequence.dictionary]
          shop.py:HERE, Totals.number: ScopedSequence()
          there is one record of a dictionary, which is not counted
          leave it out
        """,
    )


def test_a_transform_from_records_gives_no_number(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class Project:
            size: int

        @iq.entity
        class Issue:
            number: int = iq.ScopedSequence(default=None)
            made = iq.Transform(Project, lambda project: Issue(number=project.size))  # HERE
        """,
        """
        InvalidComputation: [transform.derived]
          shop.py:HERE, Issue.made: Transform(Project)
          number is not given: it follows from its ScopedSequence()
          leave it out
        """,
    )


def test_the_table_of_counters_is_nobody_elses(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity  # HERE
        class SequenceCounter:
            number: int = iq.ScopedSequence()
        """,
        """
        InvalidEntity: [entity.table_clash]
          shop.py:HERE, SequenceCounter
          SequenceCounter would be stored in the table 'sequence_counter', which the framework keeps for itself
          give the class another name
        """,
    )
