"""The program, as `ledgerline` and as `python -m ledgerline`."""

from __future__ import annotations

import sys
from typing import NoReturn

_INTERRUPTED = 130


def run() -> NoReturn:
    """Run the command line. It takes most of a second to import, and Ctrl-C counts from the first moment."""
    try:
        from ledgerline.cli.main import main  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    main()


if __name__ == "__main__":
    run()
