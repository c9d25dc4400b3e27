"""The automaton agrees with Python's regular expressions, number by number."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgerline.contacts.digit_automaton import Automaton, Language, Numbers, UnreadPattern
from ledgerline.contacts.phone_lines import Plan

ATOMS = st.sampled_from(["0", "7", r"\d", "[2-5]", "[13-58]", r"[\d]", "[0-9]"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        inner.map(lambda part: f"({part})?"),
        st.tuples(inner, st.integers(0, 2), st.integers(0, 2)).map(
            lambda given: f"(?:{given[0]}){{{given[1]},{given[1] + given[2]}}}"
        ),
        inner.map(lambda part: f"(?:{part}){{2}}"),
    ),
    max_leaves=6,
)
NUMBERS = st.lists(st.text("012345789", min_size=1, max_size=8), min_size=1, max_size=30)


def numbers(texts: Iterable[str]) -> Numbers:
    given = list(texts)
    digits = np.array([int(digit) for digit in "".join(given)], np.uint8)
    return Numbers.of(digits, np.array([len(text) for text in given], np.intp))


@settings(max_examples=300, deadline=None)
@given(PATTERNS, PATTERNS, NUMBERS)
def test_a_language_is_its_patterns(whole: str, beginning: str, texts: list[str]) -> None:
    names = {"whole": 1, "begins": 2}
    language = Language(
        {"whole": whole}, {"begins": beginning}, lambda matched, _: sum(names[name] for name in matched)
    )
    automaton = Automaton()
    labels = automaton.read(automaton.start(language), numbers(texts))
    expected = [
        bool(re.fullmatch(whole, text)) + 2 * bool(re.match(f"(?:{beginning})", text)) for text in texts
    ]
    assert labels.tolist() == expected


def test_an_end_in_a_pattern_is_the_end_of_the_number() -> None:
    language = Language({}, {"begins": r"0(?:1\d{2}$|2)"}, lambda matched, _: len(matched))
    automaton = Automaton()
    labels = automaton.read(automaton.start(language), numbers(["0123", "01234", "02", "0299", "013"]))
    assert labels.tolist() == [1, 0, 1, 1, 0]


def test_the_label_may_depend_on_the_length() -> None:
    language = Language({"any": r"\d{1,9}"}, {}, lambda matched, length: length if matched else -1)
    automaton = Automaton()
    labels = automaton.read(automaton.start(language), numbers(["1", "12345", "1234567890", "123456789"]))
    assert labels.tolist() == [1, 5, -1, 9]


@pytest.mark.parametrize("pattern", ["[1-", "(12", "1{2", "1{2,}", "1{,2}", "12)", "a", "1*", "(?=1)", "1|+"])
def test_a_sign_that_is_not_expected_is_named(pattern: str) -> None:
    with pytest.raises(UnreadPattern, match=r"pattern|expected|numbers"):
        Language({"it": pattern}, {}, lambda matched, _: len(matched))


def test_every_pattern_of_the_library_is_understood() -> None:
    count = 0
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        for region in regions:
            plan = Plan(code, region)
            patterns = [kind.pattern for kind in plan.kinds()]
            prefixes = [plan.international_prefix, plan.national_prefix, plan.leading_digits]
            for pattern in filter(None, [plan.general.national_number_pattern, *patterns, *prefixes]):
                Language({"whole": pattern}, {"begins": pattern}, lambda matched, _: len(matched))
                count += 1
    assert count > 1_000


def test_threads_share_an_automaton() -> None:
    language = Language({"it": r"(?:1\d{3}|2[0-5]\d{2}|[3-9]\d{4})"}, {}, lambda matched, _: len(matched))
    texts = [str(number) for number in range(1, 60_000)]
    expected = [int(bool(re.fullmatch(r"1\d{3}|2[0-5]\d{2}|[3-9]\d{4}", text))) for text in texts]
    automaton = Automaton()
    start = automaton.start(language)
    with ThreadPoolExecutor(4) as pool:
        read = pool.map(lambda at: automaton.read(start, numbers(texts[at::8])).tolist(), range(8))
        for at, labels in enumerate(read):
            assert labels == expected[at::8]
