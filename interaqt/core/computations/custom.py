"""Custom: full Python over declared inputs.

What it reads is traced once, as any callback is, so what it depends on is known; what it makes of
that is plain Python, which nobody needs to look into.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from inspect import iscoroutinefunction
from typing import Any, Literal, TypeVar, TypeVarTuple, overload

import attrs

from interaqt.core.asynchronous import Asynchronous
from interaqt.core.computations.aggregation import Aggregation, Computation, Target
from interaqt.core.computations.custom_rule import CustomRule, Functions, OwnCustomRule, Unknown
from interaqt.core.computations.own import reads_key
from interaqt.core.computations.rule import HOST
from interaqt.core.errors import InvalidComputation, Location, being_declared
from interaqt.core.expressions import TRUE, Const, Op, Root, all_of
from interaqt.core.inputs import Inputs, traced_inputs
from interaqt.core.many import Many
from interaqt.core.model import Property
from interaqt.core.parts import belongs
from interaqt.core.types import Kind, ValueType
from interaqt.core.values import check_of

__all__ = ["TOUCHES", "Custom", "CustomSpec", "OwnCustomSpec"]

R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")
V = TypeVar("V")
W = TypeVar("W")
Ts = TypeVarTuple("Ts")

#: How many records one write may have computed anew, where a declaration says nothing.
TOUCHES = 1000


@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    compute: Callable[[list[V]], T],
    where: Callable[[R], bool] | None = ...,
    step: Callable[[T, V | None, V | None], T | Literal[Unknown.UNKNOWN]] | None = ...,
    initial: T = ...,
    touches: int = ...,
    init: Literal[False] = ...,
) -> T: ...
@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    state: S,
    compute: Callable[[list[V]], tuple[T, S]],
    where: Callable[[R], bool] | None = ...,
    step: Callable[[T, S, V | None, V | None], tuple[T, S] | Literal[Unknown.UNKNOWN]] | None = ...,
    initial: T = ...,
    touches: int = ...,
    init: Literal[False] = ...,
) -> T: ...
@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    reads: Callable[[Any], W],
    compute: Callable[[W, list[V]], T],
    where: Callable[[R], bool] | None = ...,
    initial: T = ...,
    touches: int = ...,
    init: Literal[False] = ...,
) -> T: ...
@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    compute: Callable[[list[V]], T],
    where: Callable[[R], bool] | None = ...,
    step: Callable[[T | None, V | None, V | None], T | Literal[Unknown.UNKNOWN]] | None = ...,
    initial: None,
    touches: int = ...,
    init: Literal[False] = ...,
) -> T | None: ...
@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    state: S,
    compute: Callable[[list[V]], tuple[T, S]],
    where: Callable[[R], bool] | None = ...,
    step: Callable[[T | None, S, V | None, V | None], tuple[T, S] | Literal[Unknown.UNKNOWN]] | None = ...,
    initial: None,
    touches: int = ...,
    init: Literal[False] = ...,
) -> T | None: ...
@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    reads: Callable[[Any], W],
    compute: Callable[[W, list[V]], T],
    where: Callable[[R], bool] | None = ...,
    initial: None,
    touches: int = ...,
    init: Literal[False] = ...,
) -> T | None: ...
@overload
def Custom(
    *,
    reads: Callable[[Any], tuple[*Ts]],
    compute: Callable[[*Ts], T],
    touches: int = ...,
    init: Literal[False] = ...,
) -> T: ...
@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    compute: Callable[[list[V]], Coroutine[Any, Any, T]],
    where: Callable[[R], bool] | None = ...,
    asynchronous: Asynchronous,
    initial: T,
    init: Literal[False] = ...,
) -> T: ...
@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    reads: Callable[[Any], W],
    compute: Callable[[W, list[V]], Coroutine[Any, Any, T]],
    where: Callable[[R], bool] | None = ...,
    asynchronous: Asynchronous,
    initial: T,
    init: Literal[False] = ...,
) -> T: ...
@overload
def Custom(
    *,
    reads: Callable[[Any], tuple[*Ts]],
    compute: Callable[[*Ts], Coroutine[Any, Any, T]],
    asynchronous: Asynchronous,
    initial: T,
    init: Literal[False] = ...,
) -> T: ...
@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    compute: Callable[[list[V]], T],
    where: Callable[[R], bool] | None = ...,
    asynchronous: Asynchronous,
    initial: T,
    init: Literal[False] = ...,
) -> T: ...
@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    reads: Callable[[Any], W],
    compute: Callable[[W, list[V]], T],
    where: Callable[[R], bool] | None = ...,
    asynchronous: Asynchronous,
    initial: T,
    init: Literal[False] = ...,
) -> T: ...
@overload
def Custom(
    *,
    reads: Callable[[Any], tuple[*Ts]],
    compute: Callable[[*Ts], T],
    asynchronous: Asynchronous,
    initial: T,
    init: Literal[False] = ...,
) -> T: ...
@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    compute: Callable[[list[V]], Coroutine[Any, Any, T]],
    where: Callable[[R], bool] | None = ...,
    asynchronous: Asynchronous,
    initial: None = ...,
    init: Literal[False] = ...,
) -> T | None: ...
@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    reads: Callable[[Any], W],
    compute: Callable[[W, list[V]], Coroutine[Any, Any, T]],
    where: Callable[[R], bool] | None = ...,
    asynchronous: Asynchronous,
    initial: None = ...,
    init: Literal[False] = ...,
) -> T | None: ...
@overload
def Custom(
    *,
    reads: Callable[[Any], tuple[*Ts]],
    compute: Callable[[*Ts], Coroutine[Any, Any, T]],
    asynchronous: Asynchronous,
    initial: None = ...,
    init: Literal[False] = ...,
) -> T | None: ...
@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    compute: Callable[[list[V]], T],
    where: Callable[[R], bool] | None = ...,
    asynchronous: Asynchronous,
    initial: None = ...,
    init: Literal[False] = ...,
) -> T | None: ...
@overload
def Custom(
    over: Many[R] | type[R],
    *,
    inputs: Callable[[R], V],
    reads: Callable[[Any], W],
    compute: Callable[[W, list[V]], T],
    where: Callable[[R], bool] | None = ...,
    asynchronous: Asynchronous,
    initial: None = ...,
    init: Literal[False] = ...,
) -> T | None: ...
@overload
def Custom(
    *,
    reads: Callable[[Any], tuple[*Ts]],
    compute: Callable[[*Ts], T],
    asynchronous: Asynchronous,
    initial: None = ...,
    init: Literal[False] = ...,
) -> T | None: ...
def Custom(
    over: Any = None,
    *,
    inputs: Any = None,
    reads: Any = None,
    compute: Any = None,
    where: Any = None,
    step: Any = None,
    state: Any = attrs.NOTHING,
    initial: Any = attrs.NOTHING,
    touches: int | None = None,
    asynchronous: Asynchronous | None = None,
    init: Literal[False] = False,
) -> Any:
    """Whatever ``compute`` makes of declared inputs, as plain Python inside the transaction.

    Over a collection, ``inputs`` answers a value, or a tuple of values, of one of its records (for
    which ``where`` holds) and of what that refers to. ``compute`` is given the list of them, in the
    order of the records' keys. Over no records the value is ``initial``; where that is left out,
    ``compute`` is asked for an empty list. ``reads`` answers values of the record itself and of what
    it refers to, which ``compute`` is given first: ``compute(own, rows)``.

    Without a collection ``compute`` is given each value of the tuple that ``reads`` answers.

    ``inputs`` and ``reads`` are traced, like any callback. When something changes that they read,
    ``compute`` is asked again, once for all that is written together. It reads nothing else: not
    the database, the clock, or what other calls have left, for of a change there it is not told.

    ``step(value, old, new)`` saves reading all records where one changed: it answers the next
    value from the present one and the inputs of one record as they were and as they are, None where
    it came or went; or ``iq.UNKNOWN``, and then ``compute`` is asked. What it answers is what
    ``compute`` would, in whatever order records change. With a ``state``, which is kept beside the
    value as JSON, both answer ``(value, state)``, and ``step`` takes ``(value, state, old, new)``.

    ``touches`` is how many records one write may have computed anew, by default a thousand; more are
    a :class:`~interaqt.ComputationError`, and nothing is written.

    With ``asynchronous`` a :class:`~interaqt.Worker` computes it, outside any transaction, and the
    value is ``initial``, or None, until then; ``compute`` may be ``async def`` and reach outside.
    """
    location = Location.of_caller()
    options = _Options(inputs, reads, compute, where, step, state, initial, touches, asynchronous, location)
    return OwnCustomSpec(options) if over is None else CustomSpec(over, options)


@attrs.frozen(eq=False)
class _Options:
    """What a declaration says besides what it runs over."""

    inputs: Any
    reads: Any
    compute: Any
    where: Any
    step: Any
    state: Any
    initial: Any
    touches: Any
    asynchronous: Any
    location: Location

    def require(self, *names: str) -> None:
        """Refuse what is missing or can't be a callback."""
        for name in ("inputs", "reads", "compute", "where", "step"):
            given = getattr(self, name)
            if given is None and name not in names:
                continue
            if not callable(given):
                what = "it leaves out" if given is None else f"{given!r} is given for"
                self.refuse(f"{what} {name}=, which is a callback", name, _EXAMPLES["inputs" in names])
        if self.touches is not None and (type(self.touches) is not int or self.touches < 1):
            self.refuse(f"touches= takes a number of records from 1 on, not {self.touches!r}", "touches")
        self._require_asynchronous()

    def _require_asynchronous(self) -> None:
        """Refuse what has no meaning for a worker, or none without one."""
        if self.asynchronous is None:
            if iscoroutinefunction(self.compute):
                self.refuse(
                    f"compute= is an async def, {self.compute.__name__}, for which a transaction does not wait",
                    "asynchronous",
                    "write asynchronous=iq.Asynchronous(), and a worker computes it",
                )
            return
        if not isinstance(self.asynchronous, Asynchronous):
            self.refuse(
                f"asynchronous= takes iq.Asynchronous(...), not {self.asynchronous!r}",
                "asynchronous",
                "write asynchronous=iq.Asynchronous()",
            )
        for name, nothing in (("step", None), ("state", attrs.NOTHING)):
            if getattr(self, name) is not nothing:
                self.refuse(
                    f"{name}= goes on from the present value, which a worker computes as a whole",
                    "asynchronous",
                    f"leave {name}= out",
                )
        if self.touches is not None:
            self.refuse(
                "touches= is how many records a write may have computed, and a worker computes them after it",
                "asynchronous",
                "leave touches= out",
            )

    def first(self, target: Target | Property, error: Callable[..., InvalidComputation]) -> Any:
        """What an asynchronous value is until it is computed."""
        attribute = target if isinstance(target, Property) else target.attribute
        first = None if self.initial is attrs.NOTHING else self.initial
        wrong = check_of(attribute.type)(first)
        if wrong is None:
            return first
        if self.initial is attrs.NOTHING:
            raise error(
                f"until it is computed it is None, but the attribute is declared {attribute.type}",
                "custom.initial",
                f"write {attribute.name}: {attribute.type} | None, or give initial=...",
            )
        raise error(f"the initial value {wrong}", "custom.initial")

    def refuse(self, message: str, code: str, hint: str = "") -> None:
        owner = being_declared()
        raise InvalidComputation(
            message,
            code=f"custom.{code}",
            subject=f"{owner}: Custom(...)" if owner else "",
            location=self.location,
            hint=hint,
        )


