"""interaqt: declare what your data is; the framework keeps it true."""

import importlib as _importlib
import typing as _typing

from interaqt.builtins.conditions import Condition, condition
from interaqt.core.asynchronous import Asynchronous
from interaqt.core.causes import find_constraint_violation_error, find_error, has_error_code
from interaqt.core.computations import (
    DELETED,
    UNKNOWN,
    Any,
    Average,
    Count,
    Custom,
    Distinct,
    Every,
    First,
    Last,
    Maximum,
    Minimum,
    RealTime,
    ScopedSequence,
    StateMachine,
    Summation,
    Transform,
    Transition,
    WeightedSummation,
    change_count,
    changed_at,
    changed_by,
    deleted_by,
    on,
)
from interaqt.core.constraints import Check, Constraint, NonNull, Unique
from interaqt.core.declare import entity, relation
from interaqt.core.declare_dictionary import dictionary
from interaqt.core.declare_interaction import interaction
from interaqt.core.declare_view import view
from interaqt.core.errors import (
    CommitUnknown,
    ComputationCycle,
    ComputationError,
    ConditionRejected,
    ConstraintViolationError,
    DatabaseError,
    DeclarationError,
    DeclarationWarning,
    DispatchError,
    GuardError,
    IdempotencyError,
    IdentityConflictError,
    ImpossibleMove,
    InteraqtError,
    InvalidAttribute,
    InvalidComputation,
    InvalidEntity,
    InvalidInteraction,
    InvalidQuery,
    InvalidValue,
    NestedDispatchError,
    NotInstalled,
    PayloadError,
    PayloadProblem,
    RecordNotFound,
    SetupError,
    SideEffectError,
    StorageError,
    TraceError,
    TransactionAbortedError,
    TransactionCapabilityError,
    TransactionRetryExhaustedError,
    TransactionTimeoutError,
    UnresolvedName,
)
from interaqt.core.event import Event
from interaqt.core.fields import computed, field, key, many, one
from interaqt.core.idempotency import Idempotency
from interaqt.core.locks import Matching, matching
from interaqt.core.many import Many
from interaqt.core.retention import Retention
from interaqt.drivers.sqlite import SQLiteDB
from interaqt.runtime.controller import Controller
from interaqt.runtime.effects import Mutation
from interaqt.runtime.events import InteractionEvent
from interaqt.runtime.explain import Plan
from interaqt.runtime.provenance import Explanation
from interaqt.runtime.rebuild import Progress
from interaqt.runtime.reliance import GlobalDependenceWarning
from interaqt.runtime.result import DispatchResult
from interaqt.runtime.side_effects import RecordChange, SideEffect, side_effect
from interaqt.runtime.system import MonoSystem
from interaqt.runtime.task_record import Task
from interaqt.runtime.together import BusinessTransaction
from interaqt.runtime.verify import Difference
from interaqt.runtime.worker import TaskReport, Worker
from interaqt.storage.query import Query
from interaqt.storage.storage import Storage

if _typing.TYPE_CHECKING:
    from interaqt.drivers.cockroachdb import CockroachDB
    from interaqt.drivers.embedded_postgresql import EmbeddedPostgreSQLDB
    from interaqt.drivers.mysql import MySQLDB
    from interaqt.drivers.postgresql import PostgreSQLDB

__all__ = [
    "DELETED",
    "UNKNOWN",
    "Any",
    "Asynchronous",
    "Average",
    "BusinessTransaction",
    "Check",
    "CockroachDB",
    "CommitUnknown",
    "ComputationCycle",
    "ComputationError",
    "Condition",
    "ConditionRejected",
    "Constraint",
    "ConstraintViolationError",
    "Controller",
    "Count",
    "Custom",
    "DatabaseError",
    "DeclarationError",
    "DeclarationWarning",
    "Difference",
    "DispatchError",
    "DispatchResult",
    "Distinct",
    "EmbeddedPostgreSQLDB",
    "Event",
    "Every",
    "Explanation",
    "First",
    "GlobalDependenceWarning",
    "GuardError",
    "Idempotency",
    "IdempotencyError",
    "IdentityConflictError",
    "ImpossibleMove",
    "InteractionEvent",
    "InteraqtError",
    "InvalidAttribute",
    "InvalidComputation",
    "InvalidEntity",
    "InvalidInteraction",
    "InvalidQuery",
    "InvalidValue",
    "Last",
    "Many",
    "Matching",
    "Maximum",
    "Minimum",
    "MonoSystem",
    "Mutation",
    "MySQLDB",
    "NestedDispatchError",
    "NonNull",
    "NotInstalled",
    "PayloadError",
    "PayloadProblem",
    "Plan",
    "PostgreSQLDB",
    "Progress",
    "Query",
    "RealTime",
    "RecordChange",
    "RecordNotFound",
    "Retention",
    "SQLiteDB",
    "ScopedSequence",
    "SetupError",
    "SideEffect",
    "SideEffectError",
    "StateMachine",
    "Storage",
    "StorageError",
    "Summation",
    "Task",
    "TaskReport",
    "TraceError",
    "TransactionAbortedError",
    "TransactionCapabilityError",
    "TransactionRetryExhaustedError",
    "TransactionTimeoutError",
    "Transform",
    "Transition",
    "Unique",
    "UnresolvedName",
    "WeightedSummation",
    "Worker",
    "change_count",
    "changed_at",
    "changed_by",
    "computed",
    "condition",
    "deleted_by",
    "dictionary",
    "entity",
    "field",
    "find_constraint_violation_error",
    "find_error",
    "has_error_code",
    "interaction",
    "key",
    "many",
    "matching",
    "on",
    "one",
    "relation",
    "side_effect",
    "view",
]


#: What the language has a name for and the engine does not do yet.
_NOT_YET = {
    "activity": "a StateMachine and conditions say which interaction may come next",
}


#: Drivers whose client library is an extra: the module, the library, and the extra.
_DRIVERS = {
    "CockroachDB": ("interaqt.drivers.cockroachdb", "psycopg", "postgresql"),
    "EmbeddedPostgreSQLDB": ("interaqt.drivers.embedded_postgresql", "psycopg", "embedded"),
    "MySQLDB": ("interaqt.drivers.mysql", "PyMySQL", "mysql"),
    "PostgreSQLDB": ("interaqt.drivers.postgresql", "psycopg", "postgresql"),
}


def __getattr__(name: str) -> _typing.Any:
    """Drivers whose client library is an extra are imported when they are asked for."""
    if name in _DRIVERS:
        module, library, extra = _DRIVERS[name]
        try:
            return getattr(_importlib.import_module(module), name)
        except ImportError as error:
            raise SetupError(
                f"{name} needs {library}, which is not installed ({error})",
                code="setup.missing_driver",
                hint=f"pip install 'interaqt[{extra}]'",
            ) from error
    if name in _NOT_YET:
        raise AttributeError(f"iq.{name} is not there yet; until then: {_NOT_YET[name]}")
    raise AttributeError(f"module 'interaqt' has no attribute {name!r}")
