"""What the threads that work on partitions must not find half done."""

from __future__ import annotations

import subprocess
import sys

# Polars has a stand-in for NumPy until somebody needs it, which then becomes what it stands for. Who needs it
# in the middle of that gets a TypeError: four times in four hundred, with three threads.
_ASK = (
    "import ledgerline.ingest.partitions, numpy, polars._dependencies as known; print(known.numpy is numpy)"
)


def test_polars_knows_numpy_before_there_are_threads() -> None:
    asked = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, check=True)
    assert asked.stdout == "True\n"
