"""Expressions as SQL: a template per operation, filled with Peewee nodes.

Peewee quotes, numbers and joins; the templates of ``storage.dialect`` and the drivers say what
an operation is called. A statement's text is made once, at setup; what a dispatch does with it
is to call a function, generated here too, that puts its values in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from string import Formatter
from typing import TYPE_CHECKING, Any

import attrs
import peewee

from interaqt.core.expressions import Const, Expr, Op, Param, Root, walk
from interaqt.core.generated import generated
from interaqt.core.types import Kind, ValueType
from interaqt.storage.glance import glance_of

if TYPE_CHECKING:
    from interaqt.storage.convert import Convert
    from interaqt.storage.database import Executor
    from interaqt.storage.dialect import Dialect

__all__ = [
    "Leaf",
    "Slot",
    "Statement",
    "Template",
    "bind",
    "binder",
    "compile_statement",
    "constant",
    "converters_of",
    "inline",
    "plain",
    "render",
    "runner",
    "template",
]

Leaf = Callable[[Expr], peewee.Node | None]
"""Gives the node of what it knows (a column, a parameter, a subselect), or None."""


# -- nodes ---------------------------------------------------------------------------------


@cache
def _pieces(text: str) -> tuple[str | int, ...]:
    pieces: list[str | int] = []
    for literal, field, _, _ in Formatter().parse(text):
        if literal:
            pieces.append(literal)
        if field is not None:
            pieces.append(int(field))
    return tuple(pieces)


class Template(peewee.ColumnBase):
    """SQL text with nodes in it: ``template("lower({0})", node)``.

    The text is ours, never a user's; a select in it is put in parentheses.
    """

    def __init__(self, pieces: tuple[str | int, ...], nodes: Sequence[peewee.Node]) -> None:
        self.pieces = pieces
        self.nodes = nodes

    def __sql__(self, ctx: Any) -> Any:
        with ctx(parentheses=False, in_expr=True, in_function=True, subquery=True):
            for piece in self.pieces:
                if isinstance(piece, str):
                    ctx.literal(piece)
                else:
                    ctx.sql(self.nodes[piece])
        return ctx


def template(text: str, *nodes: peewee.Node) -> Template:
    return Template(_pieces(text), nodes)


@attrs.frozen
class Slot:
    """Stands among a statement's values for one that is given when it is run."""

    name: str
    type: ValueType | None = attrs.field(default=None, eq=False)


def bind(name: str, type: ValueType, dialect: Dialect) -> peewee.Node:
    """A placeholder for the value ``name``, of a type that never depends on the value."""
    return dialect.typed(peewee.Value(Slot(name, type), converter=False, unpack=False), type)


def constant(value: object, type: ValueType, dialect: Dialect) -> peewee.Node:
    """A value that is part of the program: numbers and truth as text, all else bound."""
    if value is None:
        return dialect.typed(peewee.SQL("NULL"), type)
    convert = dialect.to_db(type)
    stored = value if convert is None else convert(value)
    if isinstance(stored, int) and type.kind in (Kind.INT, Kind.BOOL, Kind.ENUM):
        return dialect.integer(stored, type)
    return dialect.typed(peewee.Value(stored, converter=False, unpack=False), type)


def render(expr: Expr, dialect: Dialect, leaf: Leaf) -> peewee.Node:
    """The node of an expression; ``leaf`` is asked first, at every node."""
    found = leaf(expr)
    if found is not None:
        return found
    match expr:
        case Const(value=value, type=type):
            return constant(value, type, dialect)
        case Param(name=name, type=type):
            return bind(name, type, dialect)
        case Op(name="and" | "or", args=args):
            return _logic(expr.name, args, dialect, leaf)
        case Op():
            return dialect.operation(expr, [render(arg, dialect, leaf) for arg in expr.args])
    raise TypeError(f"nothing gives the SQL of {expr}")


#: What can fail on a value that the operand before it in an ``and`` excludes.
_PARTIAL = frozenset({"truediv", "floordiv", "mod", "floor", "ceil", "trunc", "round"})


def _logic(name: str, args: tuple[Expr, ...], dialect: Dialect, leaf: Leaf) -> peewee.Node:
    """``AND`` and ``OR``; as CASE where the order matters, for SQL promises none."""
    nodes = [render(arg, dialect, leaf) for arg in args]
    if any(_may_fail(node) for arg in args[1:] for node in walk(arg)):
        text = "CASE WHEN {0} THEN {1} ELSE FALSE END" if name == "and" else "CASE WHEN {0} THEN TRUE ELSE {1} END"
        joined = nodes[-1]
        for node in reversed(nodes[:-1]):
            joined = template(text, node, joined)
        return joined
    glue = f" {name.upper()} "
    return template("(" + glue.join(f"{{{index}}}" for index in range(len(nodes))) + ")", *nodes)


def _may_fail(node: Expr) -> bool:
    if not isinstance(node, Op) or node.name not in _PARTIAL:
        return False
    # A divisor that is written down is not 0.
    return len(node.args) < 2 or not isinstance(node.args[1], Const)


