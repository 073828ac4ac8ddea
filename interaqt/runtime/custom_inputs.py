"""The inputs of a Custom: what its function is given, read for several hosts by one statement of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from interaqt.core.computations import CustomRule, OwnCustomRule
from interaqt.core.computations.rule import HOST, LINK
from interaqt.core.expressions import Expr, Root
from interaqt.storage.convert import as_stored
from interaqt.storage.database import Executor
from interaqt.storage.inputs import inputs_of, own_of
from interaqt.storage.prepared import KEY, PreparedRows

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner

__all__ = ["CustomInputs", "Given", "InPython", "converted"]


@attrs.frozen
class Given:
    """What the function of one host is given: values of the host itself, and the inputs of its records."""

    own: Any
    rows: list[Any]


class CustomInputs:
    """Reads the inputs of one rule. With ``lock`` what lies behind references of a host stays as it is read."""

    def __init__(self, planner: Planner, rule: CustomRule | OwnCustomRule, lock: bool = False) -> None:
        self.planner = planner
        self.rule = rule
        self._lock = lock

    def ask(self, executor: Executor, hosts: Sequence[Any], own: bool = True) -> Callable[[], Mapping[Any, Given]]:
        """Send the statements; what it answers reads their rows. Without ``own`` the hosts themselves are left out."""
        keys = [{KEY: key} for key in hosts]
        selves = self.own.run(executor, keys) if own and self.rule.own is not None else None
        others = self.rows.run(executor, keys) if self.rule.inputs is not None else None
        return lambda: self._given(hosts, selves, others)

    def existing(self, executor: Executor, hosts: Sequence[Any]) -> set[Any]:
        """Those of the hosts that there are."""
        rows = self._existing.run(executor, [{KEY: key} for key in hosts]).fetchall()
        return {converted(row, self._own_converters[:1])[0] for row in rows}

    @cached_property
    def _existing(self) -> PreparedRows:
        return own_of(self.planner.statements, Root(HOST, self.rule.record), ())

    def _given(self, hosts: Sequence[Any], selves: Any, others: Any) -> Mapping[Any, Given]:
        own: dict[Any, Any] = {}
        for row in () if selves is None else selves.fetchall():
            host, *values = converted(row, self._own_converters)
            assert self.rule.own is not None
            own[host] = self.rule.own.given(values)
        rows: dict[Any, list[Any]] = {host: [] for host in hosts}
        for row in () if others is None else others.fetchall():
            host, *values = converted(row, self._row_converters)
            assert self.rule.inputs is not None
            rows[host].append(self.rule.inputs.given(values))
        return {host: Given(own.get(host), rows[host]) for host in hosts}

    @cached_property
    def own(self) -> PreparedRows:
        """Reads the hosts themselves."""
        return own_of(self.planner.statements, Root(HOST, self.rule.record), self._own, lock=self._lock)

    @cached_property
    def rows(self) -> PreparedRows:
        """Reads the records of the hosts."""
        rule = self.rule
        assert isinstance(rule, CustomRule)
        link, via = Root(LINK, rule.source), rule.collection.via
        return inputs_of(self.planner.statements, link, via, self._inputs, rule.condition)

    @property
    def _own(self) -> Sequence[Expr]:
        return () if self.rule.own is None else self.rule.own.exprs

    @property
    def _inputs(self) -> Sequence[Expr]:
        return () if self.rule.inputs is None else self.rule.inputs.exprs

    @cached_property
    def _own_converters(self) -> list[Any]:
        return self._converters(self._own)

    @cached_property
    def _row_converters(self) -> list[Any]:
        return self._converters(self._inputs)

    def _converters(self, exprs: Sequence[Expr]) -> list[Any]:
        from_db = self.planner.schema.dialect.from_db
        return [from_db(self.rule.record.key.type), *(from_db(each.type.optional(False)) for each in exprs)]


def converted(row: Sequence[Any], converters: Sequence[Any]) -> list[Any]:
    """The cells of a row, each by its converter, if it has one."""
    return [
        cell if convert is None or cell is None else convert(cell)
        for convert, cell in zip(converters, row, strict=True)
    ]


class InPython:
    """Values that are in Python already, such as a maker's, as the database would give them."""

    def __init__(self, exprs: Sequence[Expr]) -> None:
        self._convert = [as_stored(each.type.optional(False)) for each in exprs]

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        return [
            value if value is None else convert(value) for convert, value in zip(self._convert, values, strict=True)
        ]
