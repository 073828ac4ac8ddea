"""Deriving: records that exist because of other records are made, changed and deleted with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import Derivation
from interaqt.core.computations.transform import SOURCE
from interaqt.core.expressions import Root
from interaqt.core.model import RecordModel
from interaqt.runtime.graph import Path
from interaqt.runtime.reaction import Pair, Reaction, Step
from interaqt.runtime.spread import step_along
from interaqt.runtime.wanted import Wanted
from interaqt.storage.prepared import KEY, Image, Prepared, PreparedRows

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Derive"]

#: Of how many sources it brings about at once what follows from them, at most.
MOST_SOURCES = 1000


class Derive(Reaction):
    """Brings the derived records of all concerned sources to what the rule says now, together.

    It compares what there should be with what there is, so it can wait until all is written on
    which that depends: a record that would come and go on the way is never made.
    """

    def __init__(self, planner: Planner, rule: Derivation, paths: Sequence[Path], near: bool) -> None:
        self.planner = planner
        self.rule = rule
        self.rules = (rule,)
        self.over = rule.source
        self.paths = tuple(paths)
        self.near = near
        self.wanted = Wanted(planner, rule)
        self._source = Root(SOURCE, rule.source)
        self.reads = frozenset({rule.source.key.name} | {record.key.name for record in self._changed})

    @cached_property
    def _changed(self) -> tuple[RecordModel, ...]:
        """For each path the record at its end."""
        found = (step_along(self._source, path).type.record for path in self.paths)
        return tuple(record for record in found if record is not None)

    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        images = [image for old, new in pairs if (image := new or old) is not None]
        sources: dict[Any, None] = {}
        if self.near:
            sources |= dict.fromkeys(image[self.rule.source.key.name] for image in images)
        for place, record in enumerate(self._changed):
            name = record.key.name
            if len(images) == 1:
                found = self._finding[place].run(run.tx, {KEY: images[0][name]})
            else:
                found = self._finding_rows[place].run(run.tx, [{KEY: image[name]} for image in images])
            sources |= dict.fromkeys(self._from_key(stored) for (stored,) in found.fetchall())
        due = run.later(self)
        for key in sources:
            # Whether nothing is derived of it yet.
            due.setdefault(key, pairs[0][0] is None)

    def bring(self, run: Run, due: Mapping[Any, bool]) -> None:
        # In one order, whoever else brings about the same.
        keys = sorted(key for key in due if not run.is_ending(self.rule.source, key))
        for start in range(0, len(keys), MOST_SOURCES):
            some = keys[start : start + MOST_SOURCES]
            self._bring(run, some, [key for key in some if not due[key]])

    def _bring(self, run: Run, keys: Sequence[Any], known: Sequence[Any]) -> None:
        """Make, change and delete what follows from sources; from those that are not ``known`` nothing does yet."""
        record, link, position = self.rule.record, self.rule.link.name, self.rule.position.name
        wanted = self.wanted.of(run, keys)
        present = self.wanted.present(run, known)
        missing: dict[RecordModel, list[Image]] = {}
        changes: list[tuple[Image, Image]] = []
        for key, said in wanted.items():
            for index, (kind, values) in said.records.items():
                complete = run.values_of(kind, values)
                found = present.get((key, index))
                if found is None or self._is_another(found, kind, complete, values):
                    missing.setdefault(kind, []).append({**complete, link: key, position: index})
                    continue
                del present[key, index]
                changed = {name: complete[name] for name in values if self.wanted.follows(found, name)}
                changes.append((found, changed))
        if present:
            # What goes makes room: for what has its place, and for what is unique.
            run.let_go(record, sorted(image[record.key.name] for image in present.values()))
            if self.planner.rows(record).dependents:
                # Others may have gone with it, or have let go of it.
                self._bring(run, keys, known)
                return
        run.change_rows(record, changes)
        for kind, rows in missing.items():
            run.create(kind, rows)
        outlived = {key: said.remembered for key, said in wanted.items() if said.outlived}
        memory = self.planner.memory(record)
        if outlived and memory is not None:
            memory.forget(run, self.rule, outlived)

    def _is_another(self, found: Image, kind: RecordModel, complete: Image, values: Mapping[str, Any]) -> bool:
        """Whether what there should be can't be what there is: it is of another kind, or is counted elsewhere."""
        if self.wanted.kind_of(found) is not kind:
            return True
        following = (name for name in self._counted_by if name in values and self.wanted.follows(found, name))
        return any(complete[name] != found[name] for name in following)

    @cached_property
    def _counted_by(self) -> frozenset[str]:
        return frozenset(each.name for rule in self.rule.record.sequences for each in rule.scope)

    # -- whom a change far away concerns

    @cached_property
    def _finding(self) -> tuple[Prepared, ...]:
        find = self.planner.statements.reaching
        return tuple(find(self.rule.source, path, SOURCE, [self._source]) for path in self.paths)

    @cached_property
    def _finding_rows(self) -> tuple[PreparedRows, ...]:
        find = self.planner.statements.reaching_rows
        return tuple(find(self.rule.source, path) for path in self.paths)

    def _from_key(self, stored: Any) -> Any:
        convert = self.planner.schema.dialect.from_db(self.rule.source.key.type)
        return stored if convert is None else convert(stored)

    def steps(self) -> Iterator[Step]:
        for statement in self._finding:
            yield Step(statement.sql, f"which {self.rule.source} records {self.rule} is derived from")
        yield Step(self.wanted.ask.sql, f"what {self.rule} should be")
        yield Step(self.wanted.look.sql, f"what {self.rule} is, unless its source is new")

    def derives(self) -> Iterator[Derivation]:
        yield self.rule
