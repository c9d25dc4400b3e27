"""The program's first moment."""

from __future__ import annotations

import subprocess
import sys

_INTERRUPTED_IMPORT = """
import runpy, sys

class Interrupt:
    @staticmethod
    def find_spec(name, *_):
        if name == "ledgerline.cli.main":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt)
runpy.run_module("ledgerline", run_name="__main__")
"""


def test_ctrl_c_while_the_program_is_loaded_ends_it_without_a_stack_trace() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_IMPORT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
