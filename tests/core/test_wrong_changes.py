"""Mistakes in what interactions change: states, several transitions at once, and stamps; what is said of each."""

from __future__ import annotations

import enum
import warnings
from typing import Literal

import pytest

import interaqt as iq
from tests.core.test_wrong_models import ORDERS, Refuses, within
from tests.core.test_wrong_models import refuses as refuses
from tests.runtime.conftest import Apps
from tests.runtime.conftest import in_memory as in_memory

USERS = """
@iq.entity
class User:
    name: str
"""


# -- tables of moves --------------------------------------------------------------------------------


def test_a_state_that_stands_twice_in_a_table(refuses: Refuses) -> None:
    refuses(
        within(
            ORDERS,
            """
            status: Literal["new", "paid", "gone"] = iq.StateMachine(
                "new",
                iq.on(  # HERE
                    Pay,
                    {
                        "new": "paid",  # \u00e4
                        "new": "gone",
                    },
                ),
            )
            """,
        ),
        """
        InvalidComputation: [on.state_twice]
          shop.py:HERE, Order: on(Pay)
          'new' stands twice in the table of moves
          one event moves a state to one other; let the next value be a callback over the event to choose
        """,
    )


def test_an_empty_table(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, "note: str = iq.field(changes=iq.on(Pay, {}))  # HERE"),
        """
        InvalidComputation: [on.moves]
          shop.py:HERE, Order.note: on(Pay)
          moves are a mapping from present to next value, not {}
          write iq.on(Pay, {"new": "paid"})
        """,
    )


def test_a_strict_set(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, 'note: str = iq.field(changes=iq.on(Pay, set=lambda e: "x", strict=True))  # HERE'),
        """
        InvalidComputation: [on.strict]
          shop.py:HERE, Order.note: on(Pay)
          strict= is about the present values that moves lack; set= takes any
          write moves, iq.on(Pay, {"new": "paid"}, strict=True), or refuse with a guard
        """,
    )


def test_a_computed_move_that_takes_too_much(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, 'note: str = iq.field(changes=iq.on(Pay, {"a": lambda e, order, more: "x"}))  # HERE'),
        """
        InvalidComputation: [callback]
          shop.py:HERE, Order.note: on(Pay)
          the callback takes (e, order, more), but is given the event of Pay and the Order before it
          write it over the event of Pay and the Order before it alone
        """,
    )


def test_a_misspelt_payload_item_in_a_computed_move(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, 'note: str = iq.field(changes=iq.on(Pay, {"a": lambda e, order: e.payload.ordr.note}))  # HERE'),
        """
        InvalidComputation: [callback.payload]
          shop.py:HERE, Order.note: on(Pay)
          Pay has no payload item 'ordr'. Did you mean 'order'?  There is: order.
        """,
    )


def test_a_table_over_a_reference(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, 'next: Order | None = iq.one(changes=iq.on(Pay, {"a": None}))  # HERE'),
        """
        InvalidComputation: [on.reference]
          shop.py:HERE, Order.next: on(Pay)
          'a' is no state of a reference, of which only None is known before there are records
          write {None: lambda e, record: ...} for where there is none yet, or set=lambda e, record: ...
        """,
    )


def test_a_table_over_a_json_value(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, 'tags: list[str] = iq.field(changes=iq.on(Pay, {"a": ["b"]}))  # HERE'),
        """
        InvalidComputation: [on.json]
          shop.py:HERE, Order.tags: on(Pay)
          Order.tags is a JSON value, which is no state that a table could tell from others
          write set=lambda e, record: ..., which is given the present value in its record
        """,
    )


def test_an_initial_state_that_is_deleted(refuses: Refuses) -> None:
    refuses(
        within(
            ORDERS, 'status: Literal["new", "paid"] = iq.StateMachine(iq.DELETED, iq.on(Pay, {"new": "paid"}))  # HERE'
        ),
        """
        InvalidAttribute: [attribute.default]
          shop.py:HERE, Order.status
          the initial state is Deleted iq.DELETED, not Literal['new', 'paid']
        """,
    )


def test_a_move_from_deleted(refuses: Refuses) -> None:
    refuses(
        within(
            ORDERS, 'status: Literal["new", "paid"] = iq.StateMachine("new", iq.on(Pay, {iq.DELETED: "paid"}))  # HERE'
        ),
        """
        InvalidComputation: [statemachine.unknown_state]
          shop.py:HERE, Order.status: on(Pay)
          iq.DELETED is Deleted iq.DELETED, not Literal['new', 'paid']
        """,
    )