_EXAMPLES = (
    "write iq.Custom(reads=lambda post: (post.title,), compute=lambda title: ...), "
    "or, over a collection, iq.Custom(likes, inputs=lambda like: (like.weight,), compute=lambda rows: ...)",
    "write iq.Custom(likes, inputs=lambda like: (like.weight,), compute=lambda rows: ...)",
)


class CustomSpec(Aggregation):
    """The declaration of a Custom over a collection."""

    name_of = "Custom"

    def __init__(self, over: Any, options: _Options) -> None:
        super().__init__(over, options.location, options.where)
        self.options = options
        options.require("inputs", "compute")
        if options.reads is not None and options.step is not None:
            options.refuse(
                "step= is given one record's change, and not what reads= answers, on which the value depends, too",
                "step",
                "leave step= out: compute= is asked then",
            )
        if options.reads is not None and options.state is not attrs.NOTHING:
            options.refuse("state= is what step= goes on from, and with reads= there is no step", "state")

    @property
    def follows_row(self) -> bool:
        return self.options.reads is not None

    def resolve(self, target: Target) -> CustomRule:
        options, attribute = self.options, target.attribute
        subject, location = f"{attribute}: {target.text}", attribute.location
        state = self._state(target)
        own, compute = None, options.compute
        if options.reads is not None:
            own, mine = _own(options, attribute, subject)
            compute = options.compute if mine is None else _of_kind_over(options.compute, mine)
        functions = Functions(
            property=attribute,
            text=target.text,
            compute=compute,
            step=options.step,
            state=state,
            nothing=self._nothing(target),
            no_state=None if state is None else options.state,
            touches=options.touches or TOUCHES,
            asynchronous=options.asynchronous,
        )
        return CustomRule(
            property=attribute,
            collection=target.collection,
            condition=all_of(target.collection.where or TRUE, self.matches(target) or TRUE),
            functions=functions,
            inputs=traced_inputs(options.inputs, [target.element], "inputs", subject, location),
            own=own,
        )

    def _state(self, target: Target) -> Property | None:
        state = self.options.state
        if state is attrs.NOTHING:
            return None
        python: Any = type(state)
        if python not in _STATES and not attrs.has(python):
            raise target.error(
                f"state= is {state!r}, which JSON has no form for",
                "custom.state",
                hint="give what it is at first: a dict, a list, a number, a text, or an instance of an attrs class",
            )
        return target.beside("state", ValueType(Kind.JSON, python=python))[0]

    def _nothing(self, target: Target) -> Any:
        """The value over no records, if that does not depend on the record itself."""
        options = self.options
        if options.asynchronous is not None:
            return options.first(target, target.error)
        if options.initial is not attrs.NOTHING:
            wrong = check_of(target.type)(options.initial)
            if wrong is not None:
                raise target.error(f"the initial value {wrong}", "custom.initial")
            return options.initial
        if options.reads is not None:
            return attrs.NOTHING
        hint = "give what the value is then: initial=..."
        try:
            answer = options.compute([])
        except Exception as error:
            message = f"compute= raises {type(error).__name__} over no records: {error}"
            raise target.error(message, "custom.initial", hint) from error
        if options.state is not attrs.NOTHING:
            if not isinstance(answer, tuple) or len(answer) != 2:
                message = f"compute= answers {answer!r} over no records, not a pair of the value and the state"
                raise target.error(message, "custom.state")
            answer = answer[0]
        wrong = check_of(target.type)(answer)
        if wrong is not None:
            raise target.error(f"what compute= answers over no records {wrong}", "custom.initial", hint)
        return answer


