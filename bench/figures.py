"""The figures: what each must reach, and how each is measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from bench.accuracy import Agreement, email_agreement, merge_score, phone_agreement
from bench.floor import copy_through, insert_select, settle_disk
from bench.measure import Cost, run_killed, run_measured
from bench.over_http import Compared, OverHttp
from bench.workspace import Workspace, remove_sqlite, sqlite_url

MERGED_ROWS: Final = 100_000
_ROWS_BY_ROW: Final = 30_000


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its two marks; `higher` says on which side of them is better."""

    name: str
    group: str  # what it is chosen by
    title: str
    unit: str
    must: float | None = None
    want: float | None = None
    higher: bool = False
    digits: int = 2

    def verdict(self, value: float) -> str:
        if self.must is None:
            return ""
        if not self._reached(value, self.must):
            return "MISSED"
        if self.want is None:
            return "met"
        return "want met" if self._reached(value, self.want) else "must met"

    def _reached(self, value: float, mark: float) -> bool:
        return value >= mark if self.higher else value <= mark


FIGURES: Final = (
    Figure("load", "load", "PostgreSQL → PostgreSQL, first load", "× floor", 13, 8),
    Figure("rescan", "rescan", "  nothing changed, full rescan", "× floor", 2.5, 1.3),
    Figure("changed", "changed", "  1 % changed, full rescan", "× floor", 4.5, 2.5),
    Figure("idle", "idle", "  nothing changed, by the update time", "× floor", 0.2),
    Figure("incremental", "incremental", "  1 % changed, by the update time", "× floor", 1.0),
    Figure("resume", "resume", "  killed half-way, then finished", "× a whole run", 0.65),
    Figure("undo", "undo", "  undo of the first load", "× floor"),
    Figure("undo_changed", "undo", "  undo of a run in which 1 % changed", "× floor"),
    Figure("sqlite", "sqlite", "SQLite → SQLite, first load", "× INSERT … SELECT", 16, 9),
    Figure("cleaning", "cleaning", "Cleaning, two cores ÷ row by row on one", "×", 10, 18, higher=True),
    Figure("matching", "matching", "Matching alone", "× floor", 2, 1),
    Figure("memory", "memory", "Peak memory of the first load", "MB", 500, 400, digits=0),
    Figure("growth", "growth", "  each further million rows", "MB", 100, 50, digits=0),
    Figure("phones", "phones", "Phones, agreement with phonenumbers", "%", 100, higher=True, digits=4),
    Figure("emails", "emails", "E-mails, agreement with email-validator", "%", 100, higher=True, digits=4),
    Figure("precision", "merges", "Merges, precision", "", 0.995, 0.999, higher=True, digits=4),
    Figure("recall", "merges", "Merges, recall", "", higher=True, digits=4),
    Figure("f1", "merges", "Merges, F1", "", 0.97, 0.99, higher=True, digits=4),
    Figure("health", "health", "/health", "× a bare route", 0.7, 0.9, higher=True),
    Figure("health_database", "health", "/health/database", "× a bare route", 0.5, 0.8, higher=True),
    Figure("page", "queries", "A page of 100 rows over HTTP", "× Datasette's page", 3, 5, higher=True),
    Figure("page_sql", "queries", "  and with the same SQL on both sides", "× Datasette", higher=True),
    Figure("ndjson", "queries", "100,000 rows as NDJSON over HTTP", "× Datasette", 2, 3.5, higher=True),
    Figure("busy", "busy", "/health, p99 under load", "× idle p99", 10, 3),
    Figure("stream", "stream", "Memory of 5 million rows over HTTP", "MB", 80, 40, digits=0),
)
GROUPS: Final = tuple(dict.fromkeys(figure.group for figure in FIGURES))


@dataclass(frozen=True, slots=True)
class Pair:
    """A reference run and the measured one right after it."""

    floor: Cost
    run: Cost
    details: Mapping[str, Any]

    @property
    def ratio(self) -> float:
        return self.run.wall / self.floor.wall

    @property
    def cpu_ratio(self) -> float:
        return self.run.cpu / self.floor.cpu

    def as_dict(self) -> dict[str, Any]:
        sides = {"floor": self.floor.as_dict(), "run": self.run.as_dict()}
        return {"ratio": self.ratio, "cpuRatio": self.cpu_ratio, **sides, **self.details}


