"""Computing in Python: what the inputs of a host come to is worked out outside the database.

A host whose value is concerned is remembered until a group of writes is done, so it is computed
once for all of them. Then all such hosts are locked, in the order of their keys; their inputs are
read by one statement of each kind; Python is asked; and what has changed is written by one UPDATE.

Under READ COMMITTED nobody's write is missed by that. Two transactions that write records of one
host both lock the host after they have written. The one that comes second waits; its statement
that reads the inputs begins when the first is committed, and sees the writes of both. What lies
behind a reference of a written record is read with a lock (see ``compare`` for the records of a
collection): who changes it comes before that, or waits, finds the record, and locks the host in turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import CustomRule, OwnCustomRule
from interaqt.core.computations.rule import HOST
from interaqt.core.evaluate import compile_tuple
from interaqt.core.expressions import Param
from interaqt.runtime.adjust import image_source, is_local, read_images
from interaqt.runtime.custom_inputs import CustomInputs, Given, InPython
from interaqt.runtime.custom_values import CustomValues
from interaqt.runtime.hosts import HostUpdate
from interaqt.runtime.moves import Move, State
from interaqt.runtime.reaction import Step
from interaqt.storage.prepared import KEY, Image, PreparedRows, Reader, Stored

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["CustomUpdate"]

#: What is remembered of a host: the moves of its records, in order, or None where all are asked.
Due = list[tuple[State | None, State | None]] | None


class CustomUpdate(HostUpdate):
    """Keeps the value of one rule on its hosts."""

    needs_key = False

    def __init__(self, planner: Planner, rule: CustomRule | OwnCustomRule) -> None:
        super().__init__(planner, [rule])
        self.rule = rule
        self.over = rule.record
        self.inputs = CustomInputs(planner, rule, lock=True)
        self._functions = rule.functions
        self._values = CustomValues(rule)
        self._own = () if rule.own is None else rule.own.exprs
        self._own_in_python = all(map(is_local, self._own))

    # -- whom a write concerns

    def apply(self, run: Run, moves: Sequence[Move]) -> None:
        """Remember the hosts of records that moved, and with a step the moves."""
        if not moves:
            return
        due: dict[Any, Due] = run.later(self)
        for each in moves:
            known = due.setdefault(each.host, [] if self._functions.step is not None else None)
            if known is not None:
                known.append((each.old, each.new))

    def again(self, run: Run, keys: Iterable[Any], locked: bool = False) -> None:
        """Remember hosts of which all is to be asked."""
        for key in keys:
            run.later(self)[key] = None

    def bring(self, run: Run, due: Mapping[Any, Due]) -> None:
        """Bring the values of hosts to what is remembered of them."""
        hosts = sorted(key for key in due if not run.is_ending(self.host, key))
        most = self._functions.touches
        if len(hosts) > most:
            raise self._functions.refusal(
                f"one write would have it computed for {len(hosts)} {self.host} records, and touches= allows {most}",
                "custom.touches",
                "write less at once, or allow more: touches=...",
            )
        self.compute(run, {host: due[host] for host in hosts})

    def compute(self, run: Run, due: Mapping[Any, Due], *, quietly: bool = False) -> None:
        """Work out the values of the hosts, given in the order of their keys, and write those that change.

        What depends on them is told, unless it is done ``quietly``.
        """
        if not due:
            return
        locked = self._held.run(run.tx, [{KEY: key} for key in due])
        whole = [host for host, moves in due.items() if moves is None]
        # On a pipeline both are sent before either is read.
        read = self._ask(run, whole) if len(whole) == len(due) else None
        held = {image[self.host.key.name]: image for image in map(self._held_reader.image, locked.fetchall())}
        fresh: dict[Any, tuple[Any, ...]] = {}
        for host, moves in due.items():
            if moves is not None and host in held:
                found = self._stepped(held[host], moves)
                if found is None:
                    whole.append(host)
                else:
                    fresh[host] = found
        if whole:
            given = (read or self._ask(run, whole))()
            for host in whole:
                if host in held:
                    fresh[host] = self._values.computed(self._with_own(held[host], given[host]))
        self._write(run, held, fresh, quietly)

    def put(self, run: Run, host: Any, kept: tuple[Any, ...]) -> bool:
        """Write a value that was computed elsewhere; False where there is no such host."""
        images = map(self._held_reader.image, self._held.run(run.tx, [{KEY: host}]).fetchall())
        held = {image[self.host.key.name]: image for image in images}
        self._write(run, held, {host: kept} if host in held else {}, quietly=False)
        return host in held

    def _stepped(self, image: Image, moves: Sequence[tuple[State | None, State | None]]) -> tuple[Any, ...] | None:
        kept = tuple(image[each.name] for each in self.kept)
        for move in moves:
            before, after = (None if state is None else self._given_state(state) for state in move)
            found = self._functions.after(kept, before, after)
            if found is None:
                return None
            kept = self._values.stored(found)
        return kept

    def _given_state(self, state: State) -> Any:
        assert self.rule.inputs is not None
        return self.rule.inputs.given(self._state_in_python(state))

    @cached_property
    def _state_in_python(self) -> InPython:
        assert self.rule.inputs is not None
        return InPython(self.rule.inputs.exprs)

    # -- reading

    def _ask(self, run: Run, hosts: Sequence[Any]) -> Any:
        return self.inputs.ask(run.tx, hosts, own=not self._own_in_python)

    def _with_own(self, image: Image, given: Given) -> Given:
        if not self._own or not self._own_in_python:
            return given
        assert self.rule.own is not None
        return Given(self.rule.own.given(self._own_values(image)), given.rows)

    @cached_property
    def _own_values(self) -> Any:
        return compile_tuple(self._own, [HOST], image_source)

    @cached_property
    def _held_attributes(self) -> tuple[Stored, ...]:
        """What must be known of a host: its key, what is kept, what is read of it, and what is told of it."""
        names = {name for each in self._own for _, name in read_images(each)} if self._own_in_python else set()
        read = self.planner.attributes(self.host, names)
        return tuple(dict.fromkeys((self.host.key, *self.kept, *read, *self.returning)))

    @cached_property
    def _held(self) -> PreparedRows:
        return self.planner.statements.read_rows(self.host, self._held_attributes)

    @cached_property
    def _held_reader(self) -> Reader:
        return Reader(self.planner.schema, self._held_attributes)

    # -- writing

    def _write(self, run: Run, held: Mapping[Any, Image], fresh: Mapping[Any, tuple[Any, ...]], quietly: bool) -> None:
        changed: dict[Any, Image] = {}
        for host, kept in sorted(fresh.items()):
            now = {each.name: value for each, value in zip(self.kept, kept, strict=True)}
            if not all(self._values.same(each, held[host][each.name], now[each.name]) for each in self.kept):
                changed[host] = now
        if not changed:
            return
        result = self._update.run(run.tx, [{KEY: host, **now} for host, now in changed.items()])
        if quietly:
            return
        value = self.rule.property
        moved = [
            host
            for host, now in changed.items()
            if not self._values.same(value, held[host][value.name], now[value.name])
        ]
        if not self.watched:
            for host in moved:
                run.touched(self.host, host, self.names)
            return
        # They are locked, so they are what they were but for what is written, and what follows from it.
        written = {image[self.host.key.name]: image for image in map(self._reader.image, self._answered(result))}
        pairs = [(held[host], {**held[host], **changed[host], **written.get(host, {})}) for host in moved]
        run.updated(self.host, pairs, self._watched_names, self.names)

    def _answered(self, result: Any) -> Sequence[Any]:
        return result.fetchall() if self._answers else ()

    @cached_property
    def _answers(self) -> bool:
        """Whether something depends on what the database works out as the value is written."""
        return any(each is not self.rule.property for each in self.watched)

    @cached_property
    def _update(self) -> PreparedRows:
        columns = [(KEY, self.host.key.type), *((each.name, each.type) for each in self.kept)]
        assignments = self.assignments({each: Param(each.name, each.type) for each in self.kept})
        returning = self.returning if self._answers else ()
        return self.planner.statements.adjust_rows(self.host, HOST, assignments, columns, returning)

    # -- for explain

    def steps(self) -> Iterator[Step]:
        yield Step(self._held.sql, f"{self.rule} of the hosts concerned, once for all that is written together")
        condition = "where step= does not know: " if self._functions.step is not None else ""
        if self._own and not self._own_in_python:
            yield Step(self.inputs.own.sql, f"{condition}what {self.rule} reads of the hosts and what they refer to")
        if self.rule.inputs is not None:
            yield Step(self.inputs.rows.sql, f"{condition}what {self.rule} reads of their records")
        yield Step(self._update.sql, f"{self.rule}, where it is another now")