class OwnCustomSpec(Computation):
    """The declaration of a Custom over the record itself."""

    def __init__(self, options: _Options) -> None:
        self.options, self.location = options, options.location
        options.require("reads", "compute")
        for name in ("inputs", "where", "step", "state"):
            if getattr(options, name) not in (None, attrs.NOTHING):
                options.refuse(
                    f"{name}= is about the records of a collection, and none is given", name, _EXAMPLES[True]
                )
        if options.initial is not attrs.NOTHING and options.asynchronous is None:
            options.refuse("it is computed when the record is made, so there is no initial value", "initial")

    @property
    def follows_row(self) -> bool:
        return True

    def resolve(self, attribute: Property) -> OwnCustomRule:
        options, subject = self.options, f"{attribute}: {self}"

        def error(message: str, code: str, hint: str = "") -> InvalidComputation:
            return InvalidComputation(message, code=code, subject=subject, location=attribute.location, hint=hint)

        own, mine = _own(options, attribute, subject)
        functions = Functions(
            property=attribute,
            text=str(self),
            compute=options.compute if mine is None else _of_kind(options.compute),
            nothing=attrs.NOTHING if options.asynchronous is None else options.first(attribute, error),
            touches=options.touches or TOUCHES,
            asynchronous=options.asynchronous,
        )
        return OwnCustomRule(property=attribute, functions=functions, own=own)

    def __str__(self) -> str:
        return "Custom(reads=...)"


