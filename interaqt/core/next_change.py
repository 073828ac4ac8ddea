"""The next change: when an expression over the present moment has another value, as an expression itself.

It is never later than the first moment after now at which the value may be another, so between the
two the value is one and the same. Being an expression, it is worked out wherever expressions are:
in Python for a row that is made, in SQL for any number of rows at once.

What moves evenly with time (``now + duration``, ``now - at``) is a line: a number of microseconds
that grows by one with each, or shrinks. What counts whole units of a line (a date, days, how often
a duration went by) is a staircase. A comparison of either with what stays is turned at one moment,
which is found by subtraction; an equation at two.
"""

from __future__ import annotations

import datetime as dt
from functools import reduce

import attrs

from interaqt.core.errors import InteraqtError
from interaqt.core.expressions import Const, Expr, Op, case, walk
from interaqt.core.moments import DAY, FURTHEST, NOW, microseconds
from interaqt.core.types import Kind, ValueType

__all__ = ["NEVER", "ChangesAlways", "depends_on_time", "next_change"]

INT, BOOL = ValueType(Kind.INT), ValueType(Kind.BOOL)

#: In the place of a moment, where there is none.
NEVER = Const(None, INT.optional())

_COMPARED = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
_MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}

#: Parts of a moment that follow a clock without regard to the calendar, by how many microseconds they last.
_EVEN = {"second": 10**6, "minute": 60 * 10**6, "hour": 3600 * 10**6, "day": DAY, "weekday": DAY, "isoweekday": DAY}


class ChangesAlways(InteraqtError):
    """A part of an expression that is another at every moment."""

    def __init__(self, part: Expr) -> None:
        super().__init__("it is another at every moment", code="real_time.every")
        self.part = part


def depends_on_time(expr: Expr) -> bool:
    return any(node == NOW for node in walk(expr))


def next_change(expr: Expr, every: dt.timedelta | None = None) -> Expr:
    """Microseconds since 1970 of the next moment at which the expression may have another value, or None.

    What is another at every moment is looked at again after ``every``; without it,
    :class:`ChangesAlways` is raised.
    """
    return _Solver(None if every is None else microseconds(every)).change(expr)


@attrs.frozen
class _Staircase:
    """``sign * (line // step * step) + what stays``, in microseconds; with a step of 1, the line itself.

    The line moves by ``pace`` a microsecond: mostly 1 or -1.
    """

    pace: int
    line: Expr
    step: int
    sign: int
    value: Expr
    unit: int = 1
    """By how many microseconds one counts, in an INT."""

    @property
    def is_line(self) -> bool:
        return self.step == 1

    @property
    def rises(self) -> bool:
        return self.pace * self.sign > 0

    def through(self, value: Expr, sign: int = 1, unit: int | None = None) -> _Staircase:
        """The same stairs, moved or upside down."""
        unit = self.unit if unit is None else unit
        return attrs.evolve(self, value=_times(value, unit), sign=self.sign * sign, unit=unit)


