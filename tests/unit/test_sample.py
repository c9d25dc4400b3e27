"""The sample databases: the same every time, as messy as promised, with a truth that can be trusted."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import phonenumbers
import polars as pl
import pytest
from email_validator import validate_email

from ledgerline.sources import sample
from ledgerline.sources.sample import places, tables, words

ROWS, SEED = 20_000, 11
ROLES = {entry.split(" ", 1)[1] for entry in words.ROLE_MAILBOXES.split("|")}
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85]")


class Sample(NamedTuple):
    contacts: pl.DataFrame
    truth: pl.DataFrame
    customers: pl.DataFrame


def whole(rows: int, seed: int, **options: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    batches = list(sample.generate(rows, seed, **options))
    return pl.concat([b.contacts for b in batches]), pl.concat([b.truth for b in batches])


@pytest.fixture(scope="module")
def made() -> Sample:
    return Sample(*whole(ROWS, SEED), sample.customers(ROWS, SEED))


def share(contacts: pl.DataFrame, column: str, pattern: str) -> float:
    hits = contacts[column].fill_null("").str.contains(pattern).sum()
    return int(hits) / contacts.height


# ── the same every time ──────────────────────────────────────────────────────────────────────────────────


def test_the_same_arguments_give_the_same_rows_whatever_the_batch_size() -> None:
    contacts, truth = whole(3_000, 5)
    others, other_truth = whole(3_000, 5, batch_rows=701)
    assert contacts.equals(others)
    assert truth.equals(other_truth)


def test_another_seed_gives_other_rows() -> None:
    contacts, _ = whole(1_000, 1)
    others, _ = whole(1_000, 2)
    same = contacts["contact_person_name"].eq_missing(others["contact_person_name"]).mean()
    assert isinstance(same, float)
    assert same < 0.05


def test_the_rows_do_not_depend_on_the_machine() -> None:
    """Measurements are compared over time: a change of this digest makes older ones incomparable."""
    contacts, truth = whole(400, 3)
    text = contacts.write_csv() + truth.write_csv() + sample.customers(400, 3).write_csv()
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "cba8eca677bc89f7"


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 61])
def test_any_number_of_rows(rows: int) -> None:
    assert sum(batch.contacts.height for batch in sample.generate(rows, 1, batch_rows=3)) == rows
    assert sample.customers(rows, 1).schema == tables.CUSTOMERS


# ── the tables ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_frames_have_their_schemas(made: Sample) -> None:
    assert made.contacts.schema == tables.CONTACTS
    assert made.truth.schema == tables.TRUTH
    assert made.customers.schema == tables.CUSTOMERS


def test_contact_ids_ascend_with_gaps(made: Sample) -> None:
    steps = made.contacts["contactid"].diff().drop_nulls()
    assert steps.min() == 1
    assert (steps > 1).any()


def test_the_truth_knows_each_row_once(made: Sample) -> None:
    assert made.truth["contactid"].equals(made.contacts["contactid"])
    assert made.truth["contactid"].is_unique().all()
    assert made.truth["personid"].null_count() == 0


def test_customers_are_mostly_known(made: Sample) -> None:
    assert made.customers["customerid"].is_unique().all()
    customer = made.contacts["customerid"]
    dangling = ~customer.drop_nulls().is_in(made.customers["customerid"].implode())
    assert 0.004 < customer.null_count() / ROWS < 0.013
    assert 0.002 < dangling.sum() / ROWS < 0.009


def test_some_companies_are_customers_twice(made: Sample) -> None:
    legal_form = r"(?i)[ .]*\b(pvt|private|ltd|limited|llp|co|p|inc|llc)\b.*|[^a-z ]"
    plain = (
        made.customers["customer_name"].str.to_lowercase().str.replace_all(legal_form, "").str.strip_chars()
    )
    assert 0.01 < plain.is_duplicated().sum() / plain.len() < 0.25


def test_status_flags_and_owners(made: Sample) -> None:
    status = dict(made.contacts["status"].value_counts(normalize=True).iter_rows())
    assert set(status) == {"APP", "PEN", "REJ"}
    assert 0.92 < status["APP"] < 0.96
    assert 0.96 < (made.contacts["del_sts"] == "N").sum() / ROWS < 0.98
    owners = made.contacts["added_by"].str.strip_chars().str.to_lowercase().n_unique()
    assert 10 <= owners <= 44


def test_some_dates_are_odd_and_the_others_ascend(made: Sample) -> None:
    created = made.contacts["created_at"]
    years = created.dt.year()
    assert {1900, 9999} <= set(years.to_list()) | set(made.contacts["updated_at"].dt.year().to_list())
    assert created.filter(years.is_between(1901, 9998)).is_sorted()


# ── who is who ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_quarter_of_the_rows_are_of_somebody_seen_before(made: Sample) -> None:
    rows = made.truth["personid"].value_counts()["count"]
    assert 0.22 < 1 - rows.len() / ROWS < 0.28
    assert (rows.min(), rows.max()) == (1, 6)


def test_rows_without_a_usable_name_are_nobody_twice(made: Sample) -> None:
    names = made.contacts["contact_person_name"]
    unusable = names.is_null() | names.str.contains(r"(?i)^(test|na|n/a|nil|-+|\.|\s*)$")
    people = made.truth.filter(unusable)["personid"]
    assert people.len() > ROWS * 0.004
    rows = made.truth["personid"].value_counts().filter(pl.col("personid").is_in(people.implode()))
    assert rows["count"].max() == 1


def keys(phone: str | None, mail: str | None) -> set[str]:
    """What can tell that two rows are one person: long numbers and mailboxes of one's own."""
    text = CONTROL.sub("", phone or "").translate(str.maketrans("०१२३४५६७८९", "0123456789"))
    numbers = {
        digits[-9:]
        for part in re.split(r"[,/;\n&]|or|  | - ", text)
        if len(digits := re.sub(r"\D", "", part)) > 8
    }
    mails = re.findall(r"[\w.]+@[\w.]+\.example", CONTROL.sub("", mail or "").lower())
    return numbers | {address for address in mails if address.partition("@")[0] not in ROLES}