_STATES = (dict, list, str, int, float, bool)


def _own(options: _Options, attribute: Property, subject: str) -> tuple[Inputs, Inputs | None]:
    """What is read of the record itself.

    Where it is one of several kinds in a table, whether a row is of that kind is read before it; what
    the callback reads is answered as well then.
    """
    own = traced_inputs(options.reads, [Root(HOST, attribute.owner)], "reads", subject, attribute.location)
    if options.asynchronous is None and any(map(reads_key, own.exprs)):
        raise InvalidComputation(
            f"it reads {attribute.record.key}, which the database counts when the row is made",
            code="custom.key",
            subject=subject,
            location=attribute.location,
            hint="give the record a UUID key, which is made before its row",
        )
    within = belongs(attribute.owner, Root(HOST, attribute.record))
    if within == TRUE:
        return own, None
    values = (Op("case", (within, each, Const(None, each.type.optional())), each.type.optional()) for each in own.exprs)
    return Inputs((within, *values), False), own


def _of_kind(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Asked of every row of a table, and answered for those of one kind."""
    return lambda is_mine, *values: compute(*values) if is_mine else None


def _of_kind_over(compute: Callable[..., Any], own: Inputs) -> Callable[..., Any]:
    return lambda values, rows: compute(own.given(values[1:]), rows) if values[0] else None