@attrs.frozen
class _Solver:
    every: int | None

    def change(self, expr: Expr) -> Expr:
        if not depends_on_time(expr):
            return NEVER
        if not isinstance(expr, Op):
            return self._always(expr)
        args = expr.args
        match expr.name:
            case "and":
                return self._short_circuit(args, going_on=True)
            case "or":
                return self._short_circuit(args, going_on=False)
            case "case":
                return self._choice(args)
            case "in":
                return _earliest(*(self._comparison("eq", args[0], each) for each in args[1:]))
            case "microsecond":
                return self._always(expr)
            case "month" | "year":
                return self._calendar(expr.name, args[0])
            case name if name in _COMPARED:
                return self._comparison(name, *args)
            case name if name in _EVEN:
                return self._part(args[0], _EVEN[name])
        stairs = _staircase(expr)
        if stairs is not None:
            return self._step(stairs, expr)
        if expr.type.kind in (Kind.DATETIME, Kind.TIMEDELTA) and any(_is_line(arg) for arg in args):
            return self._always(expr)
        return _earliest(*map(self.change, args))

    def _always(self, expr: Expr) -> Expr:
        if self.every is None:
            raise ChangesAlways(expr)
        return _plus(_NOW, Const(self.every, INT))

    # -- what is asked of a row only where what stands before it lets it

    def _short_circuit(self, parts: tuple[Expr, ...], going_on: bool) -> Expr:
        first, *rest = parts
        change = self.change(first)
        if not rest:
            return change
        both = _earliest(change, self._short_circuit(tuple(rest), going_on))
        return _choice(first, both, change) if going_on else _choice(first, change, both)

    def _choice(self, args: tuple[Expr, ...]) -> Expr:
        if len(args) == 1:
            return self.change(args[0])
        condition, value, *rest = args
        change = self.change(condition)
        return _choice(condition, _earliest(change, self.change(value)), _earliest(change, self._choice(tuple(rest))))

    # -- comparisons

    def _comparison(self, name: str, left: Expr, right: Expr) -> Expr:
        if depends_on_time(right):
            if depends_on_time(left):
                return self._of_two(name, left, right)
            name, left, right = _MIRRORED[name], right, left
        if not depends_on_time(left):
            return NEVER
        if isinstance(left, Op) and left.name == "year" and isinstance(right, Const):
            return self._years(name, left.args[0], right)
        if isinstance(left, Op) and left.name == "abs" and _is_line(left.args[0]):
            return self._distance(name, left.args[0], _since(right))
        stairs = _staircase(left)
        if stairs is None:
            return self.change(left)
        target = _times(_within(right, stairs.unit), stairs.unit) if right.type.kind is Kind.INT else _since(right)
        return _turns(name, stairs, target)

    def _distance(self, name: str, of: Expr, target: Expr) -> Expr:
        """A comparison of how far a line is from 0, on either side."""
        line = _staircase(of)
        assert line is not None
        opposite = {"ge": "gt", "gt": "ge", "le": "lt", "lt": "le"}.get(name, name)
        below = _turns(opposite, line, Op("neg", (target,), INT))
        return _earliest(_turns(name, line, target), below)

    def _of_two(self, name: str, left: Expr, right: Expr) -> Expr:
        one, other = _staircase(left), _staircase(right)
        if one is not None and other is not None and one.is_line and other.is_line:
            line = _minus(one.line, other.line)
            return _turns(name, _Staircase(one.pace - other.pace, line, 1, 1, line), _ZERO)
        return _earliest(self.change(left), self.change(right))

    def _years(self, name: str, of: Expr, year: Const) -> Expr:
        stairs = _staircase(of)
        if stairs is None:
            return self.change(of)
        assert isinstance(year.value, int)
        years = {"ge": (0,), "lt": (0,), "gt": (1,), "le": (1,)}.get(name, (0, 1))
        # No moment is in a year without a date.
        begins = [year.value + each for each in years if 1 <= year.value + each <= dt.MAXYEAR]
        moments = [microseconds(dt.date(each, 1, 1)) for each in begins]
        return _earliest(*(_crossing(stairs, Const(each, INT)) for each in moments))

    # -- steps

    def _step(self, stairs: _Staircase, expr: Expr) -> Expr:
        """When what counts whole units counts another."""
        if stairs.pace == 0:
            return NEVER
        if stairs.is_line:
            return self._always(expr)
        rest = _mod(stairs.line, stairs.step)
        return _plus(_NOW, _wait(stairs.pace, _minus(Const(stairs.step, INT), rest) if stairs.pace > 0 else rest))

    def _part(self, of: Expr, lasts: int) -> Expr:
        stairs = _staircase(of)
        if stairs is None:
            return self.change(of)
        begun = _minus(stairs.value, _mod(stairs.value, lasts))
        return _crossing(stairs, _plus(begun, Const(lasts, INT)) if stairs.rises else begun)

    def _calendar(self, name: str, of: Expr) -> Expr:
        stairs = _staircase(of)
        if stairs is None:
            return self.change(of)
        year, month = Op("year", (of,), INT), Op("month", (of,), INT)
        ahead = 1 if stairs.rises else 0
        if name == "year":
            return _crossing(stairs, _month_begins(_plus(_times(year, 12), Const(12 * ahead, INT))))
        return _crossing(stairs, _month_begins(_plus(_times(year, 12), _plus(month, Const(ahead - 1, INT)))))


