"""Every failure that Ledgerline can explain, in one tree.

    LedgerlineError
    ├── UsageError               wrong use of a command
    │   └── RunMissing           there is no such run
    ├── SettingsError            a setting is wrong or missing
    │   ├── ConnectionStringError
    │   ├── EnvironmentMismatch  the database belongs to another environment
    │   └── TablesNewer          a later version has migrated the main database
    ├── DriverMissing            a database driver is not installed
    ├── DatabaseError            a database said no
    │   ├── DatabaseUnreachable  could not connect, or the connection broke        (retryable)
    │   │   └── AnswerLate       nobody waits longer for it                        (retryable)
    │   ├── LoginRefused         the server answered, and refused the login        (never retried)
    │   ├── DatabaseMissing      it has no such database, or not for this login
    │   ├── PermissionDenied     logged in, but this is not allowed
    │   ├── TableMissing
    │   ├── ColumnMissing
    │   ├── UnreadableValue      a value of a row cannot be given out
    │   └── TransientFault       deadlock, lock timeout, serialization failure     (retryable)
    ├── ClusterFault             the cluster that works on partitions failed        (retryable)
    ├── TemporaryFolderFault     rows of a run cannot be kept in the temporary folder (retryable)
    ├── BackupError              a backup could not be taken, proven or restored
    │   ├── BackupDamaged        it is not what was written, or not what was in the database
    │   ├── BackupMissing        there is no such backup
    │   ├── PassphraseWrong      it is missing, or not the one of the backup
    │   └── RestoreRefused       the target holds data, or is in use
    ├── ChannelFailed            an alert could not be sent                          (retryable)
    ├── QueryError               a guarded query gave no answer, or not all of it
    │   ├── QueryRefused         it is not one that may run; nothing was sent
    │   ├── QueryParameters      its parameters do not fit it; nothing was sent
    │   ├── QueryTimeout         it took too long and was stopped
    │   ├── QueryCancelled       it was stopped on request
    │   ├── QueryMissing         no such query is saved, or runs
    │   └── TooManyQueries       this key has as many running as it may            (retryable)
    ├── AccessError             a key was not accepted
    │   ├── Unauthorised         it is missing, wrong, expired or revoked
    │   ├── Forbidden            it lacks the scope
    │   ├── TooManyAttempts      too many wrong keys from this address             (retryable)
    │   └── AuthNotConfigured    there is no key at all
    └── RunError                 an ingestion run ended without success
        ├── RunInProgress        another run holds the lease
        ├── LeaseLost            another process took this run over
        ├── WithdrawalBreaker    more records would be withdrawn than is likely to be meant
        ├── SourcePaused         an undo paused the source until somebody resumes it
        ├── UndoRefused          a run that cannot be undone, or not without leaving something
        ├── AccountImbalance     the counts of a run do not add up
        ├── WorkerLost           the process that was to do it did not, or ended without a word
        ├── RunNotGoing          it has ended, so nobody can stop it
        └── Cancelled            stopped on request
            └── Stopped          because its process had to end

An error says what happened (`detail`), what to do next (`hint`), has a stable machine-readable
`code`, and knows whether trying again can help (`retryable`). It never holds a password.
"""

from __future__ import annotations

from typing import ClassVar


