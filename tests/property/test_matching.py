"""What holds of matching whatever the records, and how well it does on a known truth."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.matching import match_records
from tests.scoring import pairwise

from ledgerline.contacts.blocks import block
from ledgerline.contacts.clean import clean
from ledgerline.contacts.keys import Keys, identity_key, match_keys
from ledgerline.contacts.match import Matches
from ledgerline.contacts.model import RAW
from ledgerline.sources.sample import customers, generate

ROWS, SEED = 20_000, 7
FEW = settings(max_examples=30, deadline=None)  # each example is many columnar operations on next to nothing

NAMES = [
    "Rajesh Kumar",
    "Kumar Rajesh",
    "R. Kumar",
    "Ramesh Kumar",
    "Rajehs Kumar",
    "Rajesh",
    "Asha Rao",
    "A. Rao",
]
EMAILS = ["rk@home.example", "info@om.example", "asha@rao.example", None]
PHONES = ["+919810012345", "+919820054321", "+912226543210", None]

RECORD = st.fixed_dictionaries(
    {
        "contact_id": st.sampled_from([None, None, None, 1, 2]),
        "name": st.sampled_from(NAMES),
        "company_name": st.sampled_from(["Om Steel", "Rao & Co", None]),
        "email": st.sampled_from(EMAILS),
        "further_emails": st.sampled_from([None, "rk@home.example asha@rao.example"]),
        "phone": st.sampled_from(PHONES),
        "phone_type": st.sampled_from(["MOBILE", "FIXED"]),
        "further_phones": st.sampled_from([None, "+919810012345"]),
    }
)
SCHEMA = pl.Schema(
    {
        "record": pl.Int64(),
        "contact_id": pl.Int64(),
        **dict.fromkeys(
            (
                "name",
                "company_name",
                "email",
                "further_emails",
                "phone",
                "phone_type",
                "further_phones",
            ),
            pl.String(),
        ),
    }
)


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    rows = draw(st.lists(RECORD, max_size=14))
    records = draw(st.permutations(range(1, 3 * len(rows) + 1, 3)))
    return pl.DataFrame(
        [{"record": record, **row} for record, row in zip(records, rows, strict=True)], schema=SCHEMA
    )


def clusters_of(found: Matches) -> dict[int, int]:
    return dict(found.clusters.select("record", "cluster").iter_rows())


@FEW
@given(frames(), st.randoms(use_true_random=False))
def test_the_order_of_the_records_does_not_matter(records: pl.DataFrame, random: object) -> None:
    order = list(range(len(records)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one, other = match_records(records), match_records(records[order])
    assert one.clusters.equals(other.clusters)
    assert one.suggestions.equals(other.suggestions)
    assert one.capped == other.capped


@FEW
@given(frames())
def test_clusters_explain_themselves(records: pl.DataFrame) -> None:
    found = match_records(records).clusters
    cluster = dict(found.select("record", "cluster").iter_rows())
    partner = dict(found.select("record", "partner").iter_rows())
    assert set(cluster) <= set(records["record"])
    assert found.group_by("cluster").len()["len"].min() != 1
    for record, first in cluster.items():
        step = record
        for _ in range(len(cluster)):
            step = step if partner[step] is None else partner[step]
        assert step == first == cluster[first] <= record
    founders = found.filter(pl.col("record") == pl.col("cluster"))
    assert founders.select("rule", "partner", "score").null_count().sum_horizontal().sum() == 3 * len(
        founders
    )
    assert found["rule"].null_count() == len(founders)


@FEW
@given(frames())
def test_records_of_one_contact_stay_together(records: pl.DataFrame) -> None:
    cluster = clusters_of(match_records(records))
    for _, known in records.drop_nulls("contact_id").group_by("contact_id"):
        assert len({cluster.get(record, record) for record in known["record"]}) == 1


@FEW
@given(frames(), st.data())
def test_excluded_pairs_stay_apart(records: pl.DataFrame, data: st.DataObject) -> None:
    new = records.with_columns(contact_id=pl.lit(None, dtype=pl.Int64))
    ids = [*new["record"].to_list(), -1]
    pairs = data.draw(
        st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)).filter(lambda p: p[0] != p[1]))
    )
    apart = pl.DataFrame(pairs, schema={"left": pl.Int64, "right": pl.Int64}, orient="row")
    found = match_records(new, apart)
    cluster = clusters_of(found)
    assert all(cluster.get(left, left) != cluster.get(right, right) for left, right in pairs)
    suggested = {frozenset(pair) for pair in found.suggestions.select("left", "right").iter_rows()}
    assert suggested.isdisjoint(map(frozenset, pairs))


@FEW
@given(frames())
def test_suggestions_lie_between_clusters(records: pl.DataFrame) -> None:
    found = match_records(records)
    cluster = clusters_of(found)
    for left, right in found.suggestions.select("left", "right").iter_rows():
        assert cluster.get(left, left) != cluster.get(right, right)


@FEW
@given(frames())
def test_whoever_joins_shares_a_key_or_a_contact(records: pl.DataFrame) -> None:
    """So that the partners of a record can be looked up by its keys."""
    keys = match_keys(records)
    identities = keys.people.select("record", identity_key(keys.people)).drop_nulls()
    every = pl.concat([keys.values.select("record", "key"), identities])
    by_record = {record[0]: set(group["key"]) for record, group in every.group_by("record")}
    contact = dict(records.select("record", "contact_id").iter_rows())
    for record, partner in (
        match_records(records).clusters.drop_nulls("partner").select("record", "partner").iter_rows()
    ):
        known = contact[record] is not None and contact[record] == contact[partner]
        assert known or by_record[record] & by_record[partner]


@FEW
@given(frames(), st.integers(0, 14))
def test_keys_made_in_parts_are_those_made_at_once(records: pl.DataFrame, cut: int) -> None:
    parts = Keys.concat(match_keys(part) for part in (records[cut:], records[:cut]))
    blocks, at_once = block(parts), block(match_keys(records))
    assert blocks.compared().tolist() == at_once.compared().tolist()
    for name in ("kind", "own", "size", "names", "left", "right", "block"):
        assert getattr(blocks, name).tolist() == getattr(at_once, name).tolist()


@pytest.fixture(scope="module")
def sample() -> tuple[pl.DataFrame, pl.DataFrame]:
    """The clean live records of a sample database, and who they are."""
    companies = customers(ROWS, SEED).unique("customerid", maintain_order=True)
    batches = list(generate(ROWS, SEED))
    contacts = pl.concat([batch.contacts for batch in batches]).filter(status="APP", del_sts="N")
    contacts = contacts.join(companies, on="customerid", how="left", maintain_order="left")
    raw = contacts.select(
        source_record_id=pl.col("contactid").cast(pl.String),
        name="contact_person_name",
        phone="contact_no",
        email="contact_person_email",
        designation="designation",
        company="customer_name",
        owner="added_by",
        is_active=pl.lit(value=True),
    )
    records = (
        clean(raw.cast(RAW), "IN")
        .with_columns(record=contacts["contactid"], contact_id=pl.lit(None, dtype=pl.Int64))
        .filter(pl.col("reject_reasons").is_null())
    )
    truth = pl.concat([batch.truth for batch in batches]).select(record="contactid", person="personid")
    return records, truth.join(records, on="record", how="semi")


def test_a_sample_is_matched_well(sample: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    records, truth = sample
    score = pairwise(match_records(records).clusters, truth)
    assert score.precision >= 0.995
    assert score.f1 >= 0.97


def test_what_was_matched_stays_matched(
    sample: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    """A second run over the contacts that the first has made splits none and joins next to none."""
    records, _ = sample
    first = match_records(records)
    known = records.drop("contact_id").join(
        first.clusters.select("record", contact_id="cluster"), on="record", how="left", maintain_order="left"
    )
    again = match_records(known)
    assert set(first.clusters.select("record", "cluster").iter_rows()) <= set(
        again.clusters.select("record", "cluster").iter_rows()
    )
    assert len(again.clusters) - len(first.clusters) <= len(first.clusters) // 1000