@dataclass(frozen=True, slots=True)
class Measured:
    """The value of a figure, and all that it was made of."""

    name: str
    value: float
    note: str = ""
    pairs: Sequence[Pair] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "value": self.value,
            "note": self.note,
            "pairs": [pair.as_dict() for pair in self.pairs],
            **self.details,
        }


class Bench:
    """All measurements over one workspace. Runs that serve several figures are made once."""

    def __init__(self, workspace: Workspace, rows: int, pairs: int, tell: Callable[[str], None]) -> None:
        self._work = workspace
        self._server = workspace.server
        self._rows = rows
        self._pairs = pairs
        self._tell = tell
        self._main_is_loaded = False
        self._over_http = OverHttp(workspace, rows, pairs, tell)

    def measure(self, group: str) -> list[Measured]:
        measured: list[Measured] = getattr(self, f"_{group}")()
        return measured

    # -- PostgreSQL --------------------------------------------------------------------------------------

    def _load(self) -> list[Measured]:
        return [_ratio("load", self.loads)]

    def _memory(self) -> list[Measured]:
        peaks = [pair.details["peak_mb"] for pair in self.loads]
        return [
            Measured("memory", max(peaks), f"the highest of {len(peaks)} runs", details={"peaksMb": peaks})
        ]

    def _growth(self) -> list[Measured]:
        before = statistics.median(pair.details["peak_mb"] for pair in self.loads)
        twice = self._work.postgres_sample(2 * self._rows)
        peaks = []
        for number in range(self._pairs):
            peaks.append(self._ingest_fresh(twice)["peak_mb"])
            self._tell(f"growth {number + 1}/{self._pairs}: {2 * self._rows:,} rows, peak {peaks[-1]:.0f} MB")
        per_million = (statistics.median(peaks) - before) / self._rows * 1_000_000
        note = f"median {before:.0f} MB → {statistics.median(peaks):.0f} MB at {2 * self._rows:,} rows"
        return [Measured("growth", per_million, note, details={"peaksMb": peaks})]

    @cached_property
    def loads(self) -> list[Pair]:
        """First loads of the sample, each beside its floor."""
        sample = self._work.postgres_sample(self._rows)
        copy_through(self._server, sample, self._work.table)  # warms the caches; not counted
        pairs = [
            self._pair("load", number, self._copy_floor(sample), self._ingest_fresh(sample))
            for number in range(self._pairs)
        ]
        self._main_is_loaded = True
        return pairs

    def _rescan(self) -> list[Measured]:
        sample = self._loaded_sample()
        pairs = []
        for number in range(self._pairs):
            floor = self._copy_floor(sample)
            result = self._ingest("main", sample, "--full")
            _expect(result, inserted=0, updated=0, merged=0, withdrawn=0, vanished=0)
            pairs.append(self._pair("rescan", number, floor, result))
        return [_ratio("rescan", pairs)]

    def _idle(self) -> list[Measured]:
        sample = self._loaded_sample()
        pairs = []
        for number in range(self._pairs):
            floor = self._copy_floor(sample)
            result = self._ingest("main", sample)
            _expect(result, inserted=0, updated=0, merged=0, withdrawn=0, vanished=0)
            _expect_incremental(result)
            pairs.append(self._pair("idle", number, floor, result))
        return [_ratio("idle", pairs)]

    def _incremental(self) -> list[Measured]:
        self._work.clone(self._loaded_sample(), "source")
        self._main_is_loaded = False
        self._ingest("main", "source")  # another database, so everything is read; not counted
        pairs = []
        for number in range(self._pairs):
            self._change_source(number)
            floor = self._copy_floor("source")
            result = self._ingest("main", "source")
            _expect_incremental(result)
            if not result["counts"]["updated"]:
                raise RuntimeError(f"Nothing was updated: {result['counts']}.")
            pairs.append(self._pair("incremental", number, floor, result))
        self._work.drop("source", "main")
        return [_ratio("incremental", pairs)]

    def _changed(self) -> list[Measured]:
        self._work.clone(self._loaded_sample(), "source")
        self._main_is_loaded = False
        pairs = []
        for number in range(self._pairs):
            self._change_source(number)
            floor = self._copy_floor("source")
            result = self._ingest("main", "source", "--full")
            if not result["counts"]["updated"]:
                raise RuntimeError(f"Nothing was updated: {result['counts']}.")
            pairs.append(self._pair("changed", number, floor, result))
        self._work.drop("source", "main")
        return [_ratio("changed", pairs)]

    def _resume(self) -> list[Measured]:
        sample = self._work.postgres_sample(self._rows)
        whole = statistics.median(pair.run.wall for pair in self.loads)
        shares = []
        for number in range(self._pairs):
            self._server.create_database("main")
            self._main_is_loaded = False
            run_killed(
                "bench.ingest_once", self._server.url("main"), self._server.url(sample), after=whole / 2
            )
            result = self._ingest("main", sample)
            _expect(result, updated=0, unchanged=0)
            shares.append(result["wall"] / whole)
            self._tell(f"resume {number + 1}/{self._pairs}: {result['wall']:.2f} s, {shares[-1]:.2f} ×")
        note = f"of {whole:.1f} s"
        return [Measured("resume", statistics.median(shares), note, details={"shares": shares})]

    def _undo(self) -> list[Measured]:
        self._work.clone(self._loaded_sample(), "source")
        self._main_is_loaded = False
        self._ingest("main", "source")  # another database, so everything is read; not counted
        firsts, changes = [], []
        for number in range(self._pairs):
            self._change_source(number)
            self._ingest("main", "source", "--resume")
            changes.append(self._pair("undo_changed", number, self._copy_floor("source"), self._undone()))
        for number in range(self._pairs):
            self._ingest_fresh("source")
            firsts.append(self._pair("undo", number, self._copy_floor("source"), self._undone()))
        self._work.drop("source", "main")
        return [_ratio("undo", firsts), _ratio("undo_changed", changes)]

    def _change_source(self, number: int) -> None:
        """Change another hundredth of the rows; what was changed and read before is of yesterday."""
        table = self._work.table
        self._server.execute(
            "source",
            "SET session_replication_role = replica",  # without the trigger that sets the update time
            _AGE.format(table=table),
            "SET session_replication_role = origin",
            _CHANGE.format(table=table, number=number),
        )
        self._server.settle("source")

    def _undone(self) -> dict[str, Any]:
        self._server.settle("main")
        return run_measured(
            "bench.undo_once", self._server.url("main"), "--server", str(self._server.process.pid)
        )

    def _loaded_sample(self) -> str:
        """The sample, which the database `main` then holds."""
        sample = self._work.postgres_sample(self._rows)
        if not self._main_is_loaded:
            self._ingest_fresh(sample)
            self._main_is_loaded = True
        self._server.settle("main")
        return sample

    def _copy_floor(self, source: str) -> Cost:
        return copy_through(self._server, source, self._work.table)

    def _ingest_fresh(self, source: str) -> dict[str, Any]:
        self._server.create_database("main")
        self._main_is_loaded = False
        result = self._ingest("main", source)
        _expect(result, updated=0, unchanged=0)
        return result

    def _ingest(self, main: str, source: str, *options: str) -> dict[str, Any]:
        self._server.settle(main)
        urls = (self._server.url(main), self._server.url(source))
        return run_measured("bench.ingest_once", *urls, "--server", str(self._server.process.pid), *options)

    # -- SQLite -------------------------------------------------------------------------------------------

    def _sqlite(self) -> list[Measured]:
        sample, main = self._work.sqlite_sample(self._rows), self._work.folder / "main.db"
        pairs = []
        for number in range(self._pairs):
            floor, journal = insert_select(sample, self._work.layout.table.name, self._work.folder)
            pairs.append(self._pair("sqlite", number, floor, _ingest_file(main, sample), journal=journal))
        remove_sqlite(main)
        return [_ratio("sqlite", pairs)]

    # -- stages alone ---------------------------------------------------------------------------------------

    def _cleaning(self) -> list[Measured]:
        raw = str(self._work.raw_frames(self._rows))
        rates, runs = [], []
        for number in range(self._pairs):
            by_row = run_measured("bench.clean_once", raw, "--by-row", str(_ROWS_BY_ROW))
            columns = run_measured("bench.clean_once", raw)
            rates.append(columns["rows_per_second"] / by_row["rows_per_second"])
            runs.append({"byRow": by_row, "columns": columns})
            self._tell(f"cleaning {number + 1}/{self._pairs}: {rates[-1]:.1f} ×")
        one, other = (
            statistics.median(run[way]["rows_per_second"] for run in runs) for way in ("columns", "byRow")
        )
        note = f"{one / 1000:.0f} k rows/s ÷ {other / 1000:.1f} k rows/s"
        return [Measured("cleaning", statistics.median(rates), note, details={"runs": runs})]

    def _matching(self) -> list[Measured]:
        sample, records = self._work.postgres_sample(self._rows), self._work.record_frames(self._rows)
        pairs = [
            self._pair(
                "matching", number, self._copy_floor(sample), run_measured("bench.match_once", str(records))
            )
            for number in range(self._pairs)
        ]
        return [_ratio("matching", pairs)]

    # -- scores ---------------------------------------------------------------------------------------------

    def _phones(self) -> list[Measured]:
        return [_agreed("phones", phone_agreement())]

    def _emails(self) -> list[Measured]:
        return [_agreed("emails", email_agreement())]

    def _merges(self) -> list[Measured]:
        sample, main = self._work.sqlite_sample(MERGED_ROWS), self._work.folder / "main.db"
        _ingest_file(main, sample)
        score, records = merge_score(main, sample)
        remove_sqlite(main)
        note = f"{records:,} records of {MERGED_ROWS:,} rows"
        return [Measured(name, getattr(score, name), note) for name in ("precision", "recall", "f1")]

    # -- over HTTP ------------------------------------------------------------------------------------------

    def _health(self) -> list[Measured]:
        return _compared(self._over_http.health())

    def _queries(self) -> list[Measured]:
        return _compared(self._over_http.queries())

    def _busy(self) -> list[Measured]:
        self._main_is_loaded = False
        return _compared(self._over_http.busy())

    def _stream(self) -> list[Measured]:
        return _compared(self._over_http.stream())

    # -- telling --------------------------------------------------------------------------------------------

    def _pair(
        self, name: str, number: int, floor: Cost, result: Mapping[str, Any], **details: object
    ) -> Pair:
        given = dict(result)
        run = Cost(given.pop("wall"), given.pop("client_cpu"), given.pop("database_cpu"))
        pair = Pair(floor, run, {**given, **details})
        seconds = f"floor {floor.wall:.2f} s, run {run.wall:.2f} s"
        self._tell(f"{name} {number + 1}/{self._pairs}: {seconds}, {pair.ratio:.2f} ×")
        return pair


