"""One run of a callback under tracing: the decisions taken on its path and what follows from them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

from interaqt.core.errors import TraceError
from interaqt.core.expressions import BOOL, Attr, Const, Expr, Op, Param, Root, opposite

__all__ = ["CANDO", "CUSTOM", "Session", "current", "describe", "refusal", "refuse", "tracing", "tracing_active"]

#: The way out of everything that can't be an expression.
CUSTOM = "iq.Custom runs as Python over declared inputs"

#: What there is instead.
CANDO = "values have themselves: operators, comparisons, len(), round(), str and date methods"

#: More truth tests than this in one run are a loop without end.
MOST_QUESTIONS = 10_000

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")
}

_active: ContextVar[bool] = ContextVar("interaqt_tracing", default=False)
_session: ContextVar[Session | None] = ContextVar("interaqt_session", default=None)

#: What stands for a traced string inside an f-string. Its letters are of both cases, so that
#: ``lower()`` and the like break it, and a broken one is found.
_TOKEN = re.compile("\ue000Xx([\ue100-\ue109]+)xX\ue001")
_BROKEN = re.compile("[\ue000\ue001\ue100-\ue109]")


class Session:
    """The state of one run. ``script`` are the decisions to take first; after it, True each time."""

    def __init__(self, script: Sequence[bool] = (), *, allow_collections: bool = False) -> None:
        self.allow_collections = allow_collections
        self.decisions: list[tuple[Expr, bool]] = []
        self.computing: list[tuple[object, Expr]] = []
        self.texts: dict[Expr, bool] = {}
        """What was put into texts, and whether such a text was seen again, in a value or a comparison."""
        self._asked = 0
        self._script = script
        self._known: dict[Expr, bool] = {}
        self._facts: dict[Expr, list[tuple[str, Any, bool]]] = {}
        self._tokens: list[Expr] = []

    def decide(self, condition: Expr) -> bool:
        """Which way this run goes at ``condition``: once decided, or implied, it stays so."""
        match condition:
            case Const(value=value):
                return bool(value)
            case Op(name="not", args=(inner,)):
                return not self.decide(inner)
            case Op(name="ne", args=args):
                return not self.decide(Op("eq", args, BOOL))
        self._asked += 1
        if self._asked > MOST_QUESTIONS:
            refuse("the callback loops without end: what its `while` asks does not change", CUSTOM)
        known = self.known(condition)
        if known is None:
            place = len(self.decisions)
            known = self._script[place] if place < len(self._script) else True
            self.decisions.append((condition, known))
            self._learn(condition, known)
        return known

    def known(self, condition: Expr) -> bool | None:
        """What this run has decided about ``condition``, directly or by a comparison of the same value."""
        if condition in self._known:
            return self._known[condition]
        match condition:
            case Op(name=name, args=(value, Const(value=constant))) if name in _COMPARISONS:
                for fact, other, truth in self._facts.get(value, ()):
                    if fact == "eq" and truth:
                        return _COMPARISONS[name](other, constant)
                    if name == "eq" and _COMPARISONS[fact](constant, other) != truth:
                        return False
        return None

    def _learn(self, condition: Expr, truth: bool) -> None:
        self._known[condition] = truth
        if isinstance(condition, Op):
            other = opposite(condition)
            if other is not None:
                self._known[other] = not truth
            match condition.args:
                case (value, Const(value=constant)) if condition.name in _COMPARISONS:
                    self._facts.setdefault(value, []).append((condition.name, constant, truth))

    def nulls(self) -> list[Expr]:
        """The attributes that are None on this path, the last found last."""
        return [
            condition.args[0]
            for condition, truth in self.decisions
            if truth and isinstance(condition, Op) and condition.name == "is_null"
        ]

    def token(self, expr: Expr) -> str:
        """A text that stands for ``expr`` inside other text."""
        self._tokens.append(expr)
        self.texts.setdefault(expr, False)
        number = "".join(chr(0xE100 + int(digit)) for digit in str(len(self._tokens) - 1))
        return f"\ue000Xx{number}xX\ue001"

    def parts(self, text: str) -> list[str | Expr]:
        """The text with each token in it replaced by what it stands for."""
        pieces = _TOKEN.split(text)
        found: list[str | Expr] = []
        for place, piece in enumerate(pieces):
            if place % 2:
                number = int("".join(str(ord(digit) - 0xE100) for digit in piece))
                found.append(self._tokens[number])
                self.texts[self._tokens[number]] = True
            elif _BROKEN.search(piece):
                refuse(
                    "an f-string of traced values was cut or changed",
                    "apply the method to the value inside: f'{post.title.lower()}'",
                )
            elif piece:
                found.append(piece)
        return found


def current() -> Session:
    """The run that is going on."""
    session = _session.get()
    if session is None:
        refuse("a traced value was kept and used after its callback had returned")
    return session


#: Whether a callback is being traced now, so that calling a record class means a Construction.
tracing_active = _active.get


@contextmanager
def tracing(session: Session | None) -> Iterator[None]:
    """Trace under ``session``; None is the plain Python run that a trace is compared with."""
    tokens = _active.set(True), _session.set(session)
    try:
        yield
    finally:
        _active.reset(tokens[0])
        _session.reset(tokens[1])


def refusal(message: str, hint: str = "") -> TraceError:
    return TraceError(message, hint=hint)


def refuse(message: str, hint: str = "") -> NoReturn:
    raise refusal(message, hint)


def describe(expr: Expr) -> str:
    """The expression in a user's words: ``Post.title``, ``payload.title`` or ``a str``."""
    match expr:
        case Attr(of=of, name=name):
            record = of.type.record
            return f"{record.name if record else describe(of)}.{name}"
        case Param(name=name):
            return name
        case Root(record=record):
            return record.name
        case Const(value=value):
            return repr(value)
        case _:
            kind = str(expr.type.optional(False))
            return f"{'an' if kind[0] in 'aeioAEIO' else 'a'} {kind}"
