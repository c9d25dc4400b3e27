"""The company a contact stands for, and the part the contact has in it: designation and relationship."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import polars as pl

from ledgerline.contacts.model import Reason, Relationship
from ledgerline.contacts.texts import (
    LETTERS,
    PLACEHOLDER,
    READ_LIMIT,
    TIDY,
    by_distinct,
    change_case,
    decode_ascii,
    decode_ascii_column,
    fold,
    folds_to,
    join_reasons,
    read_text,
    says_nothing,
    stitch,
    tidied_column,
)

COMPANY_LIMIT: Final = 300  # characters
DESIGNATION_LIMIT: Final = 200

_COMPANY: Final = pl.Schema({"company_name": pl.String, "company_reasons": pl.String})
_DESIGNATION: Final = pl.Schema(
    {"designation": pl.String, "relationship_type": pl.String, "designation_reasons": pl.String}
)

# Placeholders beside those of all fields.
_NO_COMPANY: Final = "company|companyname|nocompany|noname|self"
_NO_DESIGNATION: Final = "designation|nodesignation|title|jobtitle"
_IS_NO_COMPANY: Final = re.compile(_NO_COMPANY)
_IS_NO_DESIGNATION: Final = re.compile(_NO_DESIGNATION)

# The key of a company. Each pattern means the same to Python and to Polars, on lower-case ASCII.
_MESSRS: Final = r"^ *(?:m ?/ ?s|messrs)[.:, ]+"
_DOTTED_LETTER: Final = r"\b([a-z])\."  # 'l.l.p.' becomes 'llp'
_BETWEEN_WORDS: Final = r"(?:[^0-9a-z]+|\band\b)+"
_ARTICLE: Final = "^the "
_LEGAL_FORMS: Final = (
    "ab|ag|aps|as|bhd|bv|co|company|corp|corporation|doo|fzc|fzco|fze|gmbh|huf|inc|incorporated|kft|kg|kk"
    "|limited|llc|llp|lp|ltd|ltda|mbh|nv|opc|oy|oyj|p limited|p ltd|plc|private|pte|pty|pvt|pvtltd|sa|sarl"
    "|sas|sdn|se|sl|spa|srl|sro|wll|zrt"
)
_LEGAL_ENDING: Final = f"(?: (?:{_LEGAL_FORMS}))+$"  # never the first word: 'Company Ltd' is 'company'

# Columnar. The legal ending as most write it, and what may be left of a name whose key is more than that.
_USUAL_ENDING: Final = rf"(?:(?:[.,]| &)? (?:{_LEGAL_FORMS}|(?:\(p\)|p[.]) (?:limited|ltd)))+[.]?$"
_IS_INTRICATE: Final = r"[^0-9a-z ]|^ |  | $|^$| p$|^(?:the|messrs)(?-u:\b)|(?-u:\b)and(?-u:\b)"

# Written in capitals also when a designation changes its case.
_ABBREVIATION: Final = re.compile(
    "agm|avp|bdm|ca|cao|cdo|ceo|cfo|chro|cio|ciso|cmd|cmo|coo|cpo|cs|cso|cto|cxo|dgm|dvp|ea|erp|evp|gm|hod|hr|hrd"
    "|it|jgm|jmd|md|mis|pa|pmo|po|ppc|pr|qa|qc|rd|rm|scm|sgm|svp|uk|us|vp"
)
_SMALL_WORD: Final = re.compile("and|at|by|cum|for|from|in|of|on|or|the|to|with")
_SHORT_DESIGNATION: Final = 4  # letters; up to here a designation is taken for an abbreviation

_IS_VENDOR: Final = re.compile(r"\b(?:vendor|supplier)s?\b", re.IGNORECASE)
_IS_PROSPECT: Final = re.compile(r"\bprospects?\b", re.IGNORECASE)
_LEAD: Final = re.compile(r"\bleads?\b", re.IGNORECASE)
# 'Lead' in a job title: behind the function that is led, or before the profession.
_FUNCTIONS: Final = (
    "account|accounts|ai|analytics|android|application|architecture|area|assistant|associate|automation|backend|brand"
    "|category|change|client|cloud|cluster|commercial|communications|community|compliance|content|country|creative"
    "|customer|data|delivery|deputy|design|development|devops|digital|dispatch|ecommerce|engagement|engineering"
    "|finance|frontend|function|functional|global|group|growth|hr|implementation|infrastructure|innovation"
    "|integration|ios|it|legal|logistics|maintenance|manufacturing|mobile|module|network|operation|operations|ops"
    "|people|plant|platform|practice|pre|presales|process|procurement|product|production|program|programme|project"
    "|purchase|purchasing|qa|quality|r&d|recruitment|region|regional|research|risk|safety|security|senior|service"
    "|shift|site|software|solution|solutions|sourcing|squad|sr|strategy|support|system|systems|tax|team|tech"
    "|technical|technology|test|testing|training|treasury|tribe|ui|unit|ux|warehouse|workstream|zonal"
)
_PROFESSIONS: Final = (
    "accountant|administrator|advisor|analyst|architect|artist|associate|attorney|auditor|buyer|clerk|consultant"
    "|coordinator|counsel|designer|developer|editor|electrician|engineer|engineering|executive|expert"
    "|inspector|instructor|manager|mechanic|officer|operator|organi[sz]er|partner|planner|programmer|recruiter"
    "|researcher|scientist|specialist|supervisor|technician|technologist|tester|trainer|writer"
)
_IS_JOB: Final = re.compile(
    rf"\b(?:{_FUNCTIONS})[.\s/&-]*\bleads?\b|\blead[\s/-]+(?:[^\W\d_]+\s+)?(?:{_PROFESSIONS})s?\b",
    re.IGNORECASE,
)


class CleanCompany(NamedTuple):
    company_name: str | None
    reasons: tuple[Reason, ...] = ()


class CleanDesignation(NamedTuple):
    designation: str | None
    reasons: tuple[Reason, ...] = ()


def clean_company(raw: str | None) -> CleanCompany:
    """The company in `raw`; its case is never changed, as it may be an acronym."""
    text, repaired, too_long = read_text(raw, COMPANY_LIMIT)
    if too_long:
        return CleanCompany(None, (Reason.COMPANY_TOO_LONG,))
    if not text:
        return CleanCompany(None)
    if says_nothing(text) or _IS_NO_COMPANY.fullmatch(fold(text)):
        return CleanCompany(None, (Reason.COMPANY_PLACEHOLDER,))
    return CleanCompany(text, (Reason.TEXT_REPAIRED,) if repaired else ())


def clean_company_column(values: pl.Series) -> pl.DataFrame:
    """`clean_company` of each row: `company_name`, `company_reasons` (joined, or null)."""
    frame = values.to_frame("company_name").with_columns(
        _is_plain_company(pl.col("company_name")).alias("is_plain"),
        pl.lit(None, dtype=pl.String).alias("company_reasons"),
    )
    plain = frame["is_plain"]
    rest = _clean_other_companies(values.filter(~plain))
    return stitch(frame.filter(plain).select(_COMPANY.names()), rest, plain)


def _is_plain_company(text: pl.Expr) -> pl.Expr:
    """Rows that `clean_company` leaves as they are."""
    is_plain = (
        text.str.contains(TIDY)
        & (text.str.len_bytes() <= COMPANY_LIMIT)
        & ~folds_to(text, f"{PLACEHOLDER}|{_NO_COMPANY}")
    )
    return is_plain.fill_null(value=True)


def _clean_other_companies(values: pl.Series) -> pl.DataFrame:
    """Odd blanks in columns, all else by `clean_company`."""
    name = pl.col("company_name")
    frame = (
        values.to_frame("raw")
        .with_columns(tidied_column(pl.col("raw")).alias("company_name"))
        .with_columns(
            is_settled=_is_plain_company(name) & (pl.col("raw").str.len_bytes() <= READ_LIMIT),
            company_reasons=pl.lit(None, dtype=pl.String),
        )
    )
    is_settled = frame["is_settled"]
    settled = frame.filter(is_settled).select(_COMPANY.names())
    rest = by_distinct(values.filter(~is_settled), _clean_company_to_row, _COMPANY)
    return stitch(settled, rest, is_settled)


def match_company(name: str) -> str:
    """Key to match a clean company by: ASCII words without 'M/s', 'the', 'and' and legal form."""
    text = re.sub(_MESSRS, "", decode_ascii(name).casefold()).replace("'", "")
    words = re.sub(_BETWEEN_WORDS, " ", re.sub(_DOTTED_LETTER, r"\1", text)).strip()
    return re.sub(_LEGAL_ENDING, "", re.sub(_ARTICLE, "", words))


def match_company_column(names: pl.Series) -> pl.Series:
    """`match_company` of each row; null stays null."""
    key = names.str.to_lowercase().str.replace(_USUAL_ENDING, "").rename("match_company")
    is_settled = ~key.str.contains(_IS_INTRICATE).fill_null(value=False)
    rest = _match_intricate(names.filter(~is_settled))
    return stitch(key.filter(is_settled).to_frame(), rest, is_settled).to_series()


def _match_intricate(names: pl.Series) -> pl.DataFrame:
    text = pl.col("text").str.to_lowercase().str.replace(_MESSRS, "").str.replace_all("'", "", literal=True)
    words = text.str.replace_all(_DOTTED_LETTER, "${1}").str.replace_all(_BETWEEN_WORDS, " ")
    key = words.str.strip_chars(" ").str.replace(_ARTICLE, "").str.replace(_LEGAL_ENDING, "")
    return decode_ascii_column(names).to_frame("text").select(key.alias("match_company"))


def clean_designation(raw: str | None) -> CleanDesignation:
    """The designation in `raw`; in title case if it was in one case and is longer than an abbreviation."""
    text, repaired, too_long = read_text(raw, DESIGNATION_LIMIT)
    if too_long:
        return CleanDesignation(None, (Reason.DESIGNATION_TOO_LONG,))
    if not text:
        return CleanDesignation(None)
    if says_nothing(text) or _IS_NO_DESIGNATION.fullmatch(fold(text)):
        return CleanDesignation(None, (Reason.DESIGNATION_PLACEHOLDER,))
    return CleanDesignation(_case_designation(text), (Reason.TEXT_REPAIRED,) if repaired else ())


def clean_designation_column(values: pl.Series) -> pl.DataFrame:
    """`clean_designation` and `relationship` of each row; designations are few, so each is read once."""
    return by_distinct(values, _clean_designation_to_row, _DESIGNATION)


def relationship(designation: str | None) -> Relationship:
    """What the contact is to us, by the words of the clean designation, in any case.

    'vendor(s)' or 'supplier(s)' anywhere: VENDOR. 'prospect(s)' anywhere: LEAD. 'lead(s)': LEAD, unless it
    belongs to a job title, which is when a function that can be led stands directly before it ('Team Lead',
    'Tech. Lead', 'QA-Lead') or a profession behind it, with at most one word between ('Lead Engineer',
    'Lead Civil Engineer'). 'Sales Lead' and 'Marketing Lead' say what we call a lead. All others: CLIENT.
    """
    text = (designation or "").replace("_", " ")
    if _IS_VENDOR.search(text):
        return Relationship.VENDOR
    if _IS_PROSPECT.search(text) or _LEAD.search(_IS_JOB.sub(" ", text)):
        return Relationship.LEAD
    return Relationship.CLIENT


def _case_designation(text: str) -> str:
    if sum(map(str.isalpha, text)) <= _SHORT_DESIGNATION:
        return text
    return change_case(text, lambda lower: LETTERS.sub(_case_letters, lower))


def _case_letters(match: re.Match[str]) -> str:
    letters = match[0]
    if _ABBREVIATION.fullmatch(letters):
        return letters.upper()
    return letters if _SMALL_WORD.fullmatch(letters) and match.start() > 0 else letters.capitalize()


def _clean_company_to_row(raw: str | None) -> tuple[str | None, str | None]:
    name, reasons = clean_company(raw)
    return name, join_reasons(reasons)


def _clean_designation_to_row(raw: str | None) -> tuple[str | None, str, str | None]:
    designation, reasons = clean_designation(raw)
    return designation, relationship(designation), join_reasons(reasons)