_AGE: Final = """
UPDATE {table} SET updated_at = updated_at - interval '1 day'
WHERE updated_at > timezone('UTC', now()) - interval '1 hour'
"""
_CHANGE: Final = """
UPDATE {table} AS contact
SET contact_no = CASE place / 100 % 2
        WHEN 0 THEN '+9198' || lpad((contact.contactid * 7919 % 100000000)::text, 8, '0')
        ELSE contact_no END,
    contact_person_name = CASE place / 100 % 2
        WHEN 1 THEN contact_person_name || ' Rao'
        ELSE contact_person_name END,
    updated_at = timezone('UTC', now())
FROM (SELECT contactid, row_number() OVER (ORDER BY contactid) AS place FROM {table}) AS placed
WHERE placed.contactid = contact.contactid AND place % 100 = {number}
"""
"""Another hundredth of the rows each time: half of them get a new phone, half a new name."""


def _ingest_file(main: Path, sample: Path) -> dict[str, Any]:
    remove_sqlite(main)
    settle_disk()
    result = run_measured("bench.ingest_once", sqlite_url(main), sqlite_url(sample))
    _expect(result, updated=0, unchanged=0)
    return result


def _expect(result: Mapping[str, Any], **counts: int) -> None:
    """The speed of a wrong result is of no interest."""
    wrong = {
        name: result["counts"][name] for name, count in counts.items() if result["counts"][name] != count
    }
    if result["status"] != "succeeded" or wrong:
        raise RuntimeError(f"The run is {result['status']}; expected {counts}, got {result['counts']}.")


def _expect_incremental(result: Mapping[str, Any]) -> None:
    if not result["incremental"]:
        raise RuntimeError("Everything was read, although the rows tell when they were changed.")


def _ratio(name: str, pairs: Sequence[Pair]) -> Measured:
    run, floor = (statistics.median(getattr(pair, side).wall for pair in pairs) for side in ("run", "floor"))
    cpu = statistics.median(pair.cpu_ratio for pair in pairs)
    note = f"{run:.2f} s ÷ {floor:.2f} s; CPU-seconds {cpu:.1f} ×"
    return Measured(name, statistics.median(pair.ratio for pair in pairs), note, pairs)


def _compared(found: Sequence[Compared]) -> list[Measured]:
    return [Measured(one.name, one.value, one.note, details=one.details) for one in found]


def _agreed(name: str, agreement: Agreement) -> Measured:
    note = (
        f"{agreement.strings:,} strings, {agreement.valid:,} valid, {agreement.disagreements} disagreements"
    )
    return Measured(name, 100 * agreement.share, note, details=asdict(agreement))
