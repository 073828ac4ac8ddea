"""Adjusting: a contributing record came, changed or went, and its host's sums move by the difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import AggregateRule, Sum
from interaqt.core.computations.aggregation import LINK
from interaqt.core.evaluate import GLOBALS, python_source
from interaqt.core.expressions import Attr, Const, Expr, Op, Root, children, rooted, walk
from interaqt.core.generated import generated
from interaqt.core.model import ONLY, Constant, Property, RecordModel, Reference
from interaqt.core.types import Kind
from interaqt.runtime.reaction import NEW, OLD, Pair, Reaction, Step
from interaqt.runtime.sums import SumUpdate, delta_param
from interaqt.storage.prepared import KEY, Prepared, PreparedRows
from interaqt.storage.scope import Binding, Image

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Adjust", "image_source", "is_local", "read_images", "type_of"]


def is_local(expr: Expr) -> bool:
    """Whether the row itself is all that the expression reads."""
    return all(isinstance(node.of, Root) for node in walk(expr) if isinstance(node, Attr))


def difference(new: Expr | None, old: Expr | None) -> Expr:
    """``new - old``, where one may be missing."""
    if old is None:
        assert new is not None
        return new
    if new is None:
        return Const(-old.value, old.type) if isinstance(old, Const) else Op("neg", (old,), old.type)  # type: ignore[operator]
    return Op("sub", (new, old), new.type)


class Adjust(Reaction):
    """Moves the sums of the one host that a contributing row names.

    ``new`` and ``old`` say which of the row's two states count: the new one where it came to
    this host, the old one where it left it, both where it stayed and changed.
    """

    def __init__(self, planner: Planner, rules: Sequence[AggregateRule], new: bool, old: bool) -> None:
        self.planner = planner
        self.rules = tuple(rules)
        self.update = SumUpdate(planner, rules)
        self.via = rules[0].collection.via
        self.new, self.old = new, old
        self._deltas = {each.property: self._delta(each) for rule in rules for each in rule.sums}
        self._local = {
            delta_param(each).name: expr
            for each, expr in self._deltas.items()
            if is_local(expr) and not isinstance(expr, Const)
        }
        # What the database itself must work out, since it lies behind a reference.
        self._remote = [expr for expr in self._deltas.values() if not is_local(expr)]
        self._images = sorted({(root, name) for expr in self._remote for root, name in read_images(expr)})
        read = {name for expr in self._deltas.values() for _, name in read_images(expr)}
        self.reads = frozenset(read | {self.via.name})
        self._constant = all(isinstance(expr, Const) for expr in self._deltas.values())

    def _delta(self, each: Sum) -> Expr:
        link = self.update.collection.link
        new = rooted(each.contribution, LINK, Root(NEW, link)) if self.new else None
        old = rooted(each.contribution, LINK, Root(OLD, link)) if self.old else None
        return difference(new, old)

    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        if self._counts and len(pairs) > 1:
            self._run_counts(run, pairs)
            return
        given = []
        for old, new in pairs:
            found = self._given(old, new)
            if found is not None:
                given.append(found)
        if run.ending:
            # Nobody asks any more what the values of a host would be that goes, too.
            given = [each for each in given if not run.is_ending(self.update.host, each[KEY])]
        if not given:
            return
        if len(given) == 1:
            self._move(run, given[0])
        elif self._remote:
            result = self._summed.run(run.tx, given)
            self.update.by(run, self.update.read_deltas(result.fetchall()))
        else:
            self.update.by(run, self._sum(given))

    def _run_counts(self, run: Run, pairs: Sequence[Pair]) -> None:
        """Where each row counts the same, only how many there are of a host matters."""
        key_in = self.via.key_in
        numbers = Counter([key_in(new if self.new else old) for old, new in pairs])  # type: ignore[arg-type]
        numbers.pop(None, None)
        if run.ending:
            numbers = Counter({key: n for key, n in numbers.items() if not run.is_ending(self.update.host, key)})
        constants = self._constants.items()
        moves = {number: {name: value * number for name, value in constants} for number in set(numbers.values())}
        self.update.by(run, {key: moves[number] for key, number in numbers.items()})

    @cached_property
    def _counts(self) -> bool:
        """Whether all that a row contributes are whole numbers, the same for each row."""
        kinds = {each.type.kind for each in self.update.kept}
        return self._constant and self._has_constants and kinds <= {Kind.INT}

    @cached_property
    def _move(self) -> Callable[[Run, Mapping[str, Any]], None]:
        """Moves one host."""
        if self._remote or not self.update.undoes:
            return self.update.moving(self._one)
        # What the host was follows from what it is then, for no delta is left to the database.
        return self.update.undoing(self._one, self._constants)

    @cached_property
    def _given(self) -> Callable[[Any, Any], dict[str, Any] | None]:
        """What the statement needs of one row as it was and as it is; None where it moves nothing."""
        if self._constant and not self._has_constants:
            return lambda old, new: None
        state = NEW if self.new else OLD
        names: dict[str, Any] = {}
        lines = []
        key = repr(ONLY)
        if not isinstance(self.via, Constant):
            key = "key"
            lines += [f"key = {state}[{self.via.name!r}]", "if key is None:", "    return None"]
        given = {KEY: key}
        for index, (name, expr) in enumerate(self._local.items()):
            given[name] = f"delta_{index}"
            lines.append(f"delta_{index} = {python_source(expr, image_source, names)}")
        if not self._remote and not self._has_constants:
            moving = " or ".join(f"delta_{index}" for index in range(len(self._local)))
            lines += [f"if not ({moving}):", "    return None"]
        given |= {f"{root}.{name}": f"{root}[{name!r}]" for root, name in self._images}
        values = ", ".join(f"{name!r}: {source}" for name, source in given.items())
        body = "".join(f"    {line}\n" for line in lines)
        source = f"def given({OLD}, {NEW}):\n{body}    return {{{values}}}\n"
        return generated("given", source, {**GLOBALS, **names}, f"{self.rules[0]}")

    @cached_property
    def _has_constants(self) -> bool:
        return any(isinstance(expr, Const) and expr.value for expr in self._deltas.values())

    # -- one row

    @cached_property
    def _one(self) -> Prepared:
        bindings: Mapping[str, Binding] = {NEW: Image(NEW), OLD: Image(OLD)}
        return self.update.statement(self._in_statement, bindings)

    def _in_statement(self, each: Property) -> Expr:
        expr, param = self._deltas[each], delta_param(each)
        return param if param.name in self._local else expr

    # -- several rows: summed for each host first

    @cached_property
    def _constants(self) -> dict[str, Any]:
        return {delta_param(each).name: expr.value for each, expr in self._deltas.items() if isinstance(expr, Const)}

    def _known(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The deltas of all sums, where none is left to the database."""
        return {**self._constants, **{name: given[name] for name in self._local}}

    def _sum(self, given: Iterable[Mapping[str, Any]]) -> dict[Any, dict[str, Any]]:
        totals: dict[Any, dict[str, Any]] = {}
        for row in given:
            self.update.total(totals, row[KEY], self._known(row))
        return totals

    @cached_property
    def _summed(self) -> PreparedRows:
        statements = self.planner.statements
        link = self.update.collection.link
        columns = [(KEY, self.update.host.key.type)]
        columns += [
            (delta_param(each).name, each.type) for each in self.update.kept if delta_param(each).name in self._local
        ]
        columns += [(f"{root}.{name}", type_of(link.attributes[name])) for root, name in self._images]
        return statements.sum_rows(columns, [self._in_statement(each) for each in self.update.kept], (NEW, OLD))

    # -- for explain

    def produces(self) -> Iterator[tuple[RecordModel, frozenset[str]]]:
        return self.update.produces()

    def steps(self) -> Iterator[Step]:
        if self._constant and not self._has_constants:
            return
        names = ", ".join(str(rule) for rule in self.rules)
        verb = "moves by the difference" if self.new and self.old else "moves up" if self.new else "moves down"
        yield from self.update.plan(self._one, f"{names} {verb}", known=not self._remote)


def image_source(expr: Expr) -> str | None:
    match expr:
        case Attr(of=Root(name=root), name=name):
            return f"{root}[{name!r}]"
        case Root(name=root, record=record):
            return f"{root}[{record.key.name!r}]"
    return None


def read_images(expr: Expr) -> Iterator[tuple[str, str]]:
    """Which attributes of which state of the row an expression reads."""
    match expr:
        case Attr(of=Root(name=root, record=record), name=name):
            # What is the same for every row is in none of them.
            if not isinstance(record.attributes[name], Constant):
                yield root, name
        case Root(name=root, record=record):
            yield root, record.key.name
        case _:
            for child in children(expr):
                yield from read_images(child)


def type_of(attribute: Any) -> Any:
    assert isinstance(attribute, Property | Reference)
    return attribute.type
