"""How well two names of people agree: whether they can be one person's, and how sure that is.

Names are aligned word by word, equal words first, then spellings of one word, slips of the pen and initials.
Relatives and colleagues are the danger, not strangers: Rajesh and Ramesh Kumar are as near to each other as
Rajesh and Rajehs Kumar, so how often words occur decides between a slip and another name.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np
import polars as pl
from rapidfuzz.distance import OSA
from rapidfuzz.process import cpdist

from ledgerline.contacts.blocks import Codes, Flags, Ints
from ledgerline.contacts.names import match_name_column

_COMPARED_AT_ONCE = 50_000
_WORKERS = 2
_NAMES_SAMPLED = 100_000
_WORDS_COMPARED = 6  # of a name; those of one person seldom have more
_FEW_WORDS = 3  # and seldom more than these: to align them is a quarter of the work

# How the names of a pair agree, the worst first; what each is worth, and how it is told to a person.
(
    CONFLICT,
    RIVAL,
    RENAMED,
    ONE_INITIAL,
    SURNAME,
    UNSURE,
    CROSSED,
    SLIP,
    PARTIAL,
    INITIALS,
    SHORTENED,
    VARIANT,
    SAME_WORD,
    SAME,
) = range(14)
LOOSE = (ONE_INITIAL, SURNAME, UNSURE, CROSSED, PARTIAL, INITIALS)

# How two words relate.
_RELATIONS = 5
_INITIAL, _NEAR, _UNSURE_TYPO, _SPELLING = 1, 2, 3, 4
_SHORTEST_TYPO = 3  # letters: in a shorter word one letter is another name
_LONG_WORD = 8  # letters: from here on two edits are a slip
_FREQUENT = 4  # distinct names with the word: a slip is hardly made as often
_RARE_RATIO = 20

# Letters that transliterations put for one another; applied from top to bottom.
_TRANSLITERATIONS = (
    (["ksh", "ks"], "x"),
    (["sch", "sh", "z"], "s"),
    (["ch"], "C"),
    (["ck", "kh", "q", "c"], "k"),
    (["ph", "f", "w"], "v"),
    (["bh"], "b"),
    (["dh"], "d"),
    (["gh"], "g"),
    (["jh"], "j"),
    (["th"], "t"),
    (["ai", "ei", "ay", "ey", "ae"], "e"),
    (["ee", "ii", "ui", "ie", "iy", "y"], "i"),
    (["oo", "ou", "ow", "ue", "au"], "u"),
    (["oe"], "o"),
)
_HONOURED = "^([a-z]{3,})ji$"  # Kumarji is Kumar
_VOWELS = ["a", "e", "i", "o", "u", "h"]  # an h is heard no more than they are

# What stands behind names without being part of them.
_COURTESIES = ["ji", "sir", "madam", "bhai", "ben", "sahab", "saheb", "sahib", "garu"]
_COURTESIES += ["new", "old", "owner", "accounts", "purchase", "sales"]


class Names:
    """Compares people by the hashes of their names; knows the text of those names that differ from others."""

    def __init__(self, hashes: Ints, names: pl.Series, others: pl.Series) -> None:
        """`names` in the order of their distinct `hashes`; `others` only tell which words are frequent."""
        self._hash = hashes
        forms = _match_forms(names)
        chosen = pl.Series(hashes % (len(hashes) // _NAMES_SAMPLED + 1) == 0)
        counted = names.filter(chosen)
        others = others.filter(~others.is_in(counted.implode())).unique()
        counted, of_counted = counted.append(others), forms.filter(chosen).append(match_name_column(others))
        self._words = _Words.of(names, forms, _occurrences(counted, of_counted))

    def agreement(self, one: Ints, other: Ints, full: Flags) -> Codes:
        """How well each pair of names agrees: `CONFLICT` … `SAME`.

        one, other  the hashes of the names
        full        whether both of each pair have two words of two letters or more ('R Kumar' has one)
        """
        levels = np.where(full, SAME, SAME_WORD).astype(np.int8)
        differs = np.flatnonzero(one != other)
        # By hash: the result must not depend on which side a name stands.
        low, high = np.minimum(one[differs], other[differs]), np.maximum(one[differs], other[differs])
        pairs = np.searchsorted(self._hash, low) << 32 | np.searchsorted(self._hash, high)
        distinct, which = np.unique(pairs, return_inverse=True)
        levels[differs] = self._compare(distinct)[which]
        return levels

    def _compare(self, pairs: Ints) -> Codes:
        parts = np.array_split(pairs, len(pairs) // _COMPARED_AT_ONCE + 1)
        with ThreadPoolExecutor(_WORKERS) as pool:
            return np.concatenate(list(pool.map(self._compare_part, parts)))

    def _compare_part(self, pairs: Ints) -> Codes:
        return _compare_names(self._words, pairs >> 32, pairs & 0xFFFFFFFF)


def _match_forms(names: pl.Series) -> pl.Series:
    half = len(names) // _WORKERS
    with ThreadPoolExecutor(_WORKERS) as pool:
        return pl.concat(pool.map(match_name_column, (names[:half], names[half:])))


def _occurrences(names: pl.Series, forms: pl.Series) -> pl.DataFrame:
    """[word, count, firsts]: in how many distinct names a word occurs, and as how many a given name.

    A given name is the first word that is no initial.
    """
    words = forms.str.split(" ").explode().alias("word").value_counts()
    given = names.str.extract(r"(\p{L}[\p{L}\p{M}]+)", 1).alias("given").value_counts(name="firsts")
    firsts = given.select("firsts", word=match_name_column(given["given"])).group_by("word").sum()
    return words.join(firsts, on="word", how="left")


@dataclass(frozen=True, slots=True)
class _Words:
    """Names as words, and words as numbers."""

    of_name: Ints  # one column a name: the numbers of its words, then -1
    is_long: Flags  # whether a name has more than a few words
    foreign: Flags  # whether a name is in another script, of which vowels are lost
    text: pl.Series  # the word of each number, sorted
    length: Ints
    initial: Ints
    start: Ints  # the first two letters, in whatever order
    sound: Ints  # equal where two words are spellings of one
    frame: Ints  # equal where they have the consonants in common, 0 where there are fewer than two
    count: Ints  # in how many distinct names the word occurs
    given: Flags  # whether it is known as a given name
    surname: Flags  # whether it is known as a surname

    @classmethod
    def of(cls, names: pl.Series, forms: pl.Series, occurrences: pl.DataFrame) -> _Words:
        split = forms.str.split(" ")
        lengths = split.list.len().to_numpy().astype(np.int64)
        words = split.explode()
        text = words.unique().sort().alias("word")
        numbers = words.cast(pl.Enum(text)).to_physical().cast(pl.Int64).to_numpy()
        numbers = np.where(words.is_in(_COURTESIES), -1, numbers)
        first = np.cumsum(lengths) - lengths
        table = np.full((_WORDS_COMPARED, len(names)), -1, np.int32)
        for place in range(_WORDS_COMPARED):
            has = np.flatnonzero(lengths > place)
            table[place, has] = numbers[first[has] + place]
        is_long: Flags = table[_FEW_WORDS:].max(axis=0, initial=-1) >= 0
        known = text.to_frame().join(occurrences, on="word", how="left", maintain_order="left")
        known = known.with_columns(pl.col("count").fill_null(1), pl.col("firsts").fill_null(0))
        is_known = (known["count"] >= _FREQUENT).to_numpy()
        is_first = (known["firsts"] * 2 >= known["count"]).to_numpy()
        sounds = _sounds(text)
        return cls(
            of_name=table,
            is_long=is_long,
            foreign=names.str.contains(r"[\p{L}--\p{Latin}]").to_numpy(),
            text=text,
            length=text.str.len_bytes().to_numpy().astype(np.int64),
            initial=text.str.slice(0, 1).rank("dense").to_numpy().astype(np.int64),
            start=_start(text).rank("dense").to_numpy().astype(np.int64),
            sound=sounds.rank("dense").to_numpy().astype(np.int64),
            frame=_frames(sounds),
            count=known["count"].to_numpy().astype(np.int64),
            given=is_known & is_first,
            surname=is_known & ~is_first,
        )


def _start(words: pl.Series) -> pl.Series:
    first, second = words.str.slice(0, 1), words.str.slice(1, 1)
    return pl.select(pl.min_horizontal(first, second) + pl.max_horizontal(first, second)).to_series()


def _sounds(words: pl.Series) -> pl.Series:
    """A spelling that transliterations of one word share: Lakshmi = Laxmi, Suneel = Sunil, Vivek = Wiwek."""
    words = words.str.replace(_HONOURED, "${1}")
    for spellings, sound in _TRANSLITERATIONS:
        words = words.str.replace_many(spellings, [sound] * len(spellings), leftmost=True)
    return words.str.replace_many([letter * 2 for letter in ascii_lowercase], list(ascii_lowercase))


def _frames(sounds: pl.Series) -> Ints:
    consonants = sounds.str.replace_many(_VOWELS, [""] * len(_VOWELS))
    consonants = consonants.str.replace_all("C", "k", literal=True)  # Devanagari's ch is written as c
    numbers = consonants.rank("dense").to_numpy().astype(np.int64)
    return np.where(consonants.str.len_bytes().to_numpy() < 2, 0, numbers)


def _compare_names(words: _Words, left: Ints, right: Ints) -> Codes:
    """Compare pairs of names, those of few words, which nearly all are, among themselves."""
    grades = np.empty(len(left), np.int8)
    is_long = words.is_long[left] | words.is_long[right]
    for length, pairs in ((_FEW_WORDS, np.flatnonzero(~is_long)), (_WORDS_COMPARED, np.flatnonzero(is_long))):
        grades[pairs] = _compare_words(words, left[pairs], right[pairs], length)
    return grades


def _compare_words(words: _Words, left: Ints, right: Ints, length: int) -> Codes:
    """Align the words of each pair of names, so many of each, the equal ones first, and grade the whole."""
    of_name = words.of_name[:length]
    one, other = of_name.take(left, axis=1), of_name.take(right, axis=1)  # word by word in memory too
    equal = (one[:, None] == other) & (one >= 0)[:, None]
    in_one, in_other, single = equal.any(axis=1), equal.any(axis=0), words.length[one] == 1
    given = (in_one & ~single & words.given[one]).any(axis=0)
    surname = (in_one & ~single & words.surname[one]).any(axis=0)
    foreign = words.foreign[left] | words.foreign[right]
    found = _align(words, np.where(in_one, -1, one), np.where(in_other, -1, other), foreign)
    aligned = in_one.sum(axis=0) + found.sum(axis=0)
    over = (one >= 0).sum(axis=0) > aligned, (other >= 0).sum(axis=0) > aligned
    initials = (in_one & single).sum(axis=0) + found[_INITIAL]
    return _grade(aligned - initials, initials, found, (given, surname), over)


def _grade(
    full: Ints, initials: Ints, found: Ints, common: tuple[Flags, Flags], over: tuple[Flags, Flags]
) -> Codes:
    """The agreement of two names of which `full` words and `initials` are aligned.

    common  whether they have a known given name, and a known surname, in common: relatives share the surname,
            not the given name, so that where the given name is the same the rest may differ more
    over    whether words of the one, and of the other, are left over
    """
    (given, surname), (over_one, over_other) = common, over
    near, unsure = found[_NEAR] > 0, found[_UNSURE_TYPO] > 0
    grades = {
        RENAMED: given & over_one & over_other,
        CONFLICT: over_one & over_other,
        RIVAL: near & ~given,
        CROSSED: (full == 0) & (initials > 1),
        ONE_INITIAL: full == 0,
        SLIP: (near | unsure) & given,
        UNSURE: unsure,
        INITIALS: initials > 0,
        SURNAME: (full == 1) & surname,
        PARTIAL: full == 1,
        SHORTENED: over_one | over_other,
    }
    return np.select(list(grades.values()), list(grades), VARIANT).astype(np.int8)


def _align(words: _Words, one: Ints, other: Ints, foreign: Flags) -> Ints:
    """How many of the words left over in both names relate, by relation: an array of [relations, pairs]."""
    found = np.zeros((_RELATIONS, one.shape[1]), np.int8)
    open_ = np.flatnonzero((one >= 0).any(axis=0) & (other >= 0).any(axis=0))
    one, other = one.take(open_, axis=1), other.take(open_, axis=1)
    relation = np.zeros((len(one), *other.shape), np.int8)
    i, j, pair = np.nonzero((one >= 0)[:, None] & (other >= 0))
    relation[i, j, pair] = _relate(words, one[i, pair], other[j, pair], foreign[open_][pair])
    for least in (_NEAR, _INITIAL):  # an initial takes what no full word has taken
        for word in range(len(one)):
            partner = relation[word].argmax(axis=0)
            best = relation[word, partner, np.arange(len(open_))]
            taken = np.flatnonzero(best >= least)
            found[best[taken], open_[taken]] += 1
            relation[:, partner[taken], taken] = 0
            relation[word][:, taken] = 0
    return found


def _relate(words: _Words, one: Ints, other: Ints, foreign: Flags) -> Codes:
    """How two different words relate: not at all (0), or `_INITIAL` … `_SPELLING`."""
    relation = np.zeros(len(one), np.int8)
    shorter = np.minimum(words.length[one], words.length[other])
    sound = (words.sound[one] == words.sound[other]) & (shorter > 1)
    frame = (words.frame[one] == words.frame[other]) & (words.frame[one] > 0)
    same_letter = words.initial[one] == words.initial[other]
    alike = same_letter | (words.start[one] == words.start[other])
    near = np.flatnonzero(alike & ~sound & (shorter >= _SHORTEST_TYPO))
    pair, which = np.unique(one[near] * len(words.text) + other[near], return_inverse=True)
    relation[near] = _typo(words, pair // len(words.text), pair % len(words.text))[which]
    relation[frame & (relation < _UNSURE_TYPO)] = _UNSURE_TYPO
    relation[sound | (frame & foreign)] = _SPELLING
    relation[same_letter & (shorter == 1)] = _INITIAL
    return relation


def _typo(words: _Words, one: Ints, other: Ints) -> Codes:
    """Whether two words that begin alike are one word and a slip of the pen, or two words.

    Rajesh and Ramesh are as near to each other as Rajesh and Rajehs, so distance alone cannot tell. How often
    they occur can: a rare variant of a frequent word is a slip, two frequent words are two names that are
    near each other, of two rare ones nobody can be sure.
    """
    shorter = np.minimum(words.length[one], words.length[other])
    distance = cpdist(
        words.text.gather(one).to_list(),
        words.text.gather(other).to_list(),
        scorer=OSA.distance,
        score_cutoff=2,
    )
    rarer = np.minimum(words.count[one], words.count[other])
    commoner = np.maximum(words.count[one], words.count[other])
    slip = (rarer * _RARE_RATIO <= commoner) & (shorter > _SHORTEST_TYPO)
    relation = np.select([slip, rarer >= _FREQUENT], [_SPELLING, _NEAR], _UNSURE_TYPO)
    return np.where(distance <= np.where(shorter >= _LONG_WORD, 2, 1), relation, 0).astype(np.int8)