# -- lines and staircases ------------------------------------------------------------------------


def _is_line(expr: Expr) -> bool:
    stairs = _staircase(expr) if depends_on_time(expr) else None
    return stairs is not None and stairs.is_line


def _pace(expr: Expr) -> int | None:
    """By how much a moment or a duration grows with each microsecond; None where that can't be said."""
    if not depends_on_time(expr):
        return 0
    if expr == NOW:
        return 1
    if not isinstance(expr, Op) or expr.name not in ("add", "sub", "neg", "mul"):
        return None
    if expr.type.kind not in (Kind.DATETIME, Kind.TIMEDELTA):
        return None
    if expr.name == "mul":
        of, by = expr.args
        pace = _pace(of)
        return None if pace is None or not isinstance(by, Const) else pace * by.value  # type: ignore[operator]
    paces = [_pace(arg) for arg in expr.args]
    if any(pace is None for pace in paces):
        return None
    first, *others = [pace for pace in paces if pace is not None]
    if expr.name == "neg":
        return -first
    return sum(others, first) if expr.name == "add" else first - sum(others)


def _staircase(expr: Expr) -> _Staircase | None:
    pace = _pace(expr)
    if pace is not None:
        return _Staircase(pace, _since(expr), 1, 1, _since(expr))
    if not isinstance(expr, Op):
        return None
    match expr:
        case Op(name="date", args=(of,)):
            line = _staircase(of)
            return attrs.evolve(line, step=DAY, value=_since(expr)) if line is not None and line.is_line else None
        case Op(name="days", args=(of,)):
            return _whole(expr, of, DAY)
        case Op(name="floordiv", args=(of, Const(value=dt.timedelta() as each))) if each > dt.timedelta(0):
            return _whole(expr, of, microseconds(each))
        case Op(name="add" | "sub" | "neg", args=args) if expr.type.kind in (Kind.DATE, Kind.TIMEDELTA, Kind.INT):
            moving = [place for place, arg in enumerate(args) if depends_on_time(arg)]
            if len(moving) > 1 or (expr.type.kind is Kind.DATE and moving != [0]):
                return None
            stairs = _staircase(args[moving[0]])
            if stairs is None or (expr.type.kind is Kind.INT) != (args[moving[0]].type.kind is Kind.INT):
                return None
            sign = -1 if expr.name == "neg" or (expr.name == "sub" and moving == [1]) else 1
            value = expr if expr.type.kind is Kind.INT else _since(expr)
            return stairs.through(value, sign)
    return None


def _whole(expr: Expr, of: Expr, unit: int) -> _Staircase | None:
    """Whole units of a duration: of a line, or of what is counted in days already."""
    stairs = _staircase(of)
    if stairs is None:
        return None
    if stairs.is_line:
        return attrs.evolve(stairs, step=unit, value=_times(expr, unit), unit=unit)
    is_of_days = isinstance(of, Op) and of.name == "sub" and of.args[0].type.kind is Kind.DATE
    return stairs.through(expr, unit=unit) if is_of_days and unit == DAY else None


# -- when they cross a height --------------------------------------------------------------------


def _turns(name: str, stairs: _Staircase, target: Expr) -> Expr:
    """When a comparison with a height is turned."""
    above = _plus(target, _ONE)
    match name:
        case "ge" | "lt":
            return _crossing(stairs, target)
        case "gt" | "le":
            return _crossing(stairs, above)
        case _:
            return _earliest(_crossing(stairs, target), _crossing(stairs, above))


