"""Rows that no table should hold: they stop no run, take no good row with them, and are kept as they were."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from tests.house import COLUMNS, Installation, contact
from tests.postgres import PostgresServer

from ledgerline.contacts.texts import storable

GOOD = contact(1, "Asha Rao", "98200 12345", "asha@rao.example", designation="Director", added_by="Kim")
LAST = contact(999, "Bram de Vries", "+31 6 12345678", "bram@devries.example")
FIELDS = {
    "name": "contact_person_name",
    "phone": "contact_no",
    "email": "contact_person_email",
    "designation": "designation",
    "owner": "added_by",
}
HUGE = 10_000_000

ODD_TEXTS = {
    "emoji": "🙂👩‍👩‍👧🏽",
    "right to left": "\u202eevil\u202c \u200fשלום\u200e",
    "controls": "a\x01b\x07c\x1b[31m\x7f\x85d",
    "lines": "a\r\nb\tc\x0b\x0c\u2028d",
    "zero width": "\u200b\ufeff\u2060",
    "sql": "'; DROP TABLE contacts; --",
    "placeholders": "%s %(name)s :name ? $1 {0} {{x}}",
    "formula": '=HYPERLINK("http://x.example","=1+1")',
    "formulas": "+1+1|@SUM(A1)|-2",
    "quotes": "\"'`\\\\ \\N \\.",
    "json": '{"a": [1, "\\u0000"]}',
    "csv": 'a,b;"c"\n"d',
    "accents": "e\u0301" * 50,
    "marks": "Z" + "\u0300\u0323" * 900,
    "noncharacters": "\uffff\ufffe\U0010ffff",
    "mojibake": "JosÃ© MÃ¼ller",
    "spaces": " \u00a0\u3000 ",
    "empty": "",
    "astral": "𝒜𝓈𝒽𝒶 ℛ𝒶ℴ",
    "digits": "٩٨٢٠٠١٢٣٤٥",
    "backslashes": "\\" * 99,
}


def bad_row(key: int, **bad: Any) -> dict[str, Any]:
    """A good row but for these columns."""
    row = contact(
        key, f"Cara Lind{key}", None, f"cara{key}@nordic.example", designation="Chief", added_by="Lea"
    )
    return {**row, **bad}


def raw_of_rejects(house: Installation) -> dict[str | None, dict[str, Any]]:
    """The raw values of each row that the first run rejected."""
    return {document["sourceRecordId"]: document["raw"] for document in house.rejects(house.runs()[0])}


def kept(record: dict[str, Any], field: str) -> str | None:
    """A raw value after its row was accepted: itself, or the clean value that says the same."""
    if record[f"raw_{field}"] is not None:
        return str(record[f"raw_{field}"])
    names = {"phone": ("phone", "further_phones"), "email": ("email", "further_emails")}.get(field, (field,))
    return " ".join(record[name] for name in names if record[name]) or None


def assert_good_rows_are_there(house: Installation) -> None:
    contacts = house.by_record()
    assert contacts["1"]["emails"] == ["asha@rao.example"]
    assert contacts["1"]["phones"] == ["+919820012345"]
    assert (contacts["1"]["name"], contacts["1"]["designation"]) == ("Asha Rao", "Director")
    assert contacts["999"]["name"] == "Bram de Vries"


def assert_nothing_changes(house: Installation) -> None:
    before = house.dump()
    run = house.ingest()
    assert run.counts["unchanged"] + run.counts["rejected"] + run.counts["inactive"] == run.counts["fetched"]
    assert house.dump() == before


def test_odd_texts_in_every_field(house: Installation) -> None:
    rows = {1: GOOD, 999: LAST}
    said: dict[str, dict[str, str]] = {}
    key = 10
    for text in ODD_TEXTS.values():
        for bad in ([field] for field in FIELDS):
            rows[key] = bad_row(key, **{FIELDS[field]: text for field in bad})
            said[str(key)] = dict.fromkeys(bad, text)
            key += 1
        rows[key] = bad_row(key, **dict.fromkeys(FIELDS.values(), text))
        said[str(key)] = dict.fromkeys(FIELDS, text)
        key += 1
    house.write_invoice(rows.values())
    run = house.ingest()
    assert run.counts["fetched"] == len(rows) == 2 + len(ODD_TEXTS) * (len(FIELDS) + 1)
    assert_good_rows_are_there(house)
    rejects = raw_of_rejects(house)
    records = {row["source_record_id"]: row for row in house.table("source_records")}
    assert rejects.keys() | records.keys() == said.keys() | {"1", "999"}
    for record, values in said.items():
        for field, text in values.items():
            found = rejects[record][field] if record in rejects else kept(records[record], field)
            assert found == (text or None), (record, field)
    assert_nothing_changes(house)


INVALID_BYTES = {
    "nul": b"As\0ha",
    "only nul": b"\0",
    "nul at the end": b"98200 12399\0",
    "lone surrogate": b"A\xed\xa0\x80sha",
    "pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "cut short": b"Jos\xc3",
    "latin-1": b"Jos\xe9 M\xfcller",
    "overlong": b"\xc0\xaf\xe0\x80\xaf",
    "beyond unicode": b"\xf4\x90\x80\x80",
    "utf-16": "Asha".encode("utf-16-le"),
    "all bytes": bytes(range(256)),
}


def read(raw: bytes) -> str | None:
    return storable(raw.decode("utf-8", "replace")) or None


def test_bytes_that_are_no_text(tmp_path: Any) -> None:
    """Only SQLite keeps such; a NUL is kept as its visible symbol, what is not UTF-8 as U+FFFD."""
    house = Installation("sqlite", tmp_path)
    rows, said = {1: GOOD, 999: LAST}, {}
    for number, raw in enumerate(INVALID_BYTES.values()):
        for place, field in enumerate(FIELDS):
            key = 10 + number * 10 + place
            rows[key] = bad_row(key)
            said[key] = (field, raw)
        rows[10 + number * 10 + 9] = bad_row(10 + number * 10 + 9, contact_person_email=None)
    house.write_invoice(rows.values())
    for key, (field, raw) in said.items():
        house.change(
            f"UPDATE {{contacts}} SET {FIELDS[field]} = CAST(:raw AS TEXT) WHERE contactid = :key",
            raw=raw,
            key=key,
        )
    house.ingest()
    assert_good_rows_are_there(house)
    rejects = raw_of_rejects(house)
    records = {row["source_record_id"]: row for row in house.table("source_records")}
    for key, (field, raw) in said.items():
        found = rejects[str(key)][field] if str(key) in rejects else kept(records[str(key)], field)
        assert found == read(raw), (key, field)
    assert_nothing_changes(house)


def test_keys_and_flags_that_are_no_text(tmp_path: Any) -> None:
    house = Installation("sqlite", tmp_path)
    keys = [b"a\xff", b"a\xfe1", b"\xed\xa0\x80", b"b\0c", b"z"]
    house.write_invoice([{**bad_row(n), "contactid": f"key{n}"} for n in range(12)], key=sa.Unicode(50))
    for number, key in enumerate(keys):
        house.change(
            "UPDATE {contacts} SET contactid = CAST(:key AS TEXT) WHERE contactid = :old",
            key=key,
            old=f"key{number}",
        )
    house.change("UPDATE {contacts} SET del_sts = CAST(:raw AS TEXT) WHERE contactid = 'key11'", raw=b"N\xff")
    run = house.ingest(partition_rows=2)
    assert (run.counts["inserted"], run.counts["inactive"]) == (11, 1)
    assert {read(key) for key in keys} < set(house.by_record())
    assert_nothing_changes(house)
    house.change("DELETE FROM {contacts} WHERE contactid = CAST(:key AS TEXT)", key=keys[0])
    assert house.ingest(partition_rows=2).counts["vanished"] == 1


def test_texts_of_ten_megabytes(house: Installation) -> None:
    rows = {
        2: bad_row(2, contact_person_name="x" * HUGE),
        3: bad_row(3, contact_no="9820012345 " * (HUGE // 11)),
        4: bad_row(4, contact_person_email="a@b.example;" * 100_000, contact_no="+46 70 123 45 67"),
        5: bad_row(5, designation="e\u0301" * 500_000, added_by="o" * 1_000_000),
        6: bad_row(6, customerid="8"),
    }
    house.write_invoice([GOOD, *rows.values(), LAST], {8: "c" * 1_000_000})
    run = house.ingest()
    assert_good_rows_are_there(house)
    (reject,) = house.rejects(run)
    assert (reject["sourceRecordId"], reject["reasons"]) == ("2", ["no_name", "name_too_long"])
    assert reject["raw"]["name"] == "x" * HUGE
    records = {row["source_record_id"]: row for row in house.table("source_records")}
    assert records["3"]["raw_phone"] == rows[3]["contact_no"]
    assert records["4"]["raw_email"] == rows[4]["contact_person_email"]
    assert records["5"]["raw_designation"] == rows[5]["designation"]
    assert records["5"]["raw_owner"] == rows[5]["added_by"]
    assert records["6"]["raw_company"] == "c" * 1_000_000
    assert_nothing_changes(house)


def test_columns_of_other_types(house: Installation) -> None:
    """Numbers, dates up to the last one there is, and flags are read as the text that they show."""
    types: dict[str, sa.types.TypeEngine[Any]] = {
        "contact_no": sa.BigInteger(),
        "designation": sa.Date(),
        "added_by": sa.Numeric(12, 2),
    }
    rows = [
        contact(
            1, "Asha Rao", 919820012345, "asha@rao.example", designation=date(9999, 12, 31), added_by=None
        ),
        contact(2, "Bram Rao", -1, "bram@rao.example", designation=date(1, 1, 1), added_by=Decimal("12.50")),
        contact(3, "Cara Rao", 2**63 - 1, "cara@rao.example"),
    ]
    house.write_invoice(rows, types=types)
    assert house.ingest().counts["inserted"] == 3
    contacts = house.by_record()
    assert contacts["1"]["phones"] == ["+919820012345"]
    assert contacts["1"]["designation"] == "9999-12-31"
    assert contacts["3"]["phones"] == []
    records = {row["source_record_id"]: row for row in house.table("source_records")}
    assert (records["2"]["raw_phone"], records["3"]["raw_phone"]) == ("-1", str(2**63 - 1))
    assert_nothing_changes(house)


@pytest.mark.parametrize("affinity", ["TEXT", "INTEGER", "REAL", "BLOB", "DATETIME", ""])
def test_any_type_of_value_in_any_type_of_column(tmp_path: Any, affinity: str) -> None:
    """SQLite stores what it is given, whatever the column is called."""
    house = Installation("sqlite", tmp_path)
    values: list[Any] = [1, -0.5, 1e300, b"\x00\xff", "text", "9999-12-31 23:59:59.9999999", None, 9820012345]
    columns = ", ".join(f"{name} {affinity}" for name in COLUMNS[1:])
    house.change(f"CREATE TABLE {{contacts}} (contactid INTEGER PRIMARY KEY, {columns})")
    house.add(GOOD, LAST)
    for number, value in enumerate(values):
        house.add(
            {**dict.fromkeys(COLUMNS, value), "contactid": 10 + number, "status": "APP", "del_sts": "N"}
        )
        house.add({**bad_row(20 + number), "customerid": value, "contact_no": value, "added_by": value})
        house.add({**bad_row(40 + number), "status": value})
    run = house.ingest()
    assert run.counts["fetched"] == 2 + 3 * len(values)
    assert run.counts["inactive"] == len(values)
    assert_good_rows_are_there(house)
    assert_nothing_changes(house)


def test_keys_of_any_type(tmp_path: Any) -> None:
    """A column without a type, whose numbers and texts SQLite keeps apart and orders one after the other."""
    house = Installation("sqlite", tmp_path)
    columns = ", ".join(f"{name} TEXT" for name in COLUMNS[1:])
    house.change(f"CREATE TABLE {{contacts}} (contactid, {columns})")
    keys: list[Any] = [1, 2, 10, 2.5, "1", "x", "10", b"x", b"\xff", None, 2**62, -7]
    house.add(*({**bad_row(number), "contactid": key} for number, key in enumerate(keys)))
    run = house.ingest(partition_rows=3)
    assert (run.counts["inserted"], run.counts["rejected"]) == (8, 4)
    assert sorted(reject["reasons"][0] for reject in house.rejects(run)) == [
        *["key_duplicate"] * 3,
        "key_missing",
    ]
    assert_nothing_changes(house)


@pytest.mark.parametrize(("encoding", "client"), [("LATIN1", ""), ("SQL_ASCII", ""), ("UTF8", "latin1")])
def test_texts_come_whole_whatever_the_encoding_of_their_database(
    encoding: str, client: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    house = Installation("postgresql", tmp_path, postgres)
    name = house.settings.invoice.url.database
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}"')
        connection.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING {encoding} LOCALE 'C'")
        if client:
            connection.execute(f'ALTER DATABASE "{name}" SET client_encoding = {client}')
    house.write_invoice([GOOD, contact(2, "Jürgen Müßig", email="jm@müßig.example", added_by="Zoë")])
    house.ingest(partition_rows=1)
    (jurgen,) = [each for each in house.contacts() if each["sourceRecordIds"] == ["2"]]
    assert (jurgen["name"], jurgen["email"]) == ("Jürgen Müßig", "jm@müßig.example")
