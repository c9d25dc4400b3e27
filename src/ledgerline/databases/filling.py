"""What a first load writes: straight into the tables of the application, which are empty."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import sqlalchemy as sa

from ledgerline.databases.engines import BOUND_AT_ONCE, Loader, in_lots
from ledgerline.databases.schema import contact_owners, contact_points, contacts, owners, source_records
from ledgerline.databases.staging_tables import Staging

_OWNER_IDS = pl.Schema({"owner": pl.String, "owner_id": pl.Int64})


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the rows of a first load, in the columns of their tables; None: there are none."""

    contacts: pl.DataFrame  # with the name of the first `owner`, instead of its id
    points: pl.DataFrame
    records: pl.DataFrame | None = None
    owners: pl.DataFrame | None = None  # [contact_id, position, owner]: the further ones


class Filling:
    """One transaction's. Owners are numbered as they come, behind those that there are."""

    def __init__(self, connection: sa.Connection, loader: Loader) -> None:
        self._connection = connection
        self._loader = loader
        self._owner_ids = _OWNER_IDS.to_frame()
        self.contacts = 0  # so many were put
        self.records = 0

    def put(self, part: Part) -> None:
        self._know(part.contacts["owner"])
        loads = [(contacts, self._with_ids(part.contacts)), (contact_points, part.points)]
        if part.records is not None:
            loads.insert(0, (source_records, part.records))
            self.records += part.records.height
        if part.owners is not None:
            self._know(part.owners["owner"])
            loads.append((contact_owners, self._with_ids(part.owners)))
        self._loader.put([load for load in loads if load[1].height])
        self.contacts += part.contacts.height

    def put_suggestions(self, staging: Staging, suggestions: pl.DataFrame) -> None:
        self._loader.put([(staging.suggestions, suggestions)])

    def bring(self) -> None:
        """Have all that was put in the tables."""
        self._loader.bring()

    def _with_ids(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.join(self._owner_ids, on="owner", how="left", maintain_order="left").drop("owner")

    def _know(self, names: pl.Series) -> None:
        """Learn the ids of these owners; who has none so far gets one."""
        missing = names.drop_nulls().unique().sort().to_frame("owner")
        missing = missing.join(self._owner_ids, on="owner", how="anti", maintain_order="left")
        if missing.is_empty():
            return
        found = self._found(missing["owner"].to_list())
        new = missing.join(found, on="owner", how="anti", maintain_order="left")
        self._owner_ids = pl.concat([self._owner_ids, found, self._numbered(new)])

    def _numbered(self, new: pl.DataFrame) -> pl.DataFrame:
        """Insert these owners; with their ids."""
        if new.is_empty():
            return _OWNER_IDS.to_frame()
        highest = self._connection.execute(sa.select(sa.func.max(owners.c.id))).scalar() or 0
        numbered = new.with_columns(owner_id=highest + pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
        self._connection.execute(owners.insert(), numbered.select(id="owner_id", name="owner").to_dicts())
        return numbered

    def _found(self, names: list[str]) -> pl.DataFrame:
        rows: list[tuple[str, int]] = []
        for lot in in_lots(names, BOUND_AT_ONCE):
            query = sa.select(owners.c.name, owners.c.id).where(owners.c.name.in_(lot))
            rows += [(name, number) for name, number in self._connection.execute(query)]
        return pl.DataFrame(rows, schema=_OWNER_IDS, orient="row")
