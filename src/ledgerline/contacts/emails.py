"""E-mail addresses: which texts are one, which of several is the best, and which belong to a function.

email-validator decides what an address is. A conservative regular expression stands in front of it
for speed: whatever it accepts the library accepts too, with the same normal form.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import polars as pl
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES, EMAIL_MAX_LENGTH

from ledgerline.contacts.model import VALUE_SEPARATOR, Reason
from ledgerline.contacts.texts import (
    PLACEHOLDER,
    READ_LIMIT,
    by_distinct,
    fold,
    folds_to,
    join_reasons,
    says_nothing,
    stitch,
    tidy,
)

_SCHEMA: Final = pl.Schema({"email": pl.String, "further_emails": pl.String, "email_reasons": pl.String})

# No double hyphen (it may be punycode) and no digit in the last label: such domains go to the library.
_DOMAIN: Final = "(?:[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*[.])+[a-zA-Z]{2,}"
_ATOM: Final = "[a-zA-Z0-9_!#$%&'*+/=?^`{|}~-]+"
_PLAIN_LENGTH: Final = 64  # characters: within it no part of an address can be too long
_PLAIN: Final = re.compile(rf"({_ATOM}(?:[.]{_ATOM})*)@({_DOMAIN})")
_SPECIAL_USE: Final = f"[@.](?:{'|'.join(map(re.escape, SPECIAL_USE_DOMAIN_NAMES))})$"
_IS_SPECIAL_USE: Final = re.compile(_SPECIAL_USE, re.IGNORECASE)
_LOWER_CASE_MAILBOXES: Final = frozenset(CASE_INSENSITIVE_MAILBOX_NAMES)

# What people type into a mandatory field, beside the placeholders of all fields …
_NO_ADDRESS: Final = "no|noe?mail(?:id|address)?|noid|nomailid|abc[a-z]?|xyz|donthave|nothaving"
_IS_NO_ADDRESS: Final = re.compile(_NO_ADDRESS)
# … and well-formed addresses that are nobody's: these before any domain,
_NOBODY_ANYWHERE: Final = (
    "no[._-]?(?:e[._-]?)?mail(?:[._-]?(?:id|address))?|no[._-]?id|not?[._-]?available|not[._-]?applicable"
    "|dummy|x{2,}|xyz|asdf[a-z]*|qwerty[a-z]*|nobody"
)
# these twice, as in 'abc@abc.com' (Polars' regular expressions cannot refer back: each is spelled out),
_TWICE: Final = (
    "123 1234 12345 a aa aaa abc abcd abcde asd asdf b c demo dummy email example fake mail me n na name "
    "nil no noemail nomail none null qwerty sample temp test unknown user username x xyz you"
)
# and these before the domain of a free mail service or of nobody.
_NOBODY_AT_FREE_MAIL: Final = (
    "a|aa+|abc[a-z]?|na|n[.]a|nil|none|no|null|test[0-9]*|testing|demo|sample|example|user|username|email|mail|name"
    "|temp|fake|unknown|123+(?:4(?:56*)?)?|0+|1+"
)
_FREE_MAIL: Final = (
    "gmail|yahoo|ymail|hotmail|outlook|live|msn|rediffmail|rediff|aol|icloud|mail|email|test|abc|xyz|domain"
)
_TWICE_EACH: Final = "|".join(f"{word}@{word}" for word in _TWICE.split())
_PLACEHOLDER: Final = (
    f"^(?:(?:{_NOBODY_ANYWHERE})@|[^@]*@(?:no-?e?-?mail|notavailable|dummy|nodomain|fake)[.]"
    f"|(?:{_TWICE_EACH})[.]|(?:{_NOBODY_AT_FREE_MAIL})@(?:{_FREE_MAIL})[.])"
)
_IS_PLACEHOLDER: Final = re.compile(_PLACEHOLDER)

# Mailboxes of a function, not of a person. Short words are read only between separators ('hr.delhi'),
# the longer ones also joined ('salesteam').
_ROLES: Final = (
    "accountant accounting accounts? accountspayable accountsreceivable admin administration administrator "
    "advertise advertising alerts billing booking bookings business careers? cashier collections? "
    "commercial communications? complaints? compliance connect contact contactus contracts corp corporate "
    "customer customercare customerservice customersupport delivery despatch dispatch docs documents "
    "donotreply ecommerce editor electrical email engineering enquire enquiries enquiry estimation events "
    "export exports facilities factory feedback finance frontdesk frontoffice general hello help helpdesk "
    "hostmaster import imports inbound info information infra inquiries inquiry inventory invoices? "
    "invoicing jobs legal logistics mailbox mailer maintenance management manager marketing media "
    "membership newsletter noreply notifications? office operation operations orders? payables? payments? "
    "payroll planning postmaster press procurement production projects? purchases? purchasing quality "
    "quotations? quotes? receivables? reception recruiters? recruiting recruitment registrar reservations? "
    "resume root sales? secretary security service services shipping shop site stores? suppliers? "
    "supplychain support taxation team technical tenders? ticketing tickets trading training transport "
    "travels? treasury vendors? warehouse webmaster welcome works workshop"
)
_SHORT_ROLES: Final = (
    "abuse bd care ceo cfo cmd crm cs desk edp erp exim gm gst hq hr hrd it mail md mis noc ops po ppc pr "
    "qa qc rd scm tax tpa vat web"
)
# What may follow a role: units and places.
_UNITS_AND_PLACES: Final = (
    "ahmedabad amritsar asia aurangabad bangalore baroda bengaluru bharat bhopal bhubaneswar branch "
    "calcutta canada center central centre chandigarh chennai china cochin coimbatore corporate dehradun "
    "delhi department dept division domestic dubai east eastern europe faridabad ghaziabad global group "
    "gujarat gurgaon gurugram guwahati head headoffice hyderabad india indore international jaipur jodhpur "
    "kanpur karnataka kerala kochi kolkata local london lucknow ludhiana madras madurai maharashtra main "
    "mangalore middleeast mumbai mysore nagpur nashik national newdelhi nigeria noida north northern online "
    "patna payable plant pune punjab raipur rajkot ranchi receivable region regional retail salem singapore "
    "south southern surat tamilnadu telangana thane trichy trivandrum udaipur unit vadodara vapi varanasi "
    "vizag west western wholesale world worldwide zone"
)


def _either(*words: str) -> str:
    return f"(?:{'|'.join(' '.join(words).split())})"


_ROLE_MAILBOX: Final = (
    f"^(?:the|my|our|no|do[._-]?not)?[._-]?{_either(_ROLES, _SHORT_ROLES, 'reply')}"
    f"(?:[._+-]+(?:{_either(_ROLES, _SHORT_ROLES, _UNITS_AND_PLACES)}|[a-z]{{1,2}})"
    f"|{_either(_ROLES, _UNITS_AND_PLACES)}|[._+-]?[0-9])*[._+-]*@"
)
_IS_ROLE_MAILBOX: Final = re.compile(_ROLE_MAILBOX)

# An '&' behind a domain ends the address; before the '@' it belongs to it ('r&d@').
_AMPERSAND_AFTER_ADDRESS: Final = re.compile(r"(@[^@&\s,;|/<>]*[\s,;|/<>]*)&")
_DISPLAY_NAME: Final = re.compile(r'(?:^|(?<=[,;|/>]))\s*(?:"[^"]*"\s*|[^<>,;|/@"]+)(?=<[^<>]*@)')
_SCHEME: Final = re.compile(r"\b(?:mailto|e-?mail)\s*:", re.IGNORECASE)
_QUERY: Final = re.compile(r"(@[^\s?@]*)[?]\S*")  # of a mailto link
_SEPARATORS: Final = re.compile(r"[\s,;|/<>]+")
_LEADING: Final = "\"'`()[]:“”‘’«»"
_TRAILING: Final = f"{_LEADING}.,"
_CONNECTIVES: Final = frozenset({"or", "and", "&", "-"})

# Columnar: what stands in nearly every field, less than `_PLAIN` accepts.
_COMMON: Final = f"[a-z0-9_+-]+(?:[.][a-z0-9_+-]+)*@{_DOMAIN.replace('A-Z', '')}"
_ASCII: Final = r"^[\t-\r -~]*$"
_LEADING_SCHEME: Final = r"^[\t-\r ]*(?:mailto|e-?mail)[\t-\r ]*:"
_WORD_ALONE: Final = r"^[A-Za-z0-9][A-Za-z0-9._()-]*[A-Za-z0-9]$"


class CleanEmails(NamedTuple):
    """The valid addresses of a field, the best one first, and why others were not taken."""

    email: str | None = None
    further: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()


def normalise_email(text: str) -> str | None:
    """The normal form of one address, None when it is not valid; case is kept before the '@'.

    The same as `email_validator.validate_email(text, strict=True, check_deliverability=False)`.
    """
    if len(text) > EMAIL_MAX_LENGTH or "@" not in text:
        return None
    plain = _PLAIN.fullmatch(text) if len(text) <= _PLAIN_LENGTH else None
    if plain and not _IS_SPECIAL_USE.search(text):
        mailbox, domain = plain.groups()
        lower = mailbox.lower()
        return f"{lower if lower in _LOWER_CASE_MAILBOXES else mailbox}@{domain.lower()}"
    try:
        return str(validate_email(text, strict=True, check_deliverability=False).normalized)
    except EmailNotValidError:
        return None


def clean_emails(raw: str | None) -> CleanEmails:
    """The addresses in a field, in lower case and each once; personal ones before those of a role.

    Addresses stand apart by blanks, `,` `;` `|` `/`, 'or', 'and' or '&'. A display name, 'mailto:' and
    quotes around an address are dropped. Nothing is guessed: 'ravi (at) gmail.com' is invalid.
    """
    text = (raw or "").strip()
    if not text:
        return CleanEmails()
    if len(text) > READ_LIMIT:
        return CleanEmails(reasons=(Reason.EMAIL_TOO_LONG,))
    text = tidy(text)
    if _is_no_address(text):
        return CleanEmails(reasons=(Reason.EMAIL_PLACEHOLDER,) if text else ())
    verdicts = [_judge(piece) for piece in _split(text)] or [Reason.EMAIL_INVALID]
    addresses = dict.fromkeys(verdict for verdict in verdicts if not isinstance(verdict, Reason))
    ordered = sorted(addresses, key=is_role_mailbox)
    reasons = dict.fromkeys(verdict for verdict in verdicts if isinstance(verdict, Reason))
    return CleanEmails(ordered[0] if ordered else None, tuple(ordered[1:]), tuple(reasons))


def clean_email_column(values: pl.Series) -> pl.DataFrame:
    """`clean_emails` of each row: `email`, `further_emails` and `email_reasons` (joined, or null)."""
    is_plain = values.to_frame("raw").select(_is_address(pl.col("raw"))).to_series().fill_null(value=True)
    null = pl.lit(None, dtype=pl.String)
    unchanged = (
        values.filter(is_plain).to_frame("email").with_columns(further_emails=null, email_reasons=null)
    )
    return stitch(unchanged, _clean_rest(values.filter(~is_plain)), is_plain)


def is_role_mailbox(email: str) -> bool:
    """Does `email`, in lower case, belong to a function ('info@', 'sales1@', 'accounts-mumbai@')?

    It does when its first word is a role and each further one is a role, a unit, a place, a number or at
    most two letters. Any other word may be a person's: 'sales.rahul@' is not a role mailbox.
    """
    return _IS_ROLE_MAILBOX.match(email) is not None


def role_mailbox(email: pl.Expr) -> pl.Expr:
    """`is_role_mailbox` in columns; null stays null."""
    return email.str.contains(_ROLE_MAILBOX)


def _split(text: str) -> list[str]:
    if "<" in text:
        text = _DISPLAY_NAME.sub(" ", text)
    if ":" in text:
        text = _QUERY.sub(r"\1 ", _SCHEME.sub(" ", text))
    if "&" in text:
        text = _AMPERSAND_AFTER_ADDRESS.sub(r"\1 ", text)
    bare = (piece.lstrip(_LEADING).rstrip(_TRAILING) for piece in _SEPARATORS.split(text))
    return [piece for piece in bare if piece and piece.lower() not in _CONNECTIVES]


def _judge(piece: str) -> str | Reason:
    """The address in lower case, or why there is none."""
    if _is_no_address(piece):
        return Reason.EMAIL_PLACEHOLDER
    address = normalise_email(piece)
    lower = tidy(address.lower()) if address else ""
    if normalise_email(lower) != lower:  # other letters than ASCII can lose their normal form in lower case
        return Reason.EMAIL_INVALID
    return Reason.EMAIL_PLACEHOLDER if _IS_PLACEHOLDER.match(lower) else lower


def _is_no_address(text: str) -> bool:
    return "@" not in text and (says_nothing(text) or _IS_NO_ADDRESS.fullmatch(fold(text)) is not None)


def _is_address(text: pl.Expr) -> pl.Expr:
    """Rows with one valid address in lower case and nothing else."""
    return (
        text.str.contains(f"^{_COMMON}$")
        & (text.str.len_bytes() <= _PLAIN_LENGTH)
        & ~text.str.contains(f"{_SPECIAL_USE}|{_PLACEHOLDER}")
    )


def _clean_rest(values: pl.Series) -> pl.DataFrame:
    """Upper case, blanks, two addresses and what is clearly none in columns, all else by `clean_emails`."""
    raw, first, second = pl.col("raw"), pl.col("field_0"), pl.col("field_1")
    swap = role_mailbox(first) & ~role_mailbox(second)
    is_good = (_is_address(first) & _is_address(second).fill_null(value=True)).fill_null(value=False)
    text = raw.str.to_lowercase().str.replace(_LEADING_SCHEME, "")
    text = text.str.replace_all(r"[\t-\r ,;|/]+", " ").str.strip_chars(" ")
    frame = (
        values.to_frame("raw")
        .with_columns(text.str.splitn(" ", 2).alias("parts"), is_none=_is_surely_invalid(raw))
        .unnest("parts")
        .with_columns(first.str.strip_chars_end("."), second.str.strip_chars_end("."))
        .select(
            pl.when("is_none").then(None).when(swap).then(second).otherwise(first).alias("email"),
            pl.when("is_none")
            .then(None)
            .when(swap)
            .then(first)
            .when(first != second)
            .then(second)
            .alias("further_emails"),
            pl.when("is_none").then(pl.lit(Reason.EMAIL_INVALID.value)).alias("email_reasons"),
            (
                (is_good | pl.col("is_none")) & raw.str.contains(_ASCII) & (raw.str.len_bytes() <= READ_LIMIT)
            ).alias("is_settled"),
        )
    )
    is_settled = frame["is_settled"]
    settled = frame.filter(is_settled).select(_SCHEMA.names())
    return stitch(settled, by_distinct(values.filter(~is_settled), _clean_to_row, _SCHEMA), is_settled)


def _is_surely_invalid(text: pl.Expr) -> pl.Expr:
    """One word without an '@' that does not say that there is no address: of the rest nothing is said."""
    says_none = folds_to(text, f"{PLACEHOLDER}|{_NO_ADDRESS}")
    return text.str.contains(_WORD_ALONE) & ~says_none


def _clean_to_row(raw: str | None) -> tuple[str | None, str | None, str | None]:
    email, further, reasons = clean_emails(raw)
    return email, VALUE_SEPARATOR.join(further) or None, join_reasons(reasons)
