"""The tables: contacts, who they are, and their customers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from ledgerline.sources.sample import words
from ledgerline.sources.sample.chance import Dice, Ints, choice_of
from ledgerline.sources.sample.columns import either, together
from ledgerline.sources.sample.companies import Companies
from ledgerline.sources.sample.emails import email_column
from ledgerline.sources.sample.names import name_column
from ledgerline.sources.sample.people import Rows, World
from ledgerline.sources.sample.phones import phone_column
from ledgerline.sources.sample.titles import designation_column, with_damage

CONTACTS = pl.Schema(
    [
        ("contactid", pl.Int64()),
        ("customerid", pl.Int64()),
        ("contact_person_name", pl.String()),
        ("contact_no", pl.String()),
        ("designation", pl.String()),
        ("contact_person_email", pl.String()),
        ("added_by", pl.String()),
        ("status", pl.String()),
        ("del_sts", pl.String()),
        ("created_at", pl.Datetime("us")),
        ("updated_at", pl.Datetime("us")),
    ]
)
TRUTH = pl.Schema({"contactid": pl.Int64, "personid": pl.Int64})
CUSTOMERS = pl.Schema({"customerid": pl.Int64, "customer_name": pl.String})


class SampleBatch(NamedTuple):
    """Some rows of the contacts table (`CONTACTS`), and who they are (`TRUTH`), in order of `contactid`."""

    contacts: pl.DataFrame
    truth: pl.DataFrame


def generate(rows: int, seed: int, *, batch_rows: int = 50_000) -> Iterator[SampleBatch]:
    """`rows` contacts in batches of `batch_rows`; nothing at all when there are none."""
    if rows < 1:
        return
    world = World(rows, seed)
    for start in range(0, rows, batch_rows):
        yield _batch(world, np.arange(start, min(start + batch_rows, rows)))


def customers(rows: int, seed: int) -> pl.DataFrame:
    """The customers (`CUSTOMERS`) that `generate(rows, seed)` refers to, some companies under two ids."""
    if rows < 1:
        return pl.DataFrame(schema=CUSTOMERS)
    companies = Companies(rows, Dice(seed))
    customer = np.arange(companies.customers)
    return pl.DataFrame(
        {"customerid": companies.customer_id(customer), "customer_name": companies.customer_name(customer)},
        schema=CUSTOMERS,
    )


def _batch(world: World, position: Ints) -> SampleBatch:
    person = world.person[position].astype(np.int64)
    ordinal = world.ordinal[position].astype(np.int64)
    fields = world.repaired(person, ordinal, world.repair[position].astype(np.int64))
    key = world.row_keys(person, ordinal)
    company = world.company(person, fields.job)
    rows = Rows(world, position, person, key, person >= world.somebodies, company, fields)
    contactid = pl.Series(_contact_id(world.dice, position))
    name, phone, designation, mail = with_damage(
        rows, [name_column(rows), phone_column(rows), designation_column(rows), email_column(rows)]
    )
    created, updated = _dates(rows)
    contacts = pl.DataFrame(
        [
            contactid.alias("contactid"),
            _customer(rows).alias("customerid"),
            name.alias("contact_person_name"),
            phone.alias("contact_no"),
            designation.alias("designation"),
            mail.alias("contact_person_email"),
            _added_by(rows).alias("added_by"),
            world.dice.text("status", key, choice_of("94 APP|4 PEN|2 REJ")).alias("status"),
            world.dice.text("deleted", key, choice_of("97 N|3 Y")).alias("del_sts"),
            created.alias("created_at"),
            updated.alias("updated_at"),
        ],
        schema=CONTACTS,
    )
    truth = pl.DataFrame([contactid.alias("contactid"), pl.Series("personid", person + 1)], schema=TRUTH)
    return SampleBatch(contacts, truth)


def _contact_id(dice: Dice, position: Ints) -> Ints:
    """One number in ten is missing, and a thousand wherever the server was restarted."""
    gap = (position + dice.below("gap", position // 9, 9)) // 9
    return 1 + position + gap + position // 20_011 * 1000


def _customer(rows: Rows) -> pl.Series:
    companies, dice = rows.world.companies, rows.dice
    customer = companies.customer_of(rows.company, rows.key)
    beyond = 1000 + 3 * companies.customers + dice.below("dangling id", rows.key, 5000)
    customer = np.where(dice.hits("dangling", rows.key, 0.005), beyond, customer)
    known = pl.Series(~dice.hits("no customer", rows.key, 0.008))
    return pl.select(pl.when(known).then(pl.Series(customer))).to_series()


_DAY = 86_400_000_000
_FIRST_DAY, _DAYS = 16_436, 4_320  # from 2015-01-01 to autumn 2026
_YEAR_1900, _YEAR_9999 = -25_567 * _DAY, 2_932_896 * _DAY


def _dates(rows: Rows) -> tuple[pl.Series, pl.Series]:
    """Rows were entered in order of their ids, half of them never changed since."""
    dice, key = rows.dice, rows.key
    passed = (rows.position + dice.unit("entered", rows.position)) / rows.world.rows
    created = ((_FIRST_DAY + _DAYS * passed) * _DAY).astype(np.int64)
    later = ((_FIRST_DAY + _DAYS) * _DAY - created) * dice.unit("updated", key) ** 2
    updated = np.where(dice.hits("changed", key, 0.5), created + later.astype(np.int64), created)
    odd = np.where(dice.hits("far future", key, 0.4), _YEAR_9999, _YEAR_1900)
    created = np.where(dice.hits("odd created", key, 0.0005), odd, created)
    updated = np.where(dice.hits("odd updated", key, 0.0005), odd, updated)
    known = pl.Series(~dice.hits("no date", key, 0.003))
    frame = pl.DataFrame({"created": created, "updated": updated}).select(
        pl.when(known).then(pl.all()).cast(pl.Datetime("us"))
    )
    return frame["created"], frame["updated"]


def _added_by(rows: Rows) -> pl.Series:
    dice, key = rows.dice, rows.key
    owners = words.OWNERS.split("|")
    count = 10 + int(dice.below("owners", np.zeros(1, dtype=np.int64), len(owners) - 9)[0])
    chance = dice.unit("owner", key)
    name = pl.Series(owners).gather((chance * chance * count).astype(np.int64))
    name = either(dice.hits("owner lower", key, 0.03), name.str.to_lowercase(), name)
    name = together(name, dice.text("owner space", key, choice_of("98 |2  ")))
    name = either(
        dice.hits("owner system", key, 0.02), dice.text("system", key, choice_of("3 admin|1 import")), name
    )
    return either(dice.hits("no owner", key, 0.01), None, name)
