"""Whether the allocator of Polars takes what it is told."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# It prints its options as it ends, where they name that too.
_TELL = "import ledgerline, os; os.environ['_RJEM_MALLOC_CONF'] += ',stats_print:true'; import polars"


def _options(**given: str) -> str:
    environ = {name: value for name, value in os.environ.items() if name != "_RJEM_MALLOC_CONF"} | given
    ran = subprocess.run(
        [sys.executable, "-c", _TELL], env=environ, capture_output=True, text=True, check=True
    )
    return ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Polars allocates by another library there")
@pytest.mark.parametrize("given", [{}, {"_RJEM_MALLOC_CONF": "dirty_decay_ms:500,muzzy_decay_ms:1000"}])
def test_jemalloc_has_an_arena_for_each_core_and_keeps_no_freed_pages(given: dict[str, str]) -> None:
    options = _options(**given)
    assert f"opt.narenas: {os.cpu_count()}\n" in options
    assert "opt.muzzy_decay_ms: 0 " in options


@pytest.mark.skipif(sys.platform == "win32", reason="Polars allocates by another library there")
def test_what_the_environment_says_holds() -> None:
    assert "opt.narenas: 7\n" in _options(_RJEM_MALLOC_CONF="narenas:7")