def test_few_true_duplicates_have_nothing_strong_in_common(made: Sample) -> None:
    people: defaultdict[int, list[set[str]]] = defaultdict(list)
    columns = made.contacts.select("contact_no", "contact_person_email").iter_rows()
    for (phone, mail), person in zip(columns, made.truth["personid"], strict=True):
        people[person].append(keys(phone, mail))
    further = unlinked = 0
    for rows in people.values():
        seen = set(rows[0])
        for found in rows[1:]:
            further += 1
            unlinked += not found & seen
            seen |= found
    assert 0.015 < unlinked / further < 0.05


def test_strangers_share_names_mobiles_and_mailboxes(made: Sample) -> None:
    frame = made.contacts.with_columns(person=made.truth["personid"])
    name = pl.col("contact_person_name").str.to_lowercase()
    namesakes = frame.filter(name.str.contains(" ")).group_by(name).agg(pl.col("person").n_unique())
    assert namesakes.filter(pl.col("person") >= 5).height > 20
    at_one_company = frame.filter(name.str.contains(r"\w{3,} \w{3,}")).group_by("customerid", name)
    assert at_one_company.agg(pl.col("person").n_unique()).filter(pl.col("person") > 1).height > 5
    mobile = pl.col("contact_no").str.replace_all(r"\D", "").str.extract(r"^(?:91|0)?([6-9]\d{9})$")
    mobiles = frame.with_columns(mobile=mobile).drop_nulls("mobile").group_by("mobile")
    assert mobiles.agg(pl.col("person").n_unique()).filter(pl.col("person") > 1).height > 15
    mailbox = pl.col("contact_person_email").str.to_lowercase()
    own = r"^[a-z._]+\d*@(mail|inbox|webmail|fastpost)\.example$"
    for domain in (r"^[a-z]+@post\.example$", own, r"^(info|accounts|sales)@"):
        boxes = frame.filter(mailbox.str.contains(domain)).group_by(mailbox).agg(pl.col("person").n_unique())
        assert boxes.filter(pl.col("person") > 1).height > 2, domain


