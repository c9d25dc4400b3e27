"""Where a benchmark keeps its databases: one PostgreSQL server, sample databases, and frames made of them.

All of it is under one folder. It can be kept, so that the next benchmark need not make it again; what it
holds is named after the code that made it, so that nothing stale is ever measured.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl
import psutil
import psycopg
from tests.postgres import PostgresServer

import ledgerline
from ledgerline.contacts.clean import clean
from ledgerline.databases.database import Database
from ledgerline.ingest.run import PARTITION_ROWS
from ledgerline.settings import InvoiceTable, load_settings
from ledgerline.sources.invoice import InvoiceSource
from ledgerline.sources.sample_database import write_sample
from ledgerline.url import parse_url

SEED = 1
SERVER_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB", "maintenance_work_mem": "256MB"}
"""All else is as PostgreSQL has it by default; floor and candidate run on the same server."""

_PACKAGE = Path(ledgerline.__file__).parent
_SAMPLE_CODE = (
    *sorted(file.relative_to(_PACKAGE).as_posix() for file in _PACKAGE.glob("sources/sample/*.py")),
    "sources/sample_database.py",
)
_CLEAN_CODE = (
    *("clean", "companies", "digit_automaton", "emails", "names", "phone_columns", "phone_fields"),
    *("phone_lines", "phone_numbers", "phone_plans", "phones", "texts"),
)


class Server(PostgresServer):
    """A PostgreSQL whose data stay in a folder of ours."""

    def __init__(self, data: Path) -> None:
        super().__init__(**SERVER_SETTINGS)
        self.data = data

    def initialise(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        self.data.mkdir(parents=True, exist_ok=True)
        if self.user is not None:
            shutil.chown(self.data, self.user)
        super().initialise()

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop("fast")  # its data may be used again
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))

    def execute(self, database: str, *statements: str) -> None:
        """Each statement by itself, outside a transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def value(self, database: str, query: str) -> str:
        with psycopg.connect(self.url(database)) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return str(row[0])

    def has_database(self, name: str) -> bool:
        return self.value("postgres", f"SELECT count(*) FROM pg_database WHERE datname = '{name}'") == "1"

    def settle(self, *databases: str) -> None:
        """Leave nothing to do in the background: vacuumed, analysed, all written to disk."""
        for database in databases:
            self.execute(database, "VACUUM (ANALYZE)")
        self.execute("postgres", "CHECKPOINT")


class Workspace:
    """The samples of one benchmark, each made when it is first asked for."""

    def __init__(self, folder: Path, server: Server, tell: Callable[[str], None]) -> None:
        self.folder = folder
        self.server = server
        self._tell = tell
        self.layout = load_settings({}, folder=Path(__file__).parent).invoice_table

    # -- PostgreSQL --------------------------------------------------------------------------------

    @property
    def table(self) -> str:
        """The contacts table of a sample, as PostgreSQL writes its name."""
        return f'"{self.layout.table.schema}"."{self.layout.table.name}"'

    def postgres_sample(self, rows: int) -> str:
        """The name of a database with so many contacts."""
        name = f"sample_{_sample_tag(rows)}"
        if not self.server.has_database(name):
            self._tell(f"writing a sample of {rows:,} contacts into PostgreSQL …")
            self._write(self.server.create_database("unfinished"), rows)
            self.server.settle("unfinished")
            self.server.execute("postgres", f'ALTER DATABASE unfinished RENAME TO "{name}"')
        return name

    def clone(self, database: str, name: str) -> None:
        self.drop(name)
        self.server.execute("postgres", f'CREATE DATABASE "{name}" TEMPLATE "{database}" STRATEGY file_copy')

    def drop(self, *names: str) -> None:
        for name in names:
            self.server.execute("postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    # -- SQLite --------------------------------------------------------------------------------------

    def sqlite_sample(self, rows: int) -> Path:
        """The file of a database with so many contacts."""
        path = self.folder / f"invoice_{_sample_tag(rows)}.db"
        if not path.exists():
            self._tell(f"writing a sample of {rows:,} contacts into SQLite …")
            remove_sqlite(unfinished := self.folder / "unfinished.db")
            self._write(sqlite_url(unfinished), rows)
            unfinished.replace(path)
        return path

    def _write(self, url: str, rows: int) -> None:
        database = Database(parse_url(url))
        try:
            write_sample(database, self.layout, rows, SEED)
        finally:
            database.close()

    # -- frames ----------------------------------------------------------------------------------------

    def raw_frames(self, rows: int) -> Path:
        """A folder of Parquet files with the rows of a sample in the columns of `RAW`."""
        folder = self.folder / f"raw_{_sample_tag(rows)}_{_code_tag('sources/invoice.py')}"
        return _written(folder, lambda: fetched(self.sqlite_sample(rows), self.layout))

    def record_frames(self, rows: int) -> Path:
        """A folder of Parquet files with the records of a sample, as `contacts.match.match` takes them."""
        tag = _code_tag(*(f"contacts/{name}.py" for name in _CLEAN_CODE))
        folder = self.folder / f"records_{_sample_tag(rows)}_{tag}"
        if not folder.exists():
            self._tell(f"cleaning {rows:,} contacts for the matching …")
        raw = self.raw_frames(rows)
        return _written(folder, lambda: (records(part) for part in _read(raw)))


def fetched(sample: Path, layout: InvoiceTable) -> Iterator[pl.DataFrame]:
    database = Database(parse_url(sqlite_url(sample)), read_only=True)
    source = InvoiceSource(database, layout)
    try:
        for partition in source.partitions(PARTITION_ROWS):
            yield source.fetch(partition)
    finally:
        source.close()


def records(raw: pl.DataFrame) -> pl.DataFrame:
    """The rows that become records, numbered by their keys; none is known."""
    cleaned = clean(raw.filter("is_active"), "IN").filter(pl.col("reject_reasons").is_null())
    return cleaned.with_columns(
        record=pl.col("source_record_id").cast(pl.Int64), contact_id=pl.lit(None, pl.Int64)
    )


def _read(folder: Path) -> Iterator[pl.DataFrame]:
    return (pl.read_parquet(path) for path in sorted(folder.glob("*.parquet")))


def _written(folder: Path, parts: Callable[[], Iterator[pl.DataFrame]]) -> Path:
    """The folder, its files written if it is not there; under another name until they are whole."""
    if not folder.exists():
        with _unfinished(folder) as unfinished:
            for number, part in enumerate(parts()):
                part.write_parquet(unfinished / f"{number:05}.parquet")
    return folder


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    yield unfinished
    unfinished.rename(folder)


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path.as_posix()}"


def remove_sqlite(path: Path) -> None:
    """A database file with all that SQLite and Ledgerline keep beside it."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def _sample_tag(rows: int) -> str:
    return f"{rows}_{SEED}_{_code_tag(*_SAMPLE_CODE)}"


def _code_tag(*files: str) -> str:
    code = b"".join((_PACKAGE / file).read_bytes() for file in files)
    return hashlib.sha256(code).hexdigest()[:8]