def test_a_state_machine_that_a_maker_is_to_start(refuses: Refuses) -> None:
    refuses(
        within(
            ORDERS,
            'status: Literal["new", "paid"] = iq.StateMachine("new", iq.on(Pay, {"new": "paid"}), init=True)  # HERE',
        ),
        """
        InvalidComputation: [statemachine.init]
          shop.py:HERE, Order.status: StateMachine('new', ...)
          a StateMachine starts in its own initial state, not in one that a maker gives
          write iq.field(default='new', changes=[iq.on(...), ...]), which is moved in the same way
        """,
    )


def test_a_dictionary_that_is_deleted(refuses: Refuses) -> None:
    refuses(
        """
        @iq.interaction
        class End:
            pass

        @iq.dictionary
        class Fair:
            state: Literal["open", "over"] = iq.StateMachine("open", iq.on(End, {"open": iq.DELETED}))  # HERE
        """,
        """
        InvalidComputation: [on.deleted]
          shop.py:HERE, Fair.state: on(End)
          there is one Fair all the time, so none is deleted
          give it a state for what is over
        """,
    )


def test_a_dictionary_that_one_event_changes_twice(refuses: Refuses) -> None:
    refuses(
        """
        @iq.interaction
        class End:
            pass

        @iq.dictionary
        class Fair:
            n: int = iq.field(
                default=0,
                changes=[
                    iq.on(End, set=lambda e: 1),  # FIRST
                    iq.on(End, set=lambda e: 2),  # HERE
                ],
            )
        """,
        """
        InvalidComputation: [on.twice]
          shop.py:HERE, Fair.n: on(End)
          End changes it twice: here and at shop.py:FIRST
          one event changes an attribute of a record once; let one of them say it, or give each another record=
        """,
    )


# -- several transitions of one attribute on one event ------------------------------------------------


def test_one_state_that_one_event_moves_twice(refuses: Refuses) -> None:
    refuses(
        within(
            ORDERS,
            """
            status: Literal["new", "paid", "gone"] = iq.StateMachine(
                "new",
                iq.on(Pay, {"new": "paid"}),  # FIRST
                iq.on(Pay, {"paid": "new", "new": "gone"}),  # HERE
            )
            """,
        ),
        """
        InvalidComputation: [on.twice]
          shop.py:HERE, Order.status: on(Pay)
          Pay changes it from 'new' twice: here and at shop.py:FIRST
          one event changes an attribute of a record once; let one of them say it, or give each another record=
        """,
    )


def test_an_attribute_that_one_event_sets_twice(refuses: Refuses) -> None:
    refuses(
        within(
            ORDERS,
            """
            note: str = iq.field(
                changes=[
                    iq.on(Pay, set=lambda e: "a"),  # FIRST
                    iq.on(Pay, {"b": "c"}),  # HERE
                ]
            )
            """,
        ),
        """
        InvalidComputation: [on.twice]
          shop.py:HERE, Order.note: on(Pay)
          Pay changes it twice: here and at shop.py:FIRST
          one event changes an attribute of a record once; let one of them say it, or give each another record=
        """,
    )


# -- states that nothing leads to ----------------------------------------------------------------------


class Stage(enum.Enum):
    TODO = 1
    DONE = 2
    LOST = 3


def test_a_state_that_no_move_leads_to_is_warned_of(in_memory: Apps) -> None:
    @iq.interaction
    class Go:
        task: Task

    @iq.entity
    class Task:
        stage: Stage = iq.StateMachine(Stage.TODO, iq.on(Go, {Stage.TODO: Stage.DONE, Stage.LOST: Stage.TODO}))
        word: Literal["a", "b", "c", "d"] = iq.StateMachine("a", iq.on(Go, {"a": "b", "c": "d"}))

    with pytest.warns(iq.DeclarationWarning) as told:
        in_memory(Go, Task)
    assert [str(each.message) for each in told] == [
        "Task.stage: no move leads to <Stage.LOST: 3> from <Stage.TODO: 1>, so no Task is ever in that state; leave it "
        "out of the type, or let an interaction lead there",
        "Task.word: no move leads to 'c', 'd' from 'a', so no Task is ever in that state; leave it out of the type, or "
        "let an interaction lead there",
    ]
    assert told[0].filename == __file__


def test_where_a_callback_or_a_maker_says_the_next_state_nothing_is_warned_of(in_memory: Apps) -> None:
    @iq.interaction
    class Go:
        task: Task
        to: Literal["a", "b", "c"]

    @iq.entity
    class Task:
        word: Literal["a", "b", "c"] = iq.StateMachine("a", iq.on(Go, {"a": "b", "b": lambda e, task: e.payload.to}))
        other: Literal["a", "b", "c"] = iq.field(default="c", changes=iq.on(Go, {"a": "b"}))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        in_memory(Go, Task)


