"""The staging tables of a run, as they are described."""

from __future__ import annotations

from pathlib import Path

from ledgerline.databases import staging
from ledgerline.databases.database import Database
from ledgerline.databases.schema import Staging
from ledgerline.url import parse_url


def test_one_description_serves_again_after_it_was_indexed(tmp_path: Path) -> None:
    tables = Staging(1, "INVOICE")
    for name in ("one", "other"):
        database = Database(parse_url(f"sqlite:///{(tmp_path / name).as_posix()}.db"))
        with database.begin() as connection:
            staging.create(connection, tables)
            staging.index(connection, tables)
            staging.index(connection, tables)  # as a second attempt of the run does
            staging.drop(connection, tables)
        database.close()
