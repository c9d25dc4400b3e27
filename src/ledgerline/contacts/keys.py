"""What matching remembers of a record: integers, made once, where the record is cleaned.

Records find each other by keys: each e-mail address, each phone, and name with company is a stable 64-bit
hash. That is all that is kept of the values, some fifty bytes a record, so that the keys of many million
records fit where their text does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl
import polars_hash  # noqa: F401  registers the `nchash` namespace of expressions

from ledgerline.contacts.companies import match_company_column
from ledgerline.contacts.emails import role_mailbox
from ledgerline.contacts.model import VALUE_SEPARATOR, PhoneType
from ledgerline.contacts.names import match_name_column

# The kind of a key stands in its two lowest bits, so that a key tells by itself what is shared.
EMAIL, PHONE, NAME_COMPANY = 1, 2, 3
KIND_BITS = 3

# What a record has (bits of `traits`): an address and a mobile that are no links, a name of two full words by
# whose match form it can be told.
OWN_EMAIL, OWN_PHONE, FULL_NAME = 1, 2, 4

_NAME_SEED, _COMPANY_SEED, _MAILBOX_SEED = 4, 5, 6
_TWO_WORDS = "[a-z]{2}.* .*[a-z]{2}"  # of a match form; 'k rajesh' and 'rajesh' are one

VALUES = pl.Schema({"record": pl.UInt32, "key": pl.Int64, "is_link": pl.Boolean})
PEOPLE = pl.Schema(
    {
        "record": pl.UInt32,
        "name_hash": pl.Int64,  # of the match form; 0 where there is none
        "company_hash": pl.Int64,  # likewise
        "mailbox": pl.UInt32,  # of the best e-mail address without its digits; 0 where there is none
        "traits": pl.UInt8,
    }
)


@dataclass(frozen=True, slots=True)
class Keys:
    """What is remembered of some records.

    values  [record, key, is_link]: the keys of the e-mails and phones of every named record; `is_link` where
            the value itself says that it is shared: a role mailbox, one named like the company, no mobile
    people  `PEOPLE`, one row a record
    """

    values: pl.DataFrame
    people: pl.DataFrame

    @staticmethod
    def concat(parts: Iterable[Keys]) -> Keys:
        values, people = [VALUES.to_frame()], [PEOPLE.to_frame()]
        for part in parts:
            values.append(part.values)
            people.append(part.people)
        return Keys(pl.concat(values), pl.concat(people))

    def first(self) -> int:
        """The smallest record, 0 where there is none."""
        smallest = self.people["record"].min()
        return smallest if isinstance(smallest, int) else 0

    def renumbered(self, by: int) -> Keys:
        """The same with all record numbers raised by `by`."""
        if by == 0:
            return self
        number = (pl.col("record") + by).cast(pl.UInt32)
        return Keys(self.values.with_columns(number), self.people.with_columns(number))

    def only(self, records: pl.Series) -> Keys:
        """What is remembered of these records."""
        chosen = pl.col("record").is_in(records.cast(pl.UInt32).implode())
        return Keys(self.values.filter(chosen), self.people.filter(chosen))


def match_keys(records: pl.DataFrame) -> Keys:
    """The keys of `records`, their `people` row by row.

    records  record (unique, below 2³²) and the CLEAN columns name, company_name, email, further_emails,
             phone, phone_type and further_phones

    A key is XXH3-64 of the UTF-8 value, seeded by its kind, as a signed integer whose two lowest bits are
    replaced by the kind. It is the same on every machine; it changes when the rules of a match form do.
    """
    # The type of a further phone is not known: it is somebody's own where somebody has it as a mobile.
    frame = records.select(
        pl.col("record").cast(pl.UInt32),
        "email",
        "further_emails",
        "phone",
        "further_phones",
        name=match_name_column(records["name"]),
        company=match_company_column(records["company_name"]),
        is_han=_is_han(records["name"]),
        phone_is_link=pl.col("phone_type").ne_missing(PhoneType.MOBILE),
    )
    frame = frame.with_columns(email_is_link=_is_link(frame))
    return Keys(_values(frame.filter(pl.col("name") != "")), _people(frame))


def identity_key(people: pl.DataFrame) -> pl.Series:
    """The key by name and company, row by row: the exclusive or of both hashes; null without one of them."""
    is_known = (pl.col("name_hash") != 0) & (pl.col("company_hash") != 0)
    key = _as_key(pl.col("name_hash") ^ pl.col("company_hash"), NAME_COMPANY)
    return people.select(pl.when(is_known).then(key).alias("key")).to_series()


def _values(frame: pl.DataFrame) -> pl.DataFrame:
    is_role, unknown = role_mailbox(pl.col("value")), pl.lit(value=True)
    return pl.concat(
        [
            _keyed(frame.select("record", "email_is_link", value="email"), EMAIL, pl.col("email_is_link")),
            _keyed(_listed(frame, "further_emails"), EMAIL, is_role),
            _keyed(frame.select("record", "phone_is_link", value="phone"), PHONE, pl.col("phone_is_link")),
            _keyed(_listed(frame, "further_phones"), PHONE, unknown),
        ]
    )


def _listed(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    listed = frame.select("record", value=column).drop_nulls("value")
    return listed.with_columns(pl.col("value").str.split(VALUE_SEPARATOR)).explode("value")


def _keyed(values: pl.DataFrame, kind: int, is_link: pl.Expr) -> pl.DataFrame:
    key = _as_key(_hash(pl.col("value"), kind), kind)
    return values.select("record", key=key, is_link=is_link).drop_nulls("key")


def _is_link(frame: pl.DataFrame) -> pl.Series:
    """Whether a mailbox is a role, or named like the company: omsteel@ of Om Steel is nobody's own."""
    email, company = pl.col("email"), pl.col("company")
    begins_alike = email.str.starts_with(company.str.head(1)) | email.str.contains("^[^0-9a-z]")
    rows = frame.select(begins_alike.fill_null(value=False)).to_series().arg_true()
    local = email.str.extract("^([^@]+)@").str.replace_all("[^0-9a-z]+", "")
    is_named = frame[rows].select(local == company.str.replace_all(" ", "", literal=True)).to_series()
    is_link = frame.select(role_mailbox(email)).to_series()
    return is_link.scatter(rows.filter(is_named), values=True)


