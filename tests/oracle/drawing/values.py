"""What values are drawn from, and what may be asked of them: pieces of the text of models."""

from __future__ import annotations

__all__ = [
    "COUNTED_BY",
    "DERIVED",
    "LITERALS",
    "NUMBERS",
    "ORDERED",
    "STATE",
    "TESTS",
    "TIMED_NUMBERS",
    "TIMED_TESTS",
    "ZERO",
]

STATE = 'Literal["draft", "live", "gone"]'

#: What values are drawn from, by annotation. Floats are eighths, so sums of them are exact.
LITERALS: dict[str, tuple[str, ...]] = {
    "int": ("0", "1", "2", "3", "-1", "7"),
    "float": ("0.0", "0.5", "2.0", "-1.25", "3.125"),
    "Decimal": ("Decimal('0')", "Decimal('0.10')", "Decimal('1.25')", "Decimal('-2.5')", "Decimal('3')"),
    "str": ("''", "'a'", "'b'", "'Ab'", "'bab'", "'\\u00e4'"),
    "bool": ("False", "True"),
    "dt.datetime": (
        "dt.datetime(2024, 12, 31, 23, 59, tzinfo=dt.UTC)",
        "dt.datetime(2025, 1, 1, tzinfo=dt.UTC)",
        "dt.datetime(2026, 6, 15, 12, 30, tzinfo=dt.UTC)",
    ),
    "dt.date": ("dt.date(2025, 3, 1)", "dt.date(2026, 12, 31)"),
    "Colour": ("Colour.RED", "Colour.GREEN", "Colour.BLUE"),
    STATE: ("'draft'", "'live'", "'gone'"),
}  # fmt: skip

#: Ways to test a value of each kind.
TESTS: dict[str, tuple[str, ...]] = {
    "int": ("{0} > 0", "{0} >= 2", "{0} == 1", "{0} != 0", "{0} in (1, 3)", "{0} % 2 == 0", "0 < {0} < 4"),
    "float": ("{0} > 0.3", "{0} < 1.7", "{0} != 2.0", "{0} >= 0.9"),
    "Decimal": ("{0} > 0", "{0} >= Decimal('1.25')", "{0} == Decimal('0.1')", "{0} < Decimal('2')"),
    "str": ("{0} == 'a'", "{0}.startswith('b')", "len({0}) > 1", "'b' in {0}", "{0} < 'b'", "{0}.lower() == 'ab'"),
    "bool": ("{0}", "not {0}"),
    "dt.datetime": ("{0}.year >= 2025", "{0} > dt.datetime(2025, 1, 1, tzinfo=dt.UTC)", "{0}.month == 12"),
    "dt.date": ("{0}.month == 3", "{0} > dt.date(2026, 1, 1)"),
    "Colour": ("{0} == Colour.RED", "{0} != Colour.BLUE", "{0} in (Colour.RED, Colour.GREEN)"),
    STATE: ("{0} == 'live'", "{0} != 'draft'"),
}

NUMBERS = ("int", "float", "Decimal")
#: What records may be counted by.
COUNTED_BY = ("int", "str", "bool", "dt.date", "Colour", STATE)
ORDERED = (*NUMBERS, "str", "dt.datetime", "dt.date")
#: What tells a moment, or a day: of these and of the present one, conditions and numbers.
TIMED_TESTS = (
    "now >= {t}", "now > {t} + dt.timedelta(days=30)", "now == {t}", "now - {t} < dt.timedelta(hours=13)",
    "abs(now - {t}) < dt.timedelta(days=61)", "(now - {t}).days > 100", "now.date() > {d}", "now.date() == {d}",
    "now.date() - {d} <= dt.timedelta(days=7)", "now.year >= 2026", "now.month == 12", "now.weekday() >= 5",
    "now.hour < 12", "{t} - now < now - {t}", "({d} - now.date()).days in (0, 1)",
)  # fmt: skip
TIMED_NUMBERS = (
    "(now - {t}).days", "max(0, ({t} - now) // dt.timedelta(hours=7))", "now.year", "now.month", "now.weekday()",
    "({d} - now.date()).days", "(now - {t}) // dt.timedelta(days=30) * 2", "now.hour",
)  # fmt: skip

DERIVED = (
    "now_",
    "stp_",
    "num_",
    "sum_",
    "avg_",
    "all_",
    "any_",
    "is_",
    "val_",
    "max_",
    "min_",
    "fst_",
    "lst_",
    "dis_",
    "seq_",
    "cus_",
)
ZERO = {"int": "0", "float": "0.0", "Decimal": "Decimal('0')"}
