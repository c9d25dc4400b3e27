"""What a row holds as `contact_person_email`."""

from __future__ import annotations

import numpy as np
import polars as pl

from ledgerline.sources.sample import words
from ledgerline.sources.sample.chance import Ints, choice_of, edges_of
from ledgerline.sources.sample.columns import edited, either, optional, spread, together
from ledgerline.sources.sample.lexicon import known_names
from ledgerline.sources.sample.people import (
    FIRST_ONLY,
    JUNK,
    MAIL_SEPARATORS,
    OTHER_ROLE,
    PERSONAL,
    ROLE,
    WORK,
    Rows,
)
from ledgerline.sources.sample.phones import with_low_digit


def email_column(rows: Rows) -> pl.Series:
    dice, key, shown = rows.dice, rows.key, rows.fields.mail
    separators = choice_of("40 , |20 ; |14 ;|14 ,|8  / |4 \n|3  ")
    email = pl.Series([""]).new_from_index(0, len(key))
    before = np.zeros(len(key), dtype=np.bool_)
    for kind in (PERSONAL, WORK, ROLE, OTHER_ROLE):
        chosen = (shown & kind) > 0
        address = spread(_address(rows.only(chosen), kind), chosen)
        slipped = chosen & ~before & (rows.fields.mail_slip > 0)
        address = edited(address, slipped, with_low_digit(dice, key, rows.fields.mail_slip), _mail_slip)
        email = together(email, optional(dice.text("mails", key, separators), chosen & before), address)
        before |= chosen
    email = together(
        optional(
            dice.text("mail lead", key, choice_of(words.MAIL_LEADS)),
            before & dice.hits("mail led", key, 0.015),
        ),
        email,
        optional(
            dice.text("mail tail", key, choice_of(words.MAIL_TAILS)),
            before & dice.hits("mail tailed", key, 0.02),
        ),
    )
    email = either((shown & JUNK) > 0, dice.text("mail junk", key, choice_of(words.MAIL_JUNK)), email)
    empty = either(dice.hits("null mail", key, 0.6), None, dice.text("empty mail", key, choice_of("4 |1  ")))
    return either(shown == 0, empty, email)


def _address(rows: Rows, kind: int) -> pl.Series:
    world, dice, key = rows.world, rows.dice, rows.key
    if kind == PERSONAL:
        owner = world.personal_owner(rows.person)
        provider = dice.text("provider", owner, choice_of(words.MAIL_PROVIDERS))
        return _own_address(rows, owner, np.zeros_like(owner), provider)
    if kind == WORK:
        owner = world.work_owner(rows.person, rows.fields.job)
        return _own_address(rows, owner, 1 + rows.fields.job, world.companies.domain(rows.company))
    role = dice.text(f"role {kind}", key, choice_of(words.ROLE_MAILBOXES))
    shared = together(world.companies.label(rows.company), "@post.example")
    of_company = together(role, "@", world.companies.domain(rows.company))
    return either(world.companies.has_domain(rows.company), of_company, shared)


def _own_address(rows: Rows, owner: Ints, which: Ints, domain: pl.Series) -> pl.Series:
    """Somebody's own mailbox, as it was typed: lower case, Like This, or UPPER."""
    names, key = known_names(), rows.key
    first, separator, second, _ = rows.world.mailbox(owner, which)
    number = rows.world.mailbox_number(owner, which)
    case = rows.dice.index("mail case", key, edges_of([93, 4, 3]))
    shift = case * (len(names.mails) // 3)
    address = together(
        names.mails.gather(first + shift),
        pl.Series(MAIL_SEPARATORS).gather(separator),
        optional(names.mails.gather(second + shift), separator != FIRST_ONLY),
        optional(pl.Series(number), number >= 0),
        "@",
        domain,
    )
    return either(case == 2, address.str.to_uppercase(), address)


def _mail_slip(address: str, chance: int) -> str:
    local, _, domain = address.partition("@")
    at = 1 + chance // 10 % (len(domain.partition(".")[0]) - 1)
    slips = (
        f"{local}@{domain[: at - 1]}{domain[at]}{domain[at - 1]}{domain[at + 1 :]}",
        f"{local}@{domain[:at]}{domain[at - 1 :]}",
        f"{local}@{domain[: at - 1]}{domain[at:]}",
        f"{local}{domain}",
        f"{local}(at){domain}" if chance % 20 < 10 else f"{local}@@{domain}",
        f"{local}@{domain}".replace(".", " ", 1) if "." in local else f"{local} @{domain}",
    )
    return slips[chance % 10 - 1]