# -- stamps ----------------------------------------------------------------------------------------------

STATUS = 'status: Literal["new", "paid"] = iq.StateMachine("new", iq.on(Pay, {"new": "paid"}))'


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            'text: str = "a"\nat: dt.datetime | None = iq.changed_at(text)  # HERE',
            """
            InvalidComputation: [stamp.attribute]
              shop.py:HERE, Order.at: changed_at(...)
              changed_at takes an attribute of the class that interactions change, declared above, not 'a'
              write content: str = iq.field(changes=iq.on(...)), and below it iq.changed_at(content)
            """,
        ),
        (
            'text: str = iq.field(default="a")\nat: dt.datetime | None = iq.changed_at(text)  # HERE',
            """
            InvalidComputation: [stamp.unchanged]
              shop.py:HERE, Order.at: changed_at(text)
              no interaction changes Order.text
              declare which: text: ... = iq.field(changes=iq.on(...))
            """,
        ),
        (
            f"{STATUS}\nat: dt.datetime = iq.changed_at(status)  # HERE",
            """
            InvalidComputation: [stamp.type]
              shop.py:HERE, Order.at: changed_at(status)
              it gives datetime | None, but the attribute is declared datetime
              write at: datetime | None
            """,
        ),
        (
            f"{STATUS}\nn: float = iq.change_count(status)  # HERE",
            """
            InvalidComputation: [stamp.type]
              shop.py:HERE, Order.n: change_count(status)
              it gives int, but the attribute is declared float
              write n: int
            """,
        ),
        (
            f"{STATUS}\nby: int = iq.changed_by(status)  # HERE",
            """
            InvalidComputation: [stamp.type]
              shop.py:HERE, Order.by: changed_by(status)
              it gives User | None, but the attribute is declared int
              write by: User | None
            """,
        ),
        (
            f"{STATUS}\nby: User = iq.changed_by(status)  # HERE",
            """
            InvalidComputation: [stamp.type]
              shop.py:HERE, Order.by: changed_by(status)
              it gives User | None, but the attribute is declared User
              write by: User | None
            """,
        ),
        (
            f"{STATUS}\nat: Order | None = iq.changed_at(status)  # HERE",
            """
            InvalidComputation: [stamp.type]
              shop.py:HERE, Order.at: changed_at(status)
              it gives datetime | None, but the attribute is declared Order | None
              write at: datetime | None
            """,
        ),
        (
            f'{STATUS}\nat: dt.datetime | None = iq.changed_at(status, to="payed")  # HERE',
            """
            InvalidComputation: [stamp.state]
              shop.py:HERE, Order.at: changed_at(status, to='payed')
              to='payed' is not a state. Did you mean 'paid'?  There is: new, paid.
            """,
        ),
        (
            f'{STATUS}\nat: dt.datetime | None = iq.changed_at(status, to="new", leaving="paid")  # HERE',
            """
            InvalidComputation: [stamp.never]
              shop.py:HERE, Order.at: changed_at(status, to='new', leaving='paid')
              no move leads from 'paid' to 'new', so it would never be written
            """,
        ),
        (
            "at: dt.datetime | None = iq.changed_at(iq.field(changes=iq.on(Pay, set=lambda e: 3)))  # HERE",
            """
            InvalidComputation: [stamp.attribute]
              shop.py:HERE, Order.at: changed_at()
              it is about an attribute of its own class. There is none.
            """,
        ),
    ],
    ids=[
        "a-plain-value",
        "what-nothing-changes",
        "a-time-that-is-never-none",
        "a-count-that-is-a-float",
        "a-user-that-is-a-number",
        "a-user-that-is-never-none",
        "a-time-that-is-a-record",
        "a-state-that-is-none",
        "a-way-that-no-move-goes",
        "an-attribute-of-no-class",
    ],
)
def test_a_stamp_that_does_not_fit(refuses: Refuses, lines: str, message: str) -> None:
    refuses(USERS + within(ORDERS, lines), message)


def test_a_stamp_that_a_derived_record_is_given(refuses: Refuses) -> None:
    refuses(
        """
        @iq.interaction
        class Pay:
            bill: Bill

        @iq.entity
        class Order:
            text: str

        @iq.entity
        class Bill:
            status: Literal["new", "paid"] = iq.StateMachine("new", iq.on(Pay, {"new": "paid"}))
            at: dt.datetime | None = iq.changed_at(status)
            made = iq.Transform(Order, lambda order: Bill(at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)))  # HERE
        """,
        """
        InvalidComputation: [transform.derived]
          shop.py:HERE, Bill.made: Transform(Order)
          at is not given: it follows from its changed_at(status)
          leave it out
        """,
    )
