"""People, which row is whose, and what each row shows of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ledgerline.sources.sample import words
from ledgerline.sources.sample.chance import Bools, Dice, Ints, choice_of, duplicate_ranks, edges_of, mixed
from ledgerline.sources.sample.companies import Companies
from ledgerline.sources.sample.lexicon import NAME_SLOTS, known_names
from ledgerline.sources.sample.places import PLACE_SLOTS, known_places, phone_number, scattered

_NOBODY_SHARE = 0.012
_ROWS_A_PERSON = edges_of([0.79, 0.13, 0.05, 0.018, 0.008, 0.004])
_MOST_ROWS = 6

# What neighbours (persons 2n and 2n + 1) share: ranges of a number that each pair throws.
_RELATIVES_MOBILE, _RELATIVES_MAILBOX = (0.0, 0.006), (0.006, 0.014)
_COLLEAGUES_MOBILE, _COLLEAGUES_MAILBOX = (0.014, 0.020), (0.020, 0.028)
_SAME_COMPANY = (0.003, 0.028)

# What a contact_no field shows, and what a contact_person_email field shows (bits; weights in per cent).
MOBILE, SECOND_MOBILE, DESK, AGAIN, JUNK, INVALID = 1, 2, 4, 8, 16, 32
_PHONE_FIELDS = {
    MOBILE: 56.5, SECOND_MOBILE: 4, DESK: 8, MOBILE | SECOND_MOBILE: 8, MOBILE | DESK: 8,
    MOBILE | AGAIN: 2, MOBILE | SECOND_MOBILE | DESK: 1.5, JUNK: 4, INVALID: 1.5, 0: 8.5,
}  # fmt: skip
PERSONAL, WORK, ROLE, OTHER_ROLE = 1, 2, 4, 8
_MAIL_FIELDS = {
    PERSONAL: 24, WORK: 28, PERSONAL | WORK: 11, WORK | ROLE: 7.5, ROLE: 7.5, ROLE | OTHER_ROLE: 2,
    JUNK: 4, 0: 16,
}  # fmt: skip

# Slips of a number: a wrong digit, one missing, one too many, a letter, what a spreadsheet made of it,
# and a foreign number without its country. Slips of an address: see `_mail_slip`.
_NO_SLIP, WITHOUT_COUNTRY, SLIPS = 0, 6, 5

# What two rows can have in common that tells (bits): mobile, second mobile, personal mailbox, mailbox at
# the first and at the second job.
_LINK_MOBILE, _LINK_SECOND, _LINK_PERSONAL, _LINK_WORK = 1, 2, 4, 8
_ALL_LINKS = 31

MAIL_SEPARATORS, FIRST_ONLY = ("", ".", "_", ""), 3  # of a mailbox's first and second part
# Of the rows that chance left without a link, those that stay so: at the same job, and at another one.
_STRANGERS = np.asarray([0.125, 0.03])


class Fields(NamedTuple):
    """What some rows show; arrays by row."""

    job: Ints  # 0, or 1 after a change
    phone: Ints
    phone_slip: Ints
    mail: Ints
    mail_slip: Ints

    def links(self) -> Ints:
        phone = np.where(self.phone_slip == _NO_SLIP, self.phone & 3, 0)
        personal = np.where(self.mail & PERSONAL, _LINK_PERSONAL, 0)
        work = np.where(self.mail & WORK, _LINK_WORK << self.job, 0)
        mail = np.where(self.mail_slip == _NO_SLIP, personal | work, 0)
        return np.bitwise_or(phone, mail)


class World:
    """Everybody, in a few numbers each; all else derives from a person's number."""

    def __init__(self, rows: int, seed: int) -> None:
        self.rows = rows
        self.dice = Dice(seed)
        self.companies = Companies(rows, self.dice)
        self.sizes = self._sizes(rows)
        self.people = len(self.sizes)
        self.person, self.ordinal = self._seating()
        self.repair = self._repairs()
        self._suffixes = self._mailbox_suffixes()

    def _sizes(self, rows: int) -> NDArray[np.uint8]:
        """Rows of each person; the nobodies come last."""
        nobodies = int(rows * _NOBODY_SHARE)
        keys = np.arange(rows - nobodies)
        sizes = 1 + self.dice.index("rows", keys, _ROWS_A_PERSON)
        ends = np.cumsum(sizes)
        people = int(np.searchsorted(ends, rows - nobodies)) + 1
        sizes = sizes[:people]
        sizes[-1] -= ends[people - 1] - (rows - nobodies)
        self.somebodies = people
        return np.concatenate([sizes, np.ones(nobodies, dtype=np.int64)]).astype(np.uint8)

    def _seating(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Who each row is, in a random order, and which of that person's rows it is."""
        seats = np.repeat(np.arange(self.people, dtype=np.int32), self.sizes)
        shuffled = np.argsort(self.dice.roll("seat", np.arange(self.rows)), kind="stable")
        person = seats[shuffled]
        starts = np.cumsum(self.sizes, dtype=np.int64) - self.sizes
        ordinal = np.empty(self.rows, dtype=np.uint8)
        ordinal[np.argsort(person, kind="stable")] = np.arange(self.rows) - starts[seats]
        return person, ordinal

    def row_keys(self, person: Ints, ordinal: Ints) -> Ints:
        return person * 8 + ordinal

    # who they are

    def _leader(self, person: Ints, *ranges: tuple[float, float]) -> Ints:
        """The first of a pair of neighbours, for those whose relation is in one of the ranges."""
        relation = self.dice.unit("relation", person >> 1)
        related = np.logical_or.reduce([(relation >= low) & (relation < high) for low, high in ranges])
        return np.where(related, person & ~np.int64(1), person)

    def family(self, person: Ints) -> Ints:
        return self._leader(person, _RELATIVES_MOBILE, _RELATIVES_MAILBOX)

    def mobile_owner(self, person: Ints) -> Ints:
        owner = self._leader(person, _RELATIVES_MOBILE, _COLLEAGUES_MOBILE)
        recycled = self.dice.hits("recycled", person, 0.001)
        return np.where(recycled, self.dice.below("former owner", person, self.people), owner)

    def personal_owner(self, person: Ints) -> Ints:
        return self._leader(person, _RELATIVES_MAILBOX)

    def work_owner(self, person: Ints, job: Ints) -> Ints:
        return np.where(job == 0, self._leader(person, _COLLEAGUES_MAILBOX), person)

    def company(self, person: Ints, job: Ints) -> Ints:
        leader = np.where(job == 0, self._leader(person, _SAME_COMPANY), person)
        chance = self.dice.unit("company", leader * 2 + job)
        return (chance * chance * self.companies.count).astype(np.int64)

    def place(self, person: Ints) -> Ints:
        """Where somebody is from: mostly where the first company is."""
        abroad = self.dice.hits("elsewhere", self.family(person), 0.05)
        own = self.dice.index("home", self.family(person), known_places().edges)
        kin = self.family(person)
        return np.where(abroad, own, self.companies.place(self.company(kin, np.zeros_like(kin))))

    def culture(self, person: Ints) -> Ints:
        kin = self.family(person)
        return known_places().culture[self.place(person), self.dice.below("culture", kin, PLACE_SLOTS)]

    def given(self, person: Ints) -> Ints:
        """Relatives who share something have not the same name as well: nobody could tell them apart."""
        leader = self.family(person)
        slot = self.dice.below("given", person, NAME_SLOTS)
        given = known_names().given
        culture = self.culture(person)
        same = (leader != person) & (
            given[culture, slot] == given[culture, self.dice.below("given", leader, NAME_SLOTS)]
        )
        return given[culture, np.where(same, (slot + NAME_SLOTS // 2) % NAME_SLOTS, slot)]

    def middle(self, person: Ints) -> Ints:
        return known_names().given[
            self.culture(person), self.dice.below("middle", self.family(person), NAME_SLOTS)
        ]

    def surname(self, person: Ints) -> Ints:
        return known_names().surname[
            self.culture(person), self.dice.below("surname", self.family(person), NAME_SLOTS)
        ]

    def spelling(self, purpose: str, person: Ints, token: Ints) -> Ints:
        """How somebody spells a name: mostly in its first spelling."""
        unusual = self.dice.hits(purpose + " spelling", person, 0.3)
        which = self.dice.below(purpose + " which", person, known_names().counts[token])
        return known_names().main[token] + np.where(unusual, which, 0)

    def mobile(self, person: Ints, which: int) -> Ints:
        serial = (self.mobile_owner(person) if which == 0 else person) * 2 + which
        return phone_number(known_places().mobile, self.place(person), scattered(serial))

    # what their rows show

    def fields(self, person: Ints, ordinal: Ints) -> Fields:
        """What chance makes a row show, before `repair`."""
        dice, key = self.dice, self.row_keys(person, ordinal)
        job = self._job(person, ordinal)
        phone = np.asarray(list(_PHONE_FIELDS))[
            dice.index("phone", key, edges_of(list(_PHONE_FIELDS.values())))
        ]
        foreign = known_places().code[self.place(person)] != known_places().codes.index(words.INDIA_CODE)
        slip = np.where(
            dice.hits("phone slip", key, 0.03), 1 + dice.below("which slip", key, SLIPS), _NO_SLIP
        )
        slip = np.where(foreign & dice.hits("no country", key, 0.05), WITHOUT_COUNTRY, slip)
        mail = self._mail(person, job, key)
        mail_slip = np.where(
            dice.hits("mail slip", key, 0.03), 1 + dice.below("mail which", key, 6), _NO_SLIP
        )
        return Fields(job, phone, np.where(phone & 7, slip, _NO_SLIP), mail, mail_slip)

    def repaired(self, person: Ints, ordinal: Ints, repair: Ints) -> Fields:
        """What a row shows: the link of `repair` is there, without a slip."""
        fields = self.fields(person, ordinal)
        by_phone, by_mail = (repair & 3) > 0, repair > 3
        mail = np.where(repair == _LINK_PERSONAL, PERSONAL, WORK)
        phone = np.where(repair == _LINK_MOBILE, MOBILE, SECOND_MOBILE) | (fields.phone & DESK)
        return fields._replace(
            phone=np.where(by_phone, phone, fields.phone),
            phone_slip=np.where(by_phone, _NO_SLIP, fields.phone_slip),
            mail=np.where(by_mail, mail, fields.mail),
            mail_slip=np.where(by_mail, _NO_SLIP, fields.mail_slip),
        )

    def _job(self, person: Ints, ordinal: Ints) -> Ints:
        size = self.sizes[person].astype(np.int64)
        change = 1 + self.dice.below("change", person, np.maximum(size - 1, 1))
        return (self.dice.hits("mover", person, 0.14) & (size > 1) & (ordinal >= change)).astype(np.int64)

    def _mail(self, person: Ints, job: Ints, key: Ints) -> Ints:
        """A mailbox that somebody has not got gives way to one that is there."""
        wanted = np.asarray(list(_MAIL_FIELDS))[
            self.dice.index("mail", key, edges_of(list(_MAIL_FIELDS.values())))
        ]
        has_personal = self.dice.hits("has personal", self.personal_owner(person), 0.62)
        has_work = self.companies.has_domain(self.company(person, job))
        has_work &= self.dice.hits("has work", self.work_owner(person, job) * 2 + job, 0.85)
        wants_personal, wants_work = (wanted & PERSONAL) > 0, (wanted & WORK) > 0
        personal = has_personal & (wants_personal | (wants_work & ~has_work))
        work = has_work & (wants_work | (wants_personal & ~has_personal))
        nothing_left = (wants_personal | wants_work) & ~personal & ~work
        others = wanted & ~(PERSONAL | WORK) | np.where(
            nothing_left & self.dice.hits("role instead", key, 0.4), ROLE, 0
        )
        return others | np.where(personal, PERSONAL, 0) | np.where(work, WORK, 0)

    def _repairs(self) -> NDArray[np.uint8]:
        """By row: the link (one bit) that it must show, for most rows that chance left without any."""
        repair = np.zeros((self.people, _MOST_ROWS), dtype=np.uint8)
        seen = np.full(self.people, _ALL_LINKS)
        for ordinal in range(_MOST_ROWS):
            person = np.flatnonzero(self.sizes > max(ordinal, 1))
            order = np.full_like(person, ordinal)
            fields = self.fields(person, order)
            links, key = fields.links(), self.row_keys(person, order)
            alone = (links & seen[person]) == 0
            mended = alone & ~self.dice.hits("stranger", key, _STRANGERS[fields.job] * (ordinal > 0))
            possible = seen[person] & (7 | (_LINK_WORK << fields.job))
            link = self._one_of(possible, key) if ordinal else np.full_like(person, _LINK_MOBILE)
            repair[person, ordinal] = np.where(mended, link, 0)
            links = np.where(mended, links | link, links)
            seen[person] = links if ordinal == 0 else seen[person] | links
        return repair[self.person, self.ordinal]

    def _one_of(self, bits: Ints, key: Ints) -> Ints:
        """The lowest or the highest bit."""
        lowest = bits & -bits
        highest = np.asarray([0, *(1 << (n.bit_length() - 1) for n in range(1, 32))])[bits]
        return np.where(self.dice.hits("lowest link", key, 0.6), lowest, highest)

    # mailboxes

    def mailbox(self, person: Ints, which: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Index of the first part, of the separator and of the second part, and a number for the domain.

        `which`: 0 the personal one, 1 and 2 at the first and second job.
        """
        dice, names, personal = self.dice, known_names(), which == 0
        company = self.company(person, np.maximum(which - 1, 0))
        style = np.where(
            personal,
            dice.index("personal style", person, edges_of([40, 22, 8, 12, 10, 8])),
            dice.index("work style", company, edges_of([46, 6, 6, 24, 4, 14])),
        )
        given = self.spelling("given", person, self.given(person))
        surname = self.spelling("surname", person, self.surname(person))
        first = np.where(style == 3, names.initial[given], np.where(style == 4, surname, given))
        second = names.mail[np.where(style == 4, given, surname)]
        separator = np.asarray([1, 0, 2, 0, 1, FIRST_ONLY])[style]
        provider = dice.index("provider", person, choice_of(words.MAIL_PROVIDERS).edges)
        second = np.where(separator == FIRST_ONLY, 0, second)
        return names.mail[first], separator, second, np.where(personal, provider, company + 100)

    def mailbox_number(self, person: Ints, which: Ints) -> Ints:
        """What stands behind the name in a mailbox, so that no two people have the same; -1 for nothing."""
        rank = self._suffixes[np.where(which == 0, 0, which), person].astype(np.int64)
        plain = (rank == 0) & ((which > 0) | self.dice.hits("plain mailbox", person, 0.45))
        first, separator, second, domain = self.mailbox(person, which)
        offset = self.dice.below(
            "mailbox number", (first << 40) ^ (second << 20) ^ (domain << 2) ^ separator, 9967
        )
        personal = (rank % 9967 * 3571 + offset) % 9967 + 1 + rank // 9967 * 10000
        return np.where(plain, -1, np.where(which == 0, personal, rank + 1))

    def _mailbox_suffixes(self) -> NDArray[np.int32]:
        """By kind of mailbox and person: how many people before have that mailbox's name already."""
        keys = np.empty(3 * self.people, dtype=np.uint64)
        for which in range(3):
            for start in range(0, self.people, 1 << 17):
                person = np.arange(start, min(start + (1 << 17), self.people))
                first, separator, second, domain = self.mailbox(person, np.full_like(person, which))
                name = ((first << 32) | (second << 4) | separator).astype(np.uint64)
                at = which * self.people + start
                keys[at : at + len(person)] = mixed(name) ^ mixed(
                    (domain + 1).astype(np.uint64) << np.uint64(32)
                )
        return duplicate_ranks(keys).reshape(3, self.people).astype(np.int32)


class Rows(NamedTuple):
    """Some rows of a world, by number."""

    world: World
    position: Ints
    person: Ints
    key: Ints  # of the person's row
    nobody: Bools
    company: Ints
    fields: Fields

    @property
    def dice(self) -> Dice:
        return self.world.dice

    def only(self, chosen: Bools) -> Rows:
        fields = Fields(*(column[chosen] for column in self.fields))
        position, person, key, company = (
            column[chosen] for column in (self.position, self.person, self.key, self.company)
        )
        return Rows(self.world, position, person, key, self.nobody[chosen], company, fields)
