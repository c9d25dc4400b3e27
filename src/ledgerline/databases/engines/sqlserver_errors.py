"""What an error of SQL Server's driver means.

The driver gives no error number and no SQLSTATE, only two texts: `driver_error`, one fixed text for each
SQLSTATE, and `ddbc_error`, the server's message (in English: every session sets its language). Bulk copy
adds the number to its text. So an error is known by its number where there is one, else by its words,
else by the SQLSTATE's text.

https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ledgerline.errors import (
    ColumnMissing,
    DatabaseError,
    DatabaseMissing,
    DatabaseUnreachable,
    DriverMissing,
    LedgerlineError,
    LoginRefused,
    PermissionDenied,
    TableMissing,
    TransientFault,
    UnreadableValue,
)
from ledgerline.url import DatabaseUrl


class _Known(NamedTuple):
    numbers: frozenset[int]
    words: re.Pattern[str]
    kind: type[DatabaseError]
    hint: str


def _known(numbers: str, words: str, kind: type[DatabaseError], hint: str) -> _Known:
    return _Known(frozenset(map(int, numbers.split())), re.compile(words, re.IGNORECASE), kind, hint)


_UNREADABLE: Final = "See which row of the table or view has a value that cannot be converted."

# The order matters where the words of one message hold another's.
_KNOWN: Final = (
    _known(
        "",
        r"SSL Provider|certificate (verify failed|chain)|self-signed certificate|TLS handshake",
        DatabaseUnreachable,
        "The server's certificate is not trusted here. Have SSL_CERT_FILE name the CA that signed it; where"
        " the network is trusted, add trustServerCertificate=true to the connection string.",
    ),
    _known(
        "",
        r"SSPI Provider|Kerberos|GSSAPI",
        LoginRefused,
        "Windows authentication needs a Kerberos ticket on this machine (kinit), and an SPN of the server.",
    ),
    _known(
        "-1",
        r"Error Locating Server/Instance|SQL Browser",
        DatabaseUnreachable,
        "The instance was not found: its SQL Server Browser must run (UDP 1434), or name the port instead.",
    ),
    _known(
        "4060 911",
        r"cannot open database|database .* does not exist|database .* requested by the login",
        DatabaseMissing,
        "Check the database's name, and that this login has a user in it.",
    ),
    _known(
        "916",
        r"is not able to access the database",
        PermissionDenied,
        "Make this login a user of the database: CREATE USER … FOR LOGIN …",
    ),
    _known(
        "922 927 942 952 976 983 17187 18401",
        r"script upgrade mode|not ready to accept new client connections|is being recovered"
        r"|in the middle of a restore|because it is offline|is in transition"
        r"|not in the PRIMARY or SECONDARY role",
        DatabaseUnreachable,
        "The server starts, or the database moves or is restored: that passes by itself, unless somebody took"
        " it offline.",
    ),
    _known(
        "40615 47073",
        r"is not allowed to access the server|deny public network access",
        PermissionDenied,
        "Allow the address of this machine in the server's firewall (Azure: its networking page).",
    ),
    _known(
        "978",
        r"when the application intent is set to read only",
        DatabaseError,
        "This replica is only read from: name the primary one, or the listener of the availability group.",
    ),
    _known(
        "3952",
        r"snapshot isolation is not allowed in this database",
        DatabaseError,
        "Leave isolationLevel out of the connection string, or: ALTER DATABASE … SET"
        " ALLOW_SNAPSHOT_ISOLATION ON",
    ),
    _known(
        "18456 18452 18470 18486 18487 18488 4064",
        r"login failed|untrusted domain|password .* (expired|must be changed)|password authentication failed",
        LoginRefused,
        "Check user and password, and that the server allows SQL Server authentication.",
    ),
    _known(
        "",
        r"Authentication method .* not currently supported",
        LoginRefused,
        "Loading needs SqlPassword, Windows, ActiveDirectoryServicePrincipal or ActiveDirectoryMSI.",
    ),
    _known(
        "207",
        r"invalid column name|column .* does not exist",
        ColumnMissing,
        "Check the column's name.",
    ),
    _known(
        "208 4902 3701 2812",
        r"invalid object name|cannot find the object|relation .* does not exist",
        TableMissing,
        "Check schema and table name, and that the login may see it.",
    ),
    _known(
        "229 230 262 297 300 3906 3930 10330 15247",
        r"permission was denied|permission denied|does not have permission|database is read-only",
        PermissionDenied,
        "Grant the missing right to this login.",
    ),
    _known(
        "1205 3960 3961 41302 41305 41325",
        r"deadlock|update conflict|serialization failure|snapshot isolation transaction (failed in|aborted)",
        TransientFault,
        "Two transactions collided; trying again helps.",
    ),
    _known(
        "1222",
        r"lock request time ?out|lock timeout",
        TransientFault,
        "A lock was not granted in time; see who holds it in sys.dm_tran_locks. READ_COMMITTED_SNAPSHOT ON"
        " keeps readers from waiting for writers.",
    ),
    _known(
        "1204 701 802 8645 8651 40501 10928 10929 49918 49919 49920",
        r"the service is currently busy|insufficient (system )?memory|limit for the database is .* reached"
        r"|too busy to support requests|not enough resources to process|too many .*operations in progress",
        TransientFault,
        "The server is short of resources; try again later.",
    ),
    _known(
        "2 53 233 258 1326 10053 10054 10060 10061 11001 17142 40197 40613",
        r"is not currently available|replica role is|currently not accessible for queries"
        r"|service has encountered an error processing|in the kill state|shutdown is in progress"
        r"|(TCP|Named Pipes) Provider|network-related|login timeout expired|communication link"
        r"|failed to connect|IO error|closed connection|connection .*(closed|reset|refused|timed out)",
        DatabaseUnreachable,
        "Check that the server runs, that TCP/IP is enabled in SQL Server Configuration Manager, and that"
        " host, port and firewall are right.",
    ),
    _known(
        "-2",
        r"query timeout expired|deadline has elapsed",
        TransientFault,
        "The statement took longer than DB_TIMEOUT.",
    ),
    _known(
        "220 232 235 241 242 244 245 248 295 296 1007 8114 8115 8134 9803 9807",
        r"conversion failed|error converting|arithmetic overflow|divide by zero|out-of-range value"
        r"|invalid (character value|value|input syntax) for",
        UnreadableValue,
        _UNREADABLE,
    ),
    _known("2601 2627", r"duplicate key", DatabaseError, "A row with this key is there already."),
    _known("515", r"cannot insert the value NULL", DatabaseError, "The column takes no NULL."),
    _known("547", r"conflicted with the", DatabaseError, "A row that this one refers to is not there."),
    _known(
        "8152 2628",
        r"would be truncated|exceeds schema size",
        DatabaseError,
        "A value is longer than its column.",
    ),
    _known(
        "3201",
        r"cannot open backup device",
        DatabaseError,
        "The file is on SQL Server's own machine, and its service account must be allowed to use it. A name"
        " alone is in the default backup folder of the server's properties.",
    ),
    _known(
        "1101 1105 9002 40544",
        r"filegroup is full|transaction log .* is full|could not allocate|reached its size quota",
        DatabaseError,
        "Free some space on the server, or back up its transaction log.",
    ),
)

_BY_STATE: Final[dict[str, tuple[type[DatabaseError], str]]] = {
    "Invalid authorization specification": (LoginRefused, "Check user and password."),
    "Server rejected the connection": (DatabaseUnreachable, "Check that the server accepts connections."),
    "Client unable to establish connection": (DatabaseUnreachable, "Check that the server runs."),
    "Communication link failure": (DatabaseUnreachable, "The connection broke; trying again helps."),
    "Connection not open": (DatabaseUnreachable, "The connection broke; trying again helps."),
    "Base table or view not found": (TableMissing, "Check schema and table name."),
    "Column not found": (ColumnMissing, "Check the column's name."),
    "Division by zero": (UnreadableValue, _UNREADABLE),
    "Numeric value out of range": (UnreadableValue, _UNREADABLE),
    "Invalid character value for cast specification": (UnreadableValue, _UNREADABLE),
    "Serialization failure": (TransientFault, "Two transactions collided; trying again helps."),
    "Timeout expired": (TransientFault, "The statement took longer than DB_TIMEOUT."),
}

# What Windows Sockets said, which the driver writes on every platform.
_SOCKET_FAULTS: Final = {
    "0x274c": "It did not answer in time: a firewall, or a wrong address.",
    "0x274d": "It refused: nothing listens at that port.",
    "0x2af9": "No such host name is known.",
}

# But not of the operating system, which backups quote: its 2 is a file that is missing.
_NUMBER: Final = re.compile(
    r"(?:Sql Error: |Msg |(?<!system )Error,? |error: |\((?=-?\d+\)))(-?\d{1,5})\b", re.IGNORECASE
)
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")  # names, which may hold any word
_DECORATION: Final = re.compile(r"^(?:\s*\[[^\]]*\])+")
# Values of rows, which the server quotes: they belong into no log.
_VALUES: Final = re.compile(
    r"\s*(?:The duplicate key value is|Truncated value:).*$", re.IGNORECASE | re.DOTALL
)


def explain(error: Exception, url: DatabaseUrl) -> LedgerlineError:
    """See `Server.explain`."""
    if isinstance(error, LedgerlineError):
        return error
    driver = getattr(error, "orig", None) or error
    if isinstance(driver, LedgerlineError):
        return driver
    state = str(getattr(driver, "driver_error", ""))
    text = str(getattr(driver, "ddbc_error", "") or driver)
    if "Failed to load the driver" in text:
        return DriverMissing(
            "The driver for SQL Server is installed, but a library of the system that it needs is not.",
            hint="On Debian or Ubuntu: apt-get install libltdl7 libkrb5-3 libgssapi-krb5-2",
        )
    kind, hint = _classified(text, state)
    if kind is DatabaseUnreachable:
        return DatabaseUnreachable(_cannot_connect(url, text), hint=hint)
    return kind(_message(text), hint=hint)


def _classified(text: str, state: str) -> tuple[type[DatabaseError], str]:
    words = _QUOTED.sub("", _VALUES.sub("", text))  # values of rows may look like numbers of errors
    numbers = {int(number) for number in _NUMBER.findall(words)}
    for known in _KNOWN:
        if numbers & known.numbers:
            return known.kind, known.hint
    for known in _KNOWN:
        if known.words.search(words):
            return known.kind, known.hint
    return _BY_STATE.get(state, (DatabaseError, ""))


def _cannot_connect(url: DatabaseUrl, text: str) -> str:
    port = f":{url.effective_port}" if url.effective_port else ""
    why = next((why for code, why in _SOCKET_FAULTS.items() if code in text.lower()), "")
    return f"Cannot connect to SQL Server at {url.server_label}{port}. {why}".rstrip()


def _message(text: str) -> str:
    """The server's words, without the driver's decoration around them and without values of rows."""
    plain = _VALUES.sub("", _DECORATION.sub("", text)).strip()
    return plain.splitlines()[0] if plain else "The server gave no reason."
