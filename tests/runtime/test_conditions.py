"""Conditions: what each answer means, alone and combined; nothing but True admits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import interaqt as iq
from interaqt import Condition, Event
from tests.runtime.conftest import Apps

Answer = Any

#: What a condition answers, and the code that it is refused with.
DENIALS: dict[str, tuple[Callable[[], Answer], str]] = {
    "nothing": (lambda: None, "condition.invalid_result"),
    "one": (lambda: 1, "condition.invalid_result"),
    "zero": (lambda: 0, "condition.invalid_result"),
    "a text": (lambda: "ok", "condition.invalid_result"),
    "an empty text": (lambda: "", "condition.invalid_result"),
    "a list": (lambda: [True], "condition.invalid_result"),
    "a mapping": (lambda: {"allowed": True}, "condition.invalid_result"),
    "an exception": (lambda: 1 / 0, "condition.raised"),
    "a code": (lambda: _deny("shop.closed"), "shop.closed"),
}


def _deny(code: str) -> bool:
    raise iq.ConditionRejected("the shop is closed", code=code)


def answers(answer: Callable[[], Answer], name: str = "asked") -> Condition[Any]:
    def asked(event: Event[Any]) -> bool:
        return answer()  # type: ignore[no-any-return]

    asked.__name__ = name
    return iq.condition(asked)


yes, no = answers(lambda: True, "yes"), answers(lambda: False, "no")


def code_of(condition: Condition[Any]) -> str | None:
    """The code that the condition refuses with; None where it admits."""
    error = condition.rejection(Event("Knock", None, None, None))  # type: ignore[arg-type]
    return None if error is None else error.code


# -- alone ------------------------------------------------------------------------------------


def test_only_true_admits() -> None:
    assert code_of(yes) is None
    assert code_of(no) == "condition.rejected"


@pytest.mark.parametrize("name", DENIALS)
def test_anything_else_denies_and_its_negation_denies_the_same(name: str) -> None:
    answer, code = DENIALS[name]
    condition = answers(answer)
    assert code_of(condition) == code
    assert code_of(~condition) == code
    assert code_of(~~condition) == code


def test_a_forgotten_return_is_named() -> None:
    error = answers(lambda: None, "is_open").rejection(Event("Knock", None, None, None))  # type: ignore[arg-type]
    assert error is not None
    assert error.message == "is_open answered None, which is neither True nor False (is a return missing?)"


def test_a_denial_of_ones_own_keeps_its_words_and_gets_the_place() -> None:
    error = answers(lambda: _deny("shop.closed"), "is_open").rejection(Event("Knock", None, None, None))  # type: ignore[arg-type]
    assert isinstance(error, iq.ConditionRejected)
    assert (error.code, error.message, error.condition, error.subject) == (
        "shop.closed",
        "the shop is closed",
        "is_open",
        "Knock",
    )


def test_an_exception_stays_the_cause() -> None:
    error = answers(lambda: 1 / 0).rejection(Event("Knock", None, None, None))  # type: ignore[arg-type]
    assert error is not None
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert "ZeroDivisionError" in error.message


# -- combined -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "admits"),
    [
        (~no, True),
        (~yes, False),
        (yes & yes, True),
        (yes & no, False),
        (no & yes, False),
        (no | yes, True),
        (yes | no, True),
        (no | no, False),
        (~(yes & no), True),
        (~(yes & yes), False),
        (~(no | no), True),
        (~(no | yes), False),
        (~(yes | no), False),
        (~(~yes | ~no) & yes, False),
    ],
    ids=lambda value: repr(value) if isinstance(value, Condition) else "",
)
def test_and_or_and_not_mean_what_they_say(condition: Condition[Any], admits: bool) -> None:
    assert (code_of(condition) is None) is admits


def test_no_combination_turns_a_mistake_into_a_pass() -> None:
    broken = answers(lambda: 1 / 0)
    for condition in (~broken, broken & yes, yes & broken, ~(broken | no), ~~broken):
        assert code_of(condition) == "condition.raised"
    for condition in (~(broken & yes), broken | no, broken & no, ~(broken | yes)):
        assert code_of(condition) is not None


def test_what_an_or_does_not_need_is_not_asked() -> None:
    asked: list[str] = []
    never = answers(lambda: bool(asked.append("never")))
    assert code_of(yes | never) is None
    assert code_of(no & never) == "condition.rejected"
    assert code_of(~(yes | never)) == "condition.rejected"
    assert asked == []


def test_the_first_that_fails_of_an_and_is_told_and_the_last_of_an_or() -> None:
    first, last = answers(lambda: _deny("first")), answers(lambda: _deny("last"))
    assert code_of(first & last) == "first"
    assert code_of(yes & last) == "last"
    assert code_of(first | last) == "last"


# -- mistakes in writing them -------------------------------------------------------------------


def test_a_condition_has_no_truth_of_its_own() -> None:
    with pytest.raises(iq.InvalidInteraction, match="combine conditions with &"):
        _ = yes and no


@pytest.mark.parametrize("other", [True, lambda event: True, None], ids=["bool", "function", "None"])
def test_conditions_combine_with_conditions_alone(other: Any) -> None:
    with pytest.raises(iq.InvalidInteraction) as refused:
        _ = yes & other
    assert refused.value.code == "condition.combined"


@pytest.mark.parametrize("thing", [True, None, "admin"])
def test_a_condition_is_made_of_a_function(thing: Any) -> None:
    with pytest.raises(iq.InvalidInteraction):
        iq.condition(thing)


def test_a_guard_is_a_condition() -> None:
    def is_open(event: Any) -> bool:
        return True

    guard: Any = is_open
    with pytest.raises(iq.InvalidInteraction, match=r"decorate is_open with @iq\.condition"):
        iq.interaction(guard=guard)(type("Knock", (), {}))


# -- in a dispatch --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DENIALS)
def test_a_denied_request_leaves_nothing(in_memory: Apps, name: str) -> None:
    answer, code = DENIALS[name]

    @iq.interaction(guard=~answers(answer) | no)
    class Knock:
        text: str

    app = in_memory(Knock)
    with pytest.raises(iq.ConditionRejected) as refused:
        app.dispatch(Knock(text="hello"))
    assert refused.value.code in (code, "condition.rejected")
    assert app.system.storage.query(iq.InteractionEvent).count() == 0