def plain(expr: Expr) -> Expr:
    """A condition of which only the truth matters, so that NULL may stand for False: ``=`` finds what an index has.

    Databases compare with ``=`` by an index but not, all of them, with what holds for two NULLs.
    """
    if isinstance(expr, Op) and expr.name in ("and", "or"):
        return Op(expr.name, tuple(map(plain, expr.args)), expr.type)
    if isinstance(expr, Op) and expr.name == "eq" and not all(arg.type.nullable for arg in expr.args):
        args = (arg if not arg.type.nullable else _existing(arg) for arg in expr.args)
        return Op(expr.name, tuple(args), expr.type)
    return expr


def _existing(expr: Expr) -> Expr:
    return expr if isinstance(expr, Root) else attrs.evolve(expr, type=expr.type.optional(False))


# -- statements ----------------------------------------------------------------------------


@attrs.frozen
class Statement:
    """SQL in the driver's own paramstyle, and the values of its placeholders: constants and slots."""

    sql: str
    values: tuple[Any, ...] = ()

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the values to give, each once."""
        return tuple(dict.fromkeys(value.name for value in self.values if isinstance(value, Slot)))


_MARK = "\0"


def compile_statement(query: peewee.Node, dialect: Dialect) -> Statement:
    """The text of a query, once and for all."""
    # Peewee joins the text itself, so a placeholder is marked by what no identifier may hold,
    # and a percent sign of the text can be told from one of a placeholder.
    context: Any = dialect.peewee.get_sql_context(param=_MARK)
    text, values = context.sql(query).query()
    return Statement(dialect.paramstyle(text.split(_MARK)), tuple(values))


def inline(node: peewee.Node, dialect: Dialect) -> str:
    """A node without placeholders, its constants quoted: for schema statements, which take none."""
    context: Any = dialect.peewee.get_sql_context(param=_MARK)
    text, values = context.sql(node).query()
    pieces = text.split(_MARK)
    return "".join(
        piece + (dialect.quoted(values[index]) if index < len(values) else "") for index, piece in enumerate(pieces)
    )


def converters_of(statements: Iterable[Statement], dialect: Dialect) -> dict[str, Convert]:
    """How the dialect converts the value of each slot that has a type."""
    found: dict[str, Convert] = {}
    for statement in statements:
        for value in statement.values:
            if isinstance(value, Slot) and value.type is not None:
                convert = dialect.to_db(value.type)
                if convert is not None:
                    found[value.name] = convert
    return found


def binder(
    statement: Statement,
    converters: Mapping[str, Convert | None] | None = None,
    names: Sequence[str] | None = None,
) -> Callable[[Any], tuple[Any, ...]]:
    """A function from given values to the statement's values, in order.

    The values are given as a mapping by name, or, where ``names`` says their order, as a tuple.
    """
    lines, values, scope = _bound(statement, converters, names)
    source = f"def bind(given):\n{lines}    return {values}\n"
    return generated("bind", source, scope, f"bind {statement.sql[:60]}")


def runner(
    statement: Statement, converters: Mapping[str, Convert | None], answer: Callable[[Any], Any] | None = None
) -> Callable[[Executor, Mapping[str, Any]], Any]:
    """A function that runs the statement by an executor, with values by name; ``answer`` is made of its result."""
    lines, values, scope = _bound(statement, converters)
    scope["sql"] = statement.sql
    run = f"executor.execute(sql, {values})"
    if answer is not None:
        scope["answer"] = answer
        run = f"answer({run})"
    source = f"def run(executor, given):\n{lines}    return {run}\n"
    return generated("run", source, scope, f"run {statement.sql[:60]}")


def _bound(
    statement: Statement,
    converters: Mapping[str, Convert | None] | None,
    names: Sequence[str] | None = None,
) -> tuple[str, str, dict[str, Any]]:
    """The lines that convert what is given, the values in order, and what both know by name."""
    scope: dict[str, Any] = {}
    lines: list[str] = []
    parts: list[str] = []
    places: dict[str, str] = {}
    for index, value in enumerate(statement.values):
        if not isinstance(value, Slot):
            scope[f"constant_{index}"] = value
            parts.append(f"constant_{index}")
            continue
        if value.name not in places:
            # Converted once, however often it is in the statement.
            place = places[value.name] = f"value_{index}"
            lines.append(f"{place} = given[{names.index(value.name) if names is not None else value.name!r}]")
            convert = converters.get(value.name) if converters else None
            if convert is not None:
                lines += _converted(place, convert, scope)
        parts.append(places[value.name])
    body = "".join(f"    {line}\n" for line in lines)
    return body, f"({', '.join(parts)},)" if parts else "()", scope


def _converted(place: str, convert: Convert, scope: dict[str, Any]) -> Iterator[str]:
    """The lines that convert the value in a place: by no call at all, where a glance says that it is as it shall be."""
    scope[f"convert_{place}"] = convert
    glance = glance_of(convert)
    if glance is None:
        yield f"{place} = convert_{place}({place})"
        return
    scope |= glance.names
    yield f"if not ({glance.test.format(place)}):"
    yield f"    {place} = convert_{place}({place})"
    if glance.form is not None:
        scope[f"form_{place}"] = glance.form
        guard = f"elif {place} is not None:" if glance.nullable else "else:"
        yield guard
        yield f"    {place} = form_{place}({place})"