def test_a_mailbox_with_a_number_is_rarely_of_two_people(made: Sample) -> None:
    mailbox = pl.col("contact_person_email").str.to_lowercase()
    boxes = (
        made.contacts.with_columns(person=made.truth["personid"])
        .filter(mailbox.str.contains(r"^[a-z._]+\d+@\w+\.example$"))
        .group_by(mailbox)
        .agg(pl.col("person").n_unique())
    )
    assert 0 < boxes.filter(pl.col("person") > 1).height / boxes.height < 0.012


# ── nobody's data ────────────────────────────────────────────────────────────────────────────────────────


def test_every_mail_domain_is_reserved(made: Sample) -> None:
    domains = (
        made.contacts["contact_person_email"]
        .drop_nulls()
        .str.to_lowercase()
        .str.extract_all(r"@[^\s@,;<>/]+")
    )
    plain = (
        domains.explode().drop_nulls().str.strip_chars_end(".").str.replace_all(r"[\x00-\x1f\x7f\u0085]", "")
    )
    assert plain.len() > ROWS * 0.6
    assert plain.filter(~plain.str.ends_with(".example")).to_list() == []


def test_plain_addresses_pass_the_validator(made: Sample) -> None:
    mails = made.contacts["contact_person_email"].drop_nulls()
    plain = mails.filter(mails.str.contains(r"^\w[\w.]*@\w[\w.]*\w$")).head(500)
    assert plain.len() == 500
    for address in plain:
        validate_email(address, check_deliverability=False)


def ranges() -> list[tuple[str, str, int]]:
    """Country code, prefix, and how many digits may follow, of every range of numbers."""
    found = []
    for place in [places._city(line) for line in words.CITIES.split("\n") if line] + [
        places._country(line) for line in words.COUNTRIES.split("\n") if line
    ]:
        for text in {place.mobile, place.desk}:
            prefixes, _, digits = text.partition("/")
            found += [(place.code, prefix, int(digits)) for prefix in prefixes.split(",")]
    return sorted(set(found))


