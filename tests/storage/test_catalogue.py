"""What ``system.storage.schema`` says of tables, records and constraints is what the database says."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from typing import Any

import attrs
import pytest

import interaqt as iq
from interaqt import Many
from interaqt.core.types import Kind
from interaqt.storage.database import Database
from interaqt.storage.description import StoredColumn, StoredConstraint, StoredRecord
from interaqt.storage.schema import Schema


@iq.entity(identity=("code",), constraints=[iq.Check(lambda shop: shop.code != "", name="shop_code", code="NO_CODE")])
class Shop:
    id: uuid.UUID = iq.key()
    code: str
    open: bool = True
    parent: Shop | None = None
    offers: Many[Offer] = iq.many(inverse="shop")
    mean: float | None = iq.Average(offers, lambda offer: offer.price)


@iq.entity(unique=[("name", "size")])
class Product:
    id: int = iq.key()
    name: str
    size: int | None = None
    sku: str = iq.field(unique=True)
    note: str | None = iq.field(default=None, index=True)
    meta: dict[str, Any] = iq.field(factory=dict)


@iq.relation(
    constraints=[
        iq.Unique("shop", "place", where=lambda offer: offer.price > Decimal("1.5"), name="dear_ones", code="DEAR"),
        iq.NonNull("place", name="place_is_given"),
        iq.Unique("product", "shop", name="one_offer"),
    ]
)
class Offer:
    shop: Shop
    product: Product
    price: Decimal
    place: int | None = None


@pytest.fixture
def schema(database: Database) -> Schema:
    app = iq.Controller(iq.MonoSystem(database), [Offer, Shop, Product])
    app.setup(install=True)
    return app.system.storage.schema


def test_records(schema: Schema) -> None:
    found = {each.name: each for each in schema.records}

    assert list(found) == ["InteractionEvent", "Offer", "Shop", "Product"]
    assert found["Offer"] == StoredRecord(
        name="Offer",
        kind="relation",
        table="offer",
        key="id",
        attributes=("shop", "product", "price", "place", "id"),
        ends=("shop", "product"),
    )
    assert (found["Shop"].identity, found["Shop"].key) == (("code",), "id")
    assert found["Shop"].attributes == ("id", "code", "open", "parent", "mean")


def test_they_are_values_that_do_not_change(schema: Schema) -> None:
    for each in (schema.records[0], schema.tables[0], schema.constraints[0], schema.tables[0].columns[0]):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            each.name = "other"  # type: ignore[misc]
    assert isinstance(schema.records, tuple)
    assert isinstance(schema.tables, tuple)
    assert isinstance(schema.constraints, tuple)


def test_constraints_in_the_models_words(schema: Schema) -> None:
    found = {each.name: each for each in schema.constraints}
    quoted = schema.dialect.quote("place")

    dear = found["dear_ones"]
    assert attrs.evolve(dear, condition=None) == StoredConstraint(
        name="dear_ones",
        kind="unique",
        table="offer",
        record="Offer",
        properties=("shop", "place"),
        columns=("shop_id", "place"),
        violation_code="DEAR",
    )
    assert dear.condition is not None
    assert found["place_is_given"].kind == "not_null"
    assert found["place_is_given"].condition == f"(NOT ({quoted} IS NULL))"
    # The pair of a relation is unique by itself; the declaration gives that one its name.
    assert [each.properties for each in schema.constraints if each.record == "Offer" and each.kind == "unique"] == [
        ("shop", "product"),
        ("shop", "place"),
    ]
    assert found["one_offer"].properties == ("shop", "product")
    assert found["shop_code"].violation_code == "NO_CODE"
    assert [each.target for each in schema.constraints if each.kind == "foreign_key" and each.record == "Offer"] == [
        "shop",
        "product",
    ]


def test_tables_are_those_of_the_database(schema: Schema) -> None:
    said = {table.name: {column.name for column in table.columns} for table in schema.tables}
    kept = schema.database.tables()
    if schema.dialect.name in ("MariaDB", "MySQL"):
        kept["offer"].discard("dear_ones")  # what its partial index is made of

    assert said == kept
    integer = schema.dialect.column_types[Kind.INT]
    assert schema.tables[0].column("id") == StoredColumn("id", "id", integer, nullable=False, key=True)


def test_columns_are_those_of_postgresql(postgresql_db: Database) -> None:
    schema = installed(postgresql_db)
    rows = read(
        postgresql_db,
        "SELECT c.table_name, c.column_name, c.is_nullable = 'YES', format_type(a.atttypid, NULL)"
        " FROM information_schema.columns c JOIN pg_attribute a"
        " ON a.attname = c.column_name AND a.attrelid = CAST(quote_ident(c.table_name) AS regclass)"
        " WHERE c.table_schema = current_schema()",
    )
    own = {
        'TEXT COLLATE "C"': "text",
        "BIGINT": "bigint",
        "BOOLEAN": "boolean",
        "UUID": "uuid",
        "NUMERIC": "numeric",
        "JSONB": "jsonb",
        "TIMESTAMPTZ": "timestamp with time zone",
        "DOUBLE PRECISION": "double precision",
    }

    assert {
        (table.name, column.name, column.nullable, own[column.type])
        for table in schema.tables
        for column in table.columns
    } == set(rows)
    assert {(table.name, column.name) for table in schema.tables for column in table.columns if column.key} == {
        (table, column)
        for table, kind, columns in constraints_of_postgresql(postgresql_db).values()
        if kind == "p"
        for column in columns
    }


def test_constraints_are_those_of_postgresql(postgresql_db: Database) -> None:
    schema = installed(postgresql_db)
    kinds = {"unique": "u", "check": "c", "not_null": "c", "foreign_key": "f"}
    said = {
        each.name: (each.table, kinds[each.kind], set(each.columns))
        for each in schema.constraints
        if each.kind != "unique" or each.condition is None
    }
    partial = {each.name: (each.table, each.columns) for each in schema.constraints if each.name not in said}

    kept = {
        name: (table, kind, set(columns))
        for name, (table, kind, columns) in constraints_of_postgresql(postgresql_db).items()
        if kind in ("u", "c", "f")
    }
    assert said == kept
    rows = read(
        postgresql_db,
        "SELECT i.relname, t.relname, array_agg(CAST(a.attname AS TEXT) ORDER BY k.place)"
        " FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid"
        " CROSS JOIN unnest(CAST(x.indkey AS int2[])) WITH ORDINALITY AS k(number, place)"
        " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number"
        " WHERE t.relnamespace = CAST(current_schema() AS regnamespace)"
        " AND x.indisunique AND x.indpred IS NOT NULL GROUP BY 1, 2",
    )
    assert (
        partial
        == {name: (table, tuple(columns)) for name, table, columns in rows}
        == {"dear_ones": ("offer", ("shop_id", "place"))}
    )


def constraints_of_postgresql(database: Database) -> dict[str, tuple[str, str, list[str]]]:
    rows = read(
        database,
        "SELECT n.conname, t.relname, CAST(n.contype AS TEXT), array_agg(CAST(a.attname AS TEXT) ORDER BY k.place)"
        " FROM pg_constraint n JOIN pg_class t ON t.oid = n.conrelid"
        " CROSS JOIN unnest(n.conkey) WITH ORDINALITY AS k(number, place)"
        " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number"
        " WHERE t.relnamespace = CAST(current_schema() AS regnamespace) GROUP BY 1, 2, 3",
    )
    return {name: (table, kind, columns) for name, table, kind, columns in rows}


def test_columns_and_constraints_are_those_of_sqlite(sqlite_db: iq.SQLiteDB) -> None:
    schema = installed(sqlite_db)

    for table in schema.tables:
        columns = read(sqlite_db, f"SELECT name, type, \"notnull\", pk FROM pragma_table_info('{table.name}')")
        assert {(each.name, each.type.split(" ")[0], each.nullable, each.key) for each in table.columns} == {
            (name, type, not notnull and not pk, bool(pk)) for name, type, notnull, pk in columns
        }
        said = [each for each in schema.constraints if each.table == table.name]
        uniques = {
            (tuple(each.columns), each.condition is not None, each.name if each.condition else None)
            for each in said
            if each.kind == "unique"
        }
        indexes = read(
            sqlite_db, f"SELECT name, origin, partial FROM pragma_index_list('{table.name}') WHERE \"unique\""
        )
        assert uniques == {
            (index_columns(sqlite_db, name), bool(partial), name if partial else None)
            for name, origin, partial in indexes
            if origin != "pk"
        }
        references = read(sqlite_db, f'SELECT "from", "table" FROM pragma_foreign_key_list(\'{table.name}\')')
        assert {(each.columns[0], each.target) for each in said if each.kind == "foreign_key"} == set(references)
        ((text,),) = read(sqlite_db, f"SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = '{table.name}'")
        named = set(re.findall(r'CONSTRAINT "(\w+)"', text))
        assert {each.name for each in said if each.kind != "unique" or each.condition is None} == named


def index_columns(database: Database, index: str) -> tuple[str, ...]:
    rows = read(database, f"SELECT name FROM pragma_index_info('{index}') ORDER BY seqno")
    return tuple(name for (name,) in rows if name is not None)


def installed(database: Database) -> Schema:
    app = iq.Controller(iq.MonoSystem(database), [Offer, Shop, Product])
    app.setup(install=True)
    return app.system.storage.schema


def read(database: Database, sql: str) -> list[Any]:
    with database.reading() as reading:
        return [tuple(row) for row in reading.execute(sql, ()).fetchall()]
