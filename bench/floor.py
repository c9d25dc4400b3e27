"""The reference runs: the least that the databases themselves need to bring the same rows over."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import IO

from bench.measure import Cost, spent
from bench.workspace import Server, remove_sqlite

_COLUMNS = """
SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped
"""


def copy_through(server: Server, source: str, table: str) -> Cost:
    """`COPY (binary) out | COPY in` of a table into a fresh one in another database: no index, but logged."""
    columns = server.value(source, _COLUMNS.format(table=table))
    server.create_database("floor")
    server.execute("floor", f"CREATE TABLE target ({columns})", "CHECKPOINT")
    before = spent(server.process)
    with (
        _psql(server, source, f"COPY {table} TO STDOUT (FORMAT binary)", stdout=subprocess.PIPE) as out,
        _psql(server, "floor", "COPY target FROM STDIN (FORMAT binary)", stdin=out.stdout) as into,
    ):
        assert out.stdout is not None
        out.stdout.close()  # theirs alone now: when one ends, the other learns of it
    cost = spent(server.process) - before
    if out.returncode or into.returncode:
        raise RuntimeError("psql failed.")
    return cost


def _psql(
    server: Server,
    database: str,
    command: str,
    *,
    stdin: IO[bytes] | None = None,
    stdout: int | None = None,
) -> subprocess.Popen[bytes]:
    program = [str(server.bin / "psql"), "-X", "-q", "-d", server.url(database), "-c", command]
    return subprocess.Popen(program, stdin=stdin or subprocess.DEVNULL, stdout=stdout)


def insert_select(sample: Path, table: str, folder: Path) -> tuple[Cost, str]:
    """`INSERT … SELECT` over ATTACH into a fresh file; the faster of SQLite's two journals, and its name."""
    both = [(_insert_select(sample, table, folder / "floor.db", mode), mode) for mode in ("DELETE", "WAL")]
    return min(both, key=lambda cost: cost[0].wall)


def _insert_select(sample: Path, table: str, target: Path, journal: str) -> Cost:
    remove_sqlite(target)
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("ATTACH DATABASE ? AS source", (str(sample),))
        create = "SELECT sql FROM source.sqlite_master WHERE type = 'table' AND name = ?"
        connection.execute(connection.execute(create, (table,)).fetchone()[0])
        settle_disk()
        before = spent()
        connection.execute(f'INSERT INTO main."{table}" SELECT * FROM source."{table}"')
    cost = spent() - before
    remove_sqlite(target)
    return cost


def settle_disk() -> None:
    """Write what earlier work left in memory, or the next that waits for the disk would wait for that too."""
    if hasattr(os, "sync"):
        os.sync()
    time.sleep(0.2)
