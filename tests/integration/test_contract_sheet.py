"""The sheet for the owners of an invoice database: its SQL makes a login that reads, and only reads."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
import sqlglot
from tests.house import Installation, contact
from tests.postgres import PostgresServer

from ledgerline.operations.invoice_contract import invoice_contract

LOGIN = 'ledger"line reader'


def sql_blocks(sheet: str) -> list[str]:
    return re.findall(r"```sql\n(.*?)\n```", sheet, re.DOTALL)


@pytest.mark.parametrize("customers", [{"7": "Rao Foods"}, None], ids=["both tables", "no customers"])
def test_the_login_reads_and_cannot_write(
    postgres: PostgresServer, tmp_path: Path, customers: dict[str, str] | None
) -> None:
    house = Installation("postgresql", tmp_path, postgres)
    house.write_invoice([contact(1, "Asha Rao", "98200 12345", customerid="7")], customers)
    _, block = sql_blocks(invoice_contract(house.settings, LOGIN))
    owner = house.settings.invoice.url.render(mask=False)
    with psycopg.connect(owner, autocommit=True) as connection:
        name = house.settings.invoice.url.database
        connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC'.encode())
        connection.execute(block.replace("<a password of your own>", "Hunter2-Hunter2").encode())
    try:
        reader = owner.replace("postgres@", "ledger%22line%20reader:Hunter2-Hunter2@")
        assert house.ingest(INVOICE_DATABASE_URL=reader).counts["inserted"] == 1
        assert house.contacts()[0]["companyName"] == ("Rao Foods" if customers else None)
        with psycopg.connect(reader, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            for statement in (
                "DELETE FROM dbo_user_new.customer_contacts",
                "UPDATE dbo_user_new.customer_contacts SET status = 'x'",
                "CREATE TABLE dbo_user_new.mine (id int)",
                "CREATE TABLE public.mine (id int)",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.encode())
    finally:
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute('DROP OWNED BY "ledger""line reader"; DROP ROLE "ledger""line reader"')


def test_the_sql_server_part_parses(tmp_path: Path) -> None:
    house = Installation("sqlite", tmp_path, INVOICE_TABLE="[od]]d].[contacts]")
    block, _ = sql_blocks(invoice_contract(house.settings, "reader]x"))
    assert sqlglot.tokenize(block, read="tsql")
    assert "GRANT SELECT ON [od]]d].[contacts] TO [reader]]x]" in block
    assert "WITH PASSWORD = N'<a password of your own>'" in block


def test_a_windows_account_has_no_password(tmp_path: Path) -> None:
    house = Installation("sqlite", tmp_path)
    block, _ = sql_blocks(invoice_contract(house.settings, "CORP\\ledgerline$"))
    assert block.splitlines()[0] == "CREATE LOGIN [CORP\\ledgerline$] FROM WINDOWS;"
    assert "PASSWORD" not in block