def _crossing(stairs: _Staircase, height: Expr) -> Expr:
    """The first moment after now at which ``value >= height`` is not as it is now."""
    if stairs.pace == 0:
        return NEVER
    line = stairs.line
    if not stairs.is_line:
        stays = stairs.value
        whole = _minus(line, _mod(line, stairs.step))
        stays = _minus(stays, whole) if stairs.sign > 0 else _plus(stays, whole)
        height = _minus(height, stays) if stairs.sign > 0 else _plus(_minus(stays, height), _ONE)
        # The stairs are as high where the line is at the next whole step.
        height = _plus(height, _mod(Op("neg", (height,), INT), stairs.step))
    if stairs.pace > 0:
        return _choice(_op("lt", line, height), _plus(_NOW, _wait(stairs.pace, _minus(height, line))), NEVER)
    return _choice(_op("ge", line, height), _plus(_NOW, _wait(stairs.pace, _minus(line, height))), NEVER)


def _wait(pace: int, way: Expr) -> Expr:
    """How long it takes a line to come up so far, or to go down by more."""
    if pace > 0:
        return way if pace == 1 else Op("neg", (_div(Op("neg", (way,), INT), pace),), INT)
    return _plus(way if pace == -1 else _div(way, -pace), _ONE)


def _month_begins(months: Expr) -> Expr:
    """When the month begins that is so many months after January of the year 0, by the civil calendar."""
    year, month = _div(months, 12), _plus(_mod(months, 12), _ONE)
    # A year that begins in March has its leap day at its end.
    early = _op("le", month, Const(2, INT))
    year = _minus(year, case(early, _ONE, _ZERO))
    since_march = _plus(month, case(early, Const(9, INT), Const(-3, INT)))
    days = [
        _times(year, 365),
        _div(year, 4),
        Op("neg", (_div(year, 100),), INT),
        _div(year, 400),
        _div(_plus(_times(since_march, 153), Const(2, INT)), 5),
        Const(-719_468, INT),
    ]
    return _times(reduce(_plus, days), DAY)


# -- integers ------------------------------------------------------------------------------------

_ZERO, _ONE = Const(0, INT), Const(1, INT)


def _since(expr: Expr) -> Expr:
    if isinstance(expr, Const) and isinstance(expr.value, dt.date | dt.timedelta):
        return Const(microseconds(expr.value), INT)
    return Op("microseconds", (expr,), INT)


_NOW = _since(NOW)


def _op(name: str, left: Expr, right: Expr) -> Expr:
    return Op(name, (left, right), BOOL)


def _plus(left: Expr, right: Expr) -> Expr:
    if left == _ZERO or right == _ZERO:
        return right if left == _ZERO else left
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(left.value + right.value, INT)  # type: ignore[operator]
    return Op("add", (left, right), INT)


def _minus(left: Expr, right: Expr) -> Expr:
    if left == right:
        return _ZERO
    if isinstance(right, Const):
        return _plus(left, Const(-right.value, INT))  # type: ignore[operator]
    return Op("sub", (left, right), INT)


def _times(expr: Expr, by: int) -> Expr:
    if isinstance(expr, Const):
        return Const(expr.value * by, INT)  # type: ignore[operator]
    return expr if by == 1 else Op("mul", (expr, Const(by, INT)), INT)


def _div(expr: Expr, by: int) -> Expr:
    return Op("floordiv", (expr, Const(by, INT)), INT)


def _mod(expr: Expr, by: int) -> Expr:
    return Op("mod", (expr, Const(by, INT)), INT)


def _within(expr: Expr, unit: int) -> Expr:
    """A number of units no further from 0 than any moment is."""
    most = FURTHEST // unit
    if isinstance(expr, Const):
        assert isinstance(expr.value, int)
        return Const(max(-most, min(most, expr.value)), INT)
    low, high = Const(-most, INT), Const(most, INT)
    return case(_op("lt", expr, low), low, case(_op("gt", expr, high), high, expr))


def _choice(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    return then if then == otherwise else case(condition, then, otherwise)


def _earliest(*moments: Expr) -> Expr:
    flat: list[Expr] = []
    for each in moments:
        for part in each.args if isinstance(each, Op) and each.name == "earliest" else (each,):
            if part != NEVER and part not in flat:
                flat.append(part)
    if not flat:
        return NEVER
    return flat[0] if len(flat) == 1 else Op("earliest", tuple(flat), INT.optional())
