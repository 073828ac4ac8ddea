"""The rules of Custom: what the user's functions are given, and what they may answer."""

from __future__ import annotations

import builtins
import enum
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs

from interaqt.core.asynchronous import Asynchronous
from interaqt.core.computations.compared import ComparedRule
from interaqt.core.computations.rule import HOST, LINK, ValueRule
from interaqt.core.errors import ComputationError
from interaqt.core.expressions import Attr, Const, Expr, Root, replace
from interaqt.core.inputs import Inputs
from interaqt.core.model import Property, RecordModel
from interaqt.core.tracing import place_in
from interaqt.core.values import check_of

__all__ = ["UNKNOWN", "CustomRule", "Functions", "OwnCustomRule", "Unknown"]


class Unknown(enum.Enum):
    """What a step answers that can't tell the next value from the present one."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


@attrs.frozen(eq=False, kw_only=True)
class Functions:
    """The user's functions of one Custom. What they answer is checked: the value, and the state, if there is one."""

    property: Property
    text: str
    compute: Callable[..., Any]
    step: Callable[..., Any] | None = None
    state: Property | None = None
    nothing: Any = attrs.field(factory=lambda: attrs.NOTHING)
    """The value over no records, where that is not asked of ``compute``."""
    no_state: Any = None
    touches: int
    asynchronous: Asynchronous | None = None

    @builtins.property
    def kept(self) -> tuple[Property, ...]:
        return (self.property,) if self.state is None else (self.property, self.state)

    @builtins.property
    def on_nothing(self) -> tuple[Any, ...]:
        """What is kept over no records."""
        return (self.nothing,) if self.state is None else (self.nothing, self.no_state)

    def initial(self, kept: Property) -> Const | None:
        if kept is self.state:
            return Const(self.no_state, kept.type)
        return None if self.nothing is attrs.NOTHING else Const(self.nothing, kept.type)

    def answer(self, given: tuple[Any, ...]) -> Any:
        """What ``compute`` answers: the value, or what will answer it."""
        with self._failing("compute", self.compute):
            return self.compute(*given)

    async def awaited(self, answer: Awaitable[Any]) -> Any:
        """What it answers in the end."""
        with self._failing("compute", self.compute):
            return await answer

    def checked(self, answer: Any) -> tuple[Any, ...]:
        """What is kept by what ``compute`` answers."""
        return self._checked("compute", answer)

    def after(self, kept: tuple[Any, ...], old: Any, new: Any) -> tuple[Any, ...] | None:
        """What is kept after one record's inputs changed; None where ``step`` does not know."""
        assert self.step is not None
        with self._failing("step", self.step):
            answer = self.step(*kept, old, new)
        return None if answer is UNKNOWN else self._checked("step", answer)

    @contextmanager
    def _failing(self, name: str, function: Callable[..., Any]) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise ComputationError(
                f"{name}= raises {type(error).__name__}: {error}",
                subject=f"{self.property}: {self.text}",
                location=place_in(function, error.__traceback__) or self.property.location,
            ) from error

    def _checked(self, name: str, answer: Any) -> tuple[Any, ...]:
        if self.state is None:
            answer = (answer,)
        elif not isinstance(answer, tuple) or len(answer) != 2:
            raise self.refusal(f"{name}= answers {answer!r}, not a pair of the value and the state", "custom.state")
        wrong = check_of(self.property.type)(answer[0])
        if wrong is not None:
            raise self.refusal(f"what {name}= answers {wrong}", "custom.value")
        return tuple(answer)

    def refusal(self, message: str, code: str, hint: str = "") -> ComputationError:
        return ComputationError(
            message,
            code=code,
            subject=f"{self.property}: {self.text}",
            location=self.property.location,
            hint=hint,
        )


@attrs.frozen(eq=False, kw_only=True)
class CustomRule(ComparedRule):
    """Keeps what ``compute`` answers over the inputs of all records of a collection.

    - delta: ``step`` for each record whose inputs changed, where there is one;
    - recompute: ``compute``, in Python.
    """

    functions: Functions
    inputs: Inputs
    own: Inputs | None
    """What it reads of ``Root(HOST)``."""

    @builtins.property
    def kept(self) -> tuple[Property, ...]:
        return self.functions.kept

    @builtins.property
    def state(self) -> tuple[Expr, ...]:
        return self.inputs.exprs

    def reads(self) -> Iterator[Expr]:
        yield from super().reads()
        if self.own is not None:
            # As seen from a record of the collection, so that all paths begin there.
            via = self.collection.via
            host = Attr(Root(LINK, self.source), via.name, via.type)
            for each in self.own.exprs:
                yield replace(each, lambda node: host if isinstance(node, Root) and node.name == HOST else None)

    @builtins.property
    def is_asked(self) -> bool:
        """Whether a new record's value is asked of Python, before its row is made."""
        return self.functions.nothing is attrs.NOTHING

    def initial(self, kept: Property) -> Const | None:
        return self.functions.initial(kept)

    def recomputed(self, kept: Property) -> Expr:
        raise AssertionError(f"{kept} is worked out in Python")

    def arguments(self, own: Any, rows: list[Any]) -> tuple[Any, ...] | None:
        """What ``compute`` is given; None where it is not asked, for there is nothing."""
        if not rows and self.functions.nothing is not attrs.NOTHING:
            return None
        return (rows,) if self.own is None else (own, rows)


@attrs.frozen(eq=False, kw_only=True)
class OwnCustomRule(ValueRule):
    """Keeps what ``compute`` answers over values of the record itself and of what it refers to."""

    root = HOST

    functions: Functions
    inputs: None = None
    own: Inputs

    @builtins.property
    def source(self) -> RecordModel:
        return self.property.record

    @builtins.property
    def kept(self) -> tuple[Property, ...]:
        return self.functions.kept

    def reads(self) -> Iterator[Expr]:
        return iter(self.own.exprs)

    @builtins.property
    def is_asked(self) -> bool:
        """Whether a new record's value is asked of Python, before its row is made."""
        return self.functions.nothing is attrs.NOTHING

    def initial(self, kept: Property) -> Const | None:
        return self.functions.initial(kept)

    def recomputed(self, kept: Property) -> Expr:
        raise AssertionError(f"{kept} is worked out in Python")

    def arguments(self, own: Any, rows: list[Any]) -> tuple[Any, ...] | None:
        """What ``compute`` is given."""
        return (own,) if self.own.is_one else tuple(own)
