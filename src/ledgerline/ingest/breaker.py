"""What ends so many records at once is likelier a fault of the source than news."""

from __future__ import annotations

from ledgerline.databases import staging
from ledgerline.databases.database import Database
from ledgerline.errors import WithdrawalBreaker
from ledgerline.ingest.partitions import Job
from ledgerline.ingest.scope import Wanted

_TOO_FEW_TO_TELL = 10  # in a table of a few rows a share says nothing


def check_breaker(job: Job, main: Database, wanted: Wanted) -> None:
    """Raises WithdrawalBreaker when so many records would end that the source is likelier to be at fault."""
    if job.first_load or wanted.accept_withdrawals:
        return
    tables = job.tables
    ended = staging.ended(main, tables)
    if ended < _TOO_FEW_TO_TELL:
        return
    enough = int(ended / wanted.withdrawal_breaker) + 1 if wanted.withdrawal_breaker else None
    live = staging.live_records(main, job.system, enough)
    if ended > wanted.withdrawal_breaker * live:
        raise WithdrawalBreaker(
            f"{ended:,} of {live:,} live records are no longer active in the source, or no longer there: more"
            f" than the {wanted.withdrawal_breaker:.0%} that WITHDRAWAL_BREAKER allows. Nothing was written.",
            hint="See whether the source is whole, and INVOICE_TABLE and INVOICE_ACTIVE are right. If so:"
            " ledgerline ingest --accept-withdrawals",
        )