def test_any_digits_behind_a_prefix_make_a_valid_number() -> None:
    wrong = []
    for code, prefix, digits in ranges():
        for tail in range(0, 10**digits, 10**digits // 23):
            number = f"+{code}{prefix}{tail:0{digits}d}"
            if not phonenumbers.is_valid_number(phonenumbers.parse(number)):
                wrong.append(number)
    assert wrong == []


# ── the mess ─────────────────────────────────────────────────────────────────────────────────────────────

NAME, PHONE, MAIL, TITLE = "contact_person_name", "contact_no", "contact_person_email", "designation"
MESS = [
    (NAME, r"^[^a-z]*[A-Z]{3}[^a-z]*$", 0.07, 0.12),
    (NAME, r"^[^A-Z]*[a-z]{3}[^A-Z]*$", 0.03, 0.08),
    (NAME, r"^(?i)(mr|mrs|ms|dr|shri|smt|er|miss)\b", 0.06, 0.14),
    (NAME, r"\b[A-Z]\b\.?", 0.06, 0.2),
    (NAME, r"^\S+$", 0.02, 0.08),
    (NAME, r"\S  +\S", 0.008, 0.03),
    (NAME, r"\u00a0", 0.003, 0.02),
    (NAME, r"\u200b|\u200d", 0.002, 0.02),
    (NAME, r"^\s|\s$", 0.01, 0.05),
    (NAME, r"(?i) ji$| sir$|\(owner\)", 0.005, 0.02),
    (NAME, r"[àáâãäåçèéêëíïñóôõöøúüßžšłşğıř]", 0.004, 0.04),
    (NAME, r"\p{Devanagari}", 0.001, 0.01),
    (NAME, r"\p{Tamil}", 0.0003, 0.01),
    (NAME, r"\p{Telugu}", 0.0002, 0.01),
    (NAME, r"\p{Arabic}", 0.001, 0.02),
    (NAME, r"\p{Cyrillic}", 0.0005, 0.02),
    (NAME, r"\p{Greek}", 0.0002, 0.02),
    (NAME, r"\p{Han}", 0.001, 0.02),
    (NAME, r"Ã.|Â|à¤|â€|Ð|Î", 0.001, 0.006),
    (NAME, r"(?i)^(test|na|n/a|-|xyz|nil)$", 0.003, 0.012),
    (PHONE, r"^[6-9]\d{9}$", 0.1, 0.3),
    (PHONE, r"\+91-\d{5} \d{5}", 0.02, 0.1),
    (PHONE, r"\b0\d{5} \d{5}", 0.01, 0.06),
    (PHONE, r"91 \d{5}-\d{5}", 0.01, 0.05),
    (PHONE, r"\(0\d{2,3}\) \d{4} \d{3,4}", 0.01, 0.06),
    (PHONE, r"0091", 0.008, 0.05),
    (PHONE, r"\+(971|44|49|1|65|86|7|33)\b", 0.01, 0.15),
    (PHONE, r"[०-९]", 0.0005, 0.004),
    (PHONE, r"\d{5,}.*[,;/&\n].*\d{5,}", 0.1, 0.25),
    (PHONE, r"(?i)ext|\dx ?\d", 0.004, 0.03),
    (PHONE, r"(?i)^(mob|ph|tel|m:|cell|whatsapp)", 0.015, 0.06),
    (PHONE, r"(?i)^(NA|-|test|n/a|nil|0000000000|9999999999)$", 0.015, 0.05),
    (PHONE, r"\d[Ol]\d|\dl$", 0.001, 0.02),
    (PHONE, r"\.0|E\+", 0.001, 0.02),
    (PHONE, r"^(\d{9}|[1-5]\d{10}|\d{4})$", 0.003, 0.03),
    (PHONE, r"^\s*$", 0.06, 0.12),
    (MAIL, r"[A-Z].*@", 0.02, 0.1),
    (MAIL, r"@.*@", 0.12, 0.19),
    (MAIL, r"^mailto:", 0.002, 0.02),
    (MAIL, r"[.,]$", 0.004, 0.03),
    (MAIL, r"^[^@]*\.example$|\(at\)|@@", 0.003, 0.02),
    (MAIL, r"(?i)^(NA|-|nil|none|n/a)$", 0.01, 0.04),
    (MAIL, r"^\s*$", 0.12, 0.25),
    (MAIL, r"(?i)\b(info|accounts|sales)@", 0.08, 0.25),
    (TITLE, r"(?i)vendor|supplier", 0.01, 0.05),
    (TITLE, r"(?i)lead|prospect", 0.005, 0.03),
    (TITLE, r"(?i)^(NA|-|n/a|nil|\.)$", 0.02, 0.06),
]


@pytest.mark.parametrize(("column", "pattern", "least", "most"), MESS, ids=[f"{m[0]}:{m[1]}" for m in MESS])
def test_each_mess_is_there(made: Sample, column: str, pattern: str, least: float, most: float) -> None:
    assert least <= share(made.contacts, column, pattern) <= most


@pytest.mark.parametrize(
    "odd",
    [
        lambda text: CONTROL.search(text) is not None,
        lambda text: len(text) == 2_000,
    ],
    ids=["control character", "2,000 characters"],
)
def test_each_rare_damage_is_there(made: Sample, odd: Callable[[str], bool]) -> None:
    texts = [text for column in (NAME, PHONE, MAIL, TITLE) for text in made.contacts[column].drop_nulls()]
    assert 1 <= sum(map(odd, texts)) <= 30
    assert not any("\x00" in text for text in texts)