class LedgerlineError(Exception):
    """Base of all failures that carry an explanation."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, detail: str, *, hint: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.given_up = False  # it was retryable, and tried again as often as is allowed
        self.quotes_server = False  # `detail` holds what a driver or a server said

    @property
    def public_detail(self) -> str:
        """`detail`, where strangers may see it: never what a driver or a server said."""
        return self.detail


class UsageError(LedgerlineError):
    code = "usage"
    exit_code = 2


class RunMissing(UsageError):
    code = "run_missing"


class SettingsError(LedgerlineError):
    """`mistakes`: each by itself, where there may be several."""

    code = "settings_invalid"
    exit_code = 2

    def __init__(self, detail: str, *, hint: str = "", mistakes: tuple[str, ...] = ()) -> None:
        super().__init__(detail, hint=hint)
        self.mistakes = mistakes


class EnvironmentMismatch(SettingsError):
    code = "environment_mismatch"


class TablesNewer(SettingsError):
    code = "tables_newer"


class ConnectionStringError(SettingsError):
    code = "connection_string_invalid"


class DriverMissing(LedgerlineError):
    code = "driver_missing"
    exit_code = 2


class DatabaseError(LedgerlineError):
    """`meaning` is what strangers are told where `detail` quotes the server."""

    code = "database_error"
    meaning: ClassVar[str] = "The database refused the statement."

    @property
    def public_detail(self) -> str:
        return self.meaning if self.quotes_server else self.detail


class DatabaseUnreachable(DatabaseError):
    code = "cannot_connect"
    meaning = "The database cannot be reached, or the connection to it broke."
    retryable = True
    exit_code = 3


class AnswerLate(DatabaseUnreachable):
    code = "database_late"
    meaning = "The database does not answer in time."


class LoginRefused(DatabaseError):
    code = "login_failed"
    meaning = "The database refused the login."
    exit_code = 3


class DatabaseMissing(DatabaseError):
    code = "database_missing"
    meaning = "The database does not exist."
    exit_code = 3


class PermissionDenied(DatabaseError):
    code = "permission_denied"
    meaning = "The database login, or this service, may not do that."


class TableMissing(DatabaseError):
    code = "table_missing"
    meaning = "A table or view does not exist in the database, or may not be seen."


class ColumnMissing(DatabaseError):
    code = "column_missing"
    meaning = "A column does not exist."


class UnreadableValue(DatabaseError):
    code = "unreadable_value"
    meaning = "A value of a row cannot be read or converted."


class TransientFault(DatabaseError):
    code = "transient_fault"
    meaning = "The database is busy: a lock, a connection or the time ran out."
    retryable = True


class ClusterFault(LedgerlineError):
    """The cluster that works on partitions cannot be reached, or lost its work."""

    code = "cluster_fault"
    retryable = True


class TemporaryFolderFault(LedgerlineError):
    """The folder for temporary files is full, or cannot be written."""

    code = "temporary_folder"
    retryable = True


class BackupError(LedgerlineError):
    """`public`: what strangers are told where `detail` holds what a server or its tools said."""

    code = "backup_failed"

    def __init__(self, detail: str, *, hint: str = "", public: str = "") -> None:
        super().__init__(detail, hint=hint)
        self.public = public

    @property
    def public_detail(self) -> str:
        return self.public or self.detail


class BackupDamaged(BackupError):
    code = "backup_damaged"


class BackupMissing(BackupError):
    code = "backup_missing"
    exit_code = 2


class PassphraseWrong(BackupError):
    code = "passphrase_wrong"
    exit_code = 2


class RestoreRefused(BackupError):
    code = "restore_refused"
    exit_code = 2


class ChannelFailed(LedgerlineError):
    code = "channel_failed"
    retryable = True


class QueryError(LedgerlineError):
    code = "query_failed"


class QueryRefused(QueryError):
    """`construct` names what in the query is not allowed."""

    code = "query_refused"
    exit_code = 5

    def __init__(self, detail: str, *, construct: str = "", hint: str = "") -> None:
        super().__init__(detail, hint=hint)
        self.construct = construct


class QueryParameters(QueryError):
    code = "query_parameters"
    exit_code = 2


class QueryTimeout(QueryError):
    code = "query_timeout"


class QueryCancelled(QueryError):
    code = "query_cancelled"
    exit_code = 130


class QueryMissing(QueryError):
    code = "query_missing"
    exit_code = 2


class TooManyQueries(QueryError):
    code = "too_many_queries"
    retryable = True


class AccessError(LedgerlineError):
    code = "access_denied"


class Unauthorised(AccessError):
    code = "unauthorised"


class Forbidden(AccessError):
    code = "forbidden"


class TooManyAttempts(AccessError):
    """`retry_after`: seconds until the next attempt is looked at."""

    code = "too_many_attempts"
    retryable = True

    def __init__(self, detail: str, *, retry_after: int = 1, hint: str = "") -> None:
        super().__init__(detail, hint=hint)
        self.retry_after = retry_after


class AuthNotConfigured(AccessError):
    code = "auth_not_configured"


class RunError(LedgerlineError):
    code = "run_failed"


class RunInProgress(RunError):
    code = "run_in_progress"
    exit_code = 4

    def __init__(self, detail: str, *, run_id: int | None = None, hint: str = "") -> None:
        super().__init__(detail, hint=hint)
        self.run_id = run_id


class LeaseLost(RunError):
    code = "lease_lost"


class WithdrawalBreaker(RunError):
    code = "withdrawal_breaker"
    exit_code = 6


class SourcePaused(RunError):
    code = "source_paused"


class UndoRefused(RunError):
    code = "undo_refused"


class AccountImbalance(RunError):
    code = "account_imbalance"


class WorkerLost(RunError):
    code = "worker_lost"


class RunNotGoing(RunError):
    code = "run_not_going"


class Cancelled(RunError):
    code = "cancelled"
    exit_code = 130


class Stopped(Cancelled):
    code = "stopped"
