"""Where the contacts are in the invoice database, and by which names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ledgerline.errors import SettingsError
from ledgerline.settings import values
from ledgerline.settings.model import (
    COMPANY_NAME_COLUMNS,
    INVOICE_COLUMNS,
    CustomersTable,
    InvoiceTable,
    TableName,
)
from ledgerline.settings.reader import Reader

_EVERY_ROLE = (
    "Name the column that says it, or leave the pair out for the default one; where the table has none, read"
    " a view that adds it."
)
_NAME = r"""\[(?:[^\]]|\]\])+\]|"(?:[^"]|"")+"|`(?:[^`]|``)+`"""
_TABLE_NAME = re.compile(rf"(?:(?P<schema>{_NAME}|[^.\[\]\"`]+)\s*\.\s*)?(?P<name>{_NAME}|[^.\[\]\"`]+)")
_PAIR = re.compile(rf"\s*(?P<key>{_NAME}|[^,=\[\"`]+?)\s*=\s*(?P<value>{_NAME}|[^,]*?)\s*(?:,|$)")


def _unquoted(text: str) -> str:
    text = text.strip()
    end = {"[": "]", '"': '"', "`": "`"}.get(text[:1])
    return text[1:-1].replace(end * 2, end) if end else text


def _table_name(text: str) -> TableName:
    match = _TABLE_NAME.fullmatch(text.strip())
    if match is None or not _unquoted(match["name"]):
        raise SettingsError(
            "It is not a table's name.", hint="Write [schema].[table], schema.table or table."
        )
    return TableName(_unquoted(match["schema"]) if match["schema"] else None, _unquoted(match["name"]))


def _pairs(text: str) -> dict[str, str]:
    """`a=b,[c d]=e` → {a: b, c d: e}."""
    pairs: dict[str, str] = {}
    position = 0
    while position < len(text.rstrip(", ")):
        match = _PAIR.match(text, position)
        if match is None:
            raise SettingsError("It is not a list of name=value.", hint="Separate them by commas.")
        key = _unquoted(match["key"])
        if key in pairs:
            raise SettingsError(f"'{key}' is named twice.", hint="Name it once.")
        pairs[key] = _unquoted(match["value"])
        position = match.end()
    return pairs


def _columns(roles: Iterable[str]) -> Callable[[str], dict[str, str]]:
    """Parses `role=column,…`, where only these roles may be and no column may be empty."""
    known = tuple(roles)

    def parse(text: str) -> dict[str, str]:
        pairs = {role.lower(): column for role, column in _pairs(text).items()}
        for role, column in pairs.items():
            if role not in known:
                raise SettingsError(
                    f"'{role}' is unknown.{values.did_you_mean(role, known)}",
                    hint=f"Known: {', '.join(known)}.",
                )
            if not column:
                raise SettingsError(f"'{role}' has no column.", hint=_EVERY_ROLE)
        return pairs

    return parse


def invoice_table(reader: Reader) -> InvoiceTable:
    customers = reader.read("INVOICE_CUSTOMERS_COLUMNS", _columns(["id", "name"]))
    active = reader.read("INVOICE_ACTIVE", _pairs)
    if not active:
        reader.notices.append("INVOICE_ACTIVE is empty: every row of the invoice table counts as live.")
    return InvoiceTable(
        table=reader.read("INVOICE_TABLE", _table_name),
        columns={**INVOICE_COLUMNS, **reader.read("INVOICE_COLUMNS", _columns(INVOICE_COLUMNS))},
        active=tuple(active.items()),
        updated_column=reader.optional("INVOICE_UPDATED_COLUMN", _unquoted),
        overlap=reader.read("INVOICE_OVERLAP", values.duration),
        customers=CustomersTable(
            table=reader.read("INVOICE_CUSTOMERS_TABLE", _table_name),
            required="INVOICE_CUSTOMERS_TABLE" in reader.given,
            id_column=customers.get("id", "customerid"),
            name_columns=(customers["name"],) if "name" in customers else COMPANY_NAME_COLUMNS,
        ),
    )
