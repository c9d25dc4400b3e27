"""Where settings are given: the environment and .env files, and what is odd about them."""

from __future__ import annotations

import codecs
import difflib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from dotenv.parser import parse_stream

from ledgerline.settings.model import DEFAULTS, Environment
from ledgerline.url import ESCAPE_HINT


class Given(NamedTuple):
    text: str
    origin: str


def gather(
    environ: Mapping[str, str], folder: Path, mistakes: list[str], notices: list[str]
) -> dict[str, Given]:
    """The values of all layers, the strongest of each name; only names that are settings."""
    dotenv = dict(_read_file(folder / ".env", mistakes, notices))
    environment = environ.get("ENVIRONMENT") or dotenv.get("ENVIRONMENT") or DEFAULTS["ENVIRONMENT"]
    layers = {".env": dotenv}
    if environment in set(Environment):
        specific = dict(_read_file(folder / f".env.{environment}", mistakes, notices))
        specific.pop("ENVIRONMENT", None)  # what chose the file cannot be changed in it
        layers[f".env.{environment}"] = specific
    layers["environment"] = dict(environ)
    notices += _misspelt({name for layer in layers.values() for name in layer})
    return {
        name: Given(text, origin)
        for origin, layer in layers.items()
        for name, text in layer.items()
        if name in DEFAULTS and (text or name == "INVOICE_ACTIVE") and _is_text(name, text, origin, mistakes)
    }


def is_unprintable(text: str) -> bool:
    return re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text) is not None


def _is_text(name: str, text: str, origin: str, mistakes: list[str]) -> bool:
    if is_unprintable(text):
        mistakes.append(
            f"{name}: the value in {origin} holds a control character or is not UTF-8. {ESCAPE_HINT}"
        )
        return False
    return True


def _read_file(path: Path, mistakes: list[str], notices: list[str]) -> Iterator[tuple[str, str]]:
    text = _text_of_file(path, mistakes)
    seen: set[str] = set()
    for binding in parse_stream(io.StringIO(text)):
        original = binding.original.string
        line = binding.original.line + len(original[: len(original) - len(original.lstrip())].splitlines())
        if binding.error or (binding.key and binding.value is None):
            mistakes.append(f"{path.name}: line {line} is not NAME=value, or a quote in it is not closed.")
        elif binding.key:
            if binding.key in seen and binding.key in DEFAULTS:
                notices.append(f"{binding.key} stands more than once in {path.name}: the last one counts.")
            seen.add(binding.key)
            yield binding.key, binding.value or ""


_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _text_of_file(path: Path, mistakes: list[str]) -> str:
    """Empty where there is no such file. Windows' editors write UTF-16 and byte order marks."""
    if not path.is_file():  # a folder named .env is somebody's virtual environment
        return ""
    try:
        raw = path.read_bytes()
        encoding = next((e for mark, e in _BYTE_ORDER_MARKS if raw.startswith(mark)), "utf-8")
        text = raw.decode(encoding)
    except OSError as error:
        mistakes.append(f"{path.name}: it cannot be read ({error.strerror}). Check its permissions.")
        return ""
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # so does UTF-16 without a mark look like
        mistakes.append(f"{path.name}: it is not UTF-8. Save it with that encoding.")
        return ""
    return text


_OTHER_WORDS = {
    "HOST": "SERVER",
    "DATABASE": "NAME",
    "USERNAME": "USER",
    "PASS": "PASSWORD",
    "PWD": "PASSWORD",
}


def _misspelt(names: Iterable[str]) -> list[str]:
    meant = ((name, _meant(name)) for name in sorted(names) if name not in DEFAULTS)
    return [f"{name} is not a setting: did you mean {setting}?" for name, setting in meant if setting]


def _meant(name: str) -> str | None:
    """The setting that a name looks like; in our families of names the likeness may be weaker."""
    upper = name.upper()
    part = re.fullmatch(r"((?:INVOICE_)?DB_)(\w+)", upper)
    if part and part[2] in _OTHER_WORDS:
        return part[1] + _OTHER_WORDS[part[2]]
    is_family = upper.startswith(("DB_", "INVOICE_"))
    candidates = [setting for setting in DEFAULTS if len(setting) >= 7 or setting == upper]
    near = difflib.get_close_matches(upper, candidates, n=1, cutoff=0.75 if is_family else 0.85)
    return near[0] if near else None
