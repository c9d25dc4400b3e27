"""The undo of a database's latest run in a process of its own, as JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import psutil

from bench.measure import own_peak, spent
from ledgerline.app import App
from ledgerline.databases import runs
from ledgerline.settings import load_settings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.undo_once", description=__doc__)
    parser.add_argument("main", help="URL of the main database")
    parser.add_argument("--server", type=int, required=True, help="process id of the database server")
    given = parser.parse_args()
    app = App(load_settings({"DATABASE_URL": given.main}, folder=Path(__file__).parent))
    latest = runs.latest(app.main, limit=1)[0]
    server = psutil.Process(given.server)
    before = spent(server)
    undone = app.undo(latest.id)
    cost = spent(server) - before
    app.close()
    done = {"contacts": sum(undone.contacts.values()), "records": sum(undone.records.values())}
    print(json.dumps({**cost.as_dict(), "status": undone.run.status, **done, "own_peak": own_peak()}))


if __name__ == "__main__":
    main()
