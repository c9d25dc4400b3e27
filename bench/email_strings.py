"""E-mail addresses in every form, right and wrong: the same ones for the same seed.

Made of parts that standards treat differently (quoted mailboxes, literals, international domains, reserved
names, lengths at a limit), then mostly changed in a letter or two.
"""

from __future__ import annotations

import random

_MAILBOXES = (
    *("ravi.kumar", "o'brien", "info", "Ravi.Kumar", "r&d", "x_y-z", "a", "first+tag", "1234", "PostMaster"),
    *("josé", "用户", "पता", "cafe\u0301", "a..b", ".a", "a.", '"john doe"', '"a@b"', '"a\\"b"', "a b"),
    *(
        "a" * 64,
        "a" * 65,
        "mailto:ravi",
        "Ravi <ravi",
        "-a-",
        "_",
        "!#$%&'*+/=?^_`{|}~",
        "(note)ravi",
        "ravi,",
    ),
)
_DOMAINS = (
    *("example.com", "Example.COM", "sub.example.co.uk", "gmail.com", "a-b.museum", "b.io", "bücher.example"),
    *("例子.广告", "xn--bcher-kva.example", "xn--fiqs8s.cn", "ab--c.com", "-a.com", "a-.com", "a_b.com"),
    *("localhost", "host.test", "host.invalid", "mail.local", "x.arpa", "x.onion", "io", "example.123"),
    *("example.c", "example.c0m", "[127.0.0.1]", "[IPv6:::1]", "127.0.0.1", "example..com", ".example.com"),
    *(
        "example.com.",
        "exa mple.com",
        "example。com",
        "ｅxample.com",
        "1.אב.com",
        "ex\u200bample.com",
        "example.com>",
    ),
    *("b" * 63 + ".com", "b" * 64 + ".com", "b." * 94 + "com", "b." * 124 + "com", "\u0939\u093f.com"),
)
_SIGNS = ("@", "@", "@", "@", "@", "@", "@", "@", "@@", "", " @ ", "＠", "(at)")
_LETTERS = "abcdefghijklmnopqrstuvwxyz" * 4 + "ABCXYZ" + "0123456789" * 2
_SPICE = (*".@-_+'\"<> ,;&/|\t\n\0éßİ\u0301。\u200d\u202e(){}[]\\:`%#", "--", "..", "xn--", ".test", "")


def email_strings(count: int, seed: int) -> list[str]:
    """Return `count` different strings, about half of them addresses."""
    dice = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found[_email_string(dice)] = None
    return list(found)


def _email_string(dice: random.Random) -> str:
    mailbox = _plain_mailbox(dice) if dice.random() < 0.6 else dice.choice(_MAILBOXES)
    domain = _plain_domain(dice) if dice.random() < 0.5 else dice.choice(_DOMAINS)
    text = f"{mailbox}{dice.choice(_SIGNS)}{domain}"
    for _ in range(dice.choice((0, 0, 1, 1, 2, 3))):
        at = dice.randint(0, len(text))
        inserted = dice.choice(_SPICE) if dice.random() < 0.4 else dice.choice(_LETTERS)
        text = text[:at] + inserted + text[at + dice.randint(0, 2) :]
    return text


def _plain_mailbox(dice: random.Random) -> str:
    separator = dice.choice(".._-+")
    return separator.join(_word(dice, 8) for _ in range(dice.randint(1, 3)))


def _plain_domain(dice: random.Random) -> str:
    labels = [_word(dice, 10) for _ in range(dice.randint(1, 2))]
    return ".".join([*labels, dice.choice(("com", "in", "co.in", "org", "net", "io", "de", "co.uk", "xyz"))])


def _word(dice: random.Random, longest: int) -> str:
    return "".join(dice.choices(_LETTERS, k=dice.randint(1, longest)))