def _is_han(names: pl.Series) -> pl.Series:
    """Whether a name is Chinese or Japanese: 王伟, 王薇 and 王威 have one match form, 'wang wei'."""
    is_foreign = (names.str.len_bytes() != names.str.len_chars()).fill_null(value=False)
    rows = is_foreign.arg_true()  # few: the others need not be looked through
    return is_foreign.scatter(rows, names[rows].str.contains(r"\p{Han}"))


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(mailbox=pl.col("email").str.replace_all("[0-9]+", ""))
    mailbox = _hash(pl.col("mailbox"), _MAILBOX_SEED)  # which reads its column twice
    has = {
        OWN_EMAIL: ~pl.col("email_is_link"),
        OWN_PHONE: pl.col("phone").is_not_null() & ~pl.col("phone_is_link"),
        FULL_NAME: pl.col("name").str.contains(_TWO_WORDS) & ~pl.col("is_han"),
    }
    return frame.select(
        "record",
        name_hash=_hash(pl.col("name"), _NAME_SEED).fill_null(0),
        company_hash=_hash(pl.col("company"), _COMPANY_SEED).fill_null(0),
        mailbox=(mailbox.fill_null(0) & 0xFFFFFFFF).cast(pl.UInt32),
        traits=pl.sum_horizontal(
            flag.fill_null(value=False).cast(pl.UInt8) * bit for bit, flag in has.items()
        ),
    ).cast(PEOPLE)


def _hash(value: pl.Expr, seed: int) -> pl.Expr:
    hashed: pl.Expr = value.nchash.xxh3_64(seed=seed)  # type: ignore[attr-defined]
    return pl.when(value != "").then(hashed.reinterpret(signed=True))


def _as_key(hashed: pl.Expr, kind: int) -> pl.Expr:
    return (hashed & ~KIND_BITS) | kind
