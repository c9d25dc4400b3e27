"""What to do about a fault of a connection, on each server; each step one that can be taken by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledgerline.operations.doctor_faults import Fault
from ledgerline.url import DatabaseUrl, Engine

_Steps = tuple[str, ...]

# By the server; None stands for all others. Windows authentication has steps of its own.
_REMEDIES: Final[Mapping[Fault, Mapping[Engine | None, _Steps]]] = {
    Fault.NAME_NOT_RESOLVED: {
        None: (
            "Check the server's name in {setting}: is it misspelt, or known to another network only?",
            "Test it from here: getent hosts {host}. In a container, localhost is the container itself.",
            "Name the server by its IP address if the name service cannot be mended.",
        ),
    },
    Fault.INSTANCE_NOT_FOUND: {
        None: (
            "Check the instance's name: {host}\\{instance}.",
            "The SQL Server Browser service must run on {host}, and the firewall pass UDP 1434.",
            (
                "Or name its port in {setting} instead: SQL Server Configuration Manager shows it under"
                " TCP/IP, IP Addresses, IPAll."
            ),
        ),
    },
    Fault.PORT_REFUSED: {
        Engine.SQLSERVER: (
            (
                "Check that the SQL Server service runs on {host}: in SQL Server Configuration Manager, or"
                " with systemctl status mssql-server."
            ),
            (
                "TCP/IP must be enabled: SQL Server Configuration Manager, Network Configuration, Protocols;"
                " then restart the service."
            ),
            "Check the port in {setting}: {port} was tried, the default is 1433; an instance has its own.",
        ),
        Engine.POSTGRESQL: (
            "Check that PostgreSQL runs on {host}: pg_isready -h {host} -p {port}",
            "It must listen on that address: listen_addresses in postgresql.conf; then restart it.",
            "Check the port in {setting}: {port} was tried, the default is 5432.",
        ),
        Engine.MYSQL: (
            "Check that MySQL runs on {host}: systemctl status mysql.",
            "It must listen on that address: bind-address in its configuration; then restart it.",
            "Check the port in {setting}: {port} was tried, the default is 3306.",
        ),
    },
    Fault.TIMEOUT: {
        Engine.SQLSERVER: (
            "Check the firewall of {host} and those on the way: TCP {port} must pass.",
            "Check server name and port in {setting}; the default port is 1433.",
            "Check that the SQL Server service runs and is not starting or overloaded.",
            "Test the network from here: nc -vz {host} {port}",
        ),
        None: (
            "Check the firewall of {host} and those on the way: TCP {port} must pass.",
            "Check server name and port in {setting}, and that it is a {product} that listens there.",
            "Check that the server is not starting or overloaded.",
            "Test the network from here: nc -vz {host} {port}",
        ),
    },
    Fault.CANNOT_CONNECT: {
        Engine.SQLSERVER: (
            "Check server name and port in {setting}, and that it is a SQL Server that listens there.",
            "Check that the SQL Server service runs, and TCP/IP is enabled in its Configuration Manager.",
            "Check the firewall: TCP {port} must pass.",
            "An old server may not know today's encryption: try encrypt=false on a trusted network.",
        ),
        None: (
            "Check server name and port in {setting}, and that it is a {product} that listens there.",
            "Look into the server's log: it may be starting, shutting down or refusing.",
            "Check the firewall: TCP {port} must pass.",
        ),
    },
    Fault.TOO_MANY_CONNECTIONS: {
        None: (
            "Lower DB_CONNECTION_LIMIT here and in other programs that use the server.",
            "Or let the server take more: max_connections.",
        ),
    },
    Fault.ENCRYPTION_UNAVAILABLE: {
        Engine.POSTGRESQL: (
            "Turn TLS on at the server: ssl = on in postgresql.conf, with a certificate.",
            "On a network that you trust, ask for less: sslmode=prefer in {setting}.",
        ),
        Engine.MYSQL: (
            "Turn TLS on at the server: ssl_cert and ssl_key in its configuration.",
            "On a network that you trust, ask for less: sslmode=PREFERRED in {setting}.",
        ),
        None: ("On a network that you trust, ask for less: encrypt=false in {setting}.",),
    },
    Fault.ENCRYPTION_REQUIRED: {
        Engine.MYSQL: ("Add sslmode=REQUIRED to {setting}.",),
        None: ("Add sslmode=require to {setting}.",),
    },
    Fault.CERTIFICATE_UNTRUSTED: {
        Engine.SQLSERVER: (
            (
                "Have the environment variable SSL_CERT_FILE name the file of the CA that signed the server's"
                " certificate, or name the certificate itself: serverCertificate=… in {setting}."
            ),
            "If it is made out to another name, add hostNameInCertificate=… to {setting}.",
            (
                "On a network that you trust: trustServerCertificate=true in {setting}. The server's identity"
                " is then not checked."
            ),
        ),
        Engine.POSTGRESQL: (
            "Name the file of the CA that signed the server's certificate: sslrootcert=… in {setting}.",
            "The certificate must be made out to {host}, and not be expired.",
            "On a network that you trust: sslmode=require. The server's identity is then not checked.",
        ),
        None: (
            "Name the file of the CA that signed the server's certificate: sslcert=… in {setting}.",
            "The certificate must be made out to {host}, and not be expired.",
            "On a network that you trust: sslmode=REQUIRED. The server's identity is then not checked.",
        ),
    },
    Fault.KERBEROS_TICKET_MISSING: {
        None: (
            "Get a ticket on this machine: kinit user@REALM (a service needs a keytab); klist shows it.",
            "Check /etc/krb5.conf, and that this machine's clock is right to within five minutes.",
            (
                "The server needs a service principal: setspn -L shows MSSQLSvc/{host}:{port}; name the"
                " server by the full name in it."
            ),
            "Or log in with SQL authentication: user and password instead of Windows authentication.",
        ),
    },
    Fault.LOGIN_FAILED: {
        Engine.SQLSERVER: (
            (
                "Check username and password in {setting}. A password that holds : / ? # @ ; is"
                " percent-encoded before the @."
            ),
            (
                "Verify that SQL authentication is enabled: server properties, Security, SQL Server and"
                " Windows Authentication mode; then restart the service."
            ),
            (
                "Check that the login exists, is enabled and its password has not expired: sys.sql_logins;"
                " and that it may connect: GRANT CONNECT SQL."
            ),
        ),
        Engine.POSTGRESQL: (
            (
                "Check username and password in {setting}. A password that holds : / ? # @ ; is"
                " percent-encoded before the @."
            ),
            "Check that the role exists and may log in: \\du in psql; CREATE ROLE … LOGIN PASSWORD …",
            "pg_hba.conf on the server must let this user in from here; then SELECT pg_reload_conf().",
        ),
        Engine.MYSQL: (
            (
                "Check username and password in {setting}. A password that holds : / ? # @ ; is"
                " percent-encoded before the @."
            ),
            "Check from which hosts the user is let in: SELECT user, host FROM mysql.user.",
        ),
    },
    Fault.DATABASE_MISSING: {
        Engine.SQLSERVER: (
            "Verify the database's name in {setting}: SELECT name FROM sys.databases.",
            "Check that the database is online: SELECT state_desc FROM sys.databases.",
            "Verify that the login has access: CREATE USER … FOR LOGIN … in that database.",
        ),
        Engine.POSTGRESQL: (
            "Verify the database's name in {setting}: psql -l lists what is there. Case matters.",
            "Make it if it is to be new: CREATE DATABASE …",
            "Verify that the user has access: GRANT CONNECT ON DATABASE … TO …",
        ),
        Engine.MYSQL: (
            "Verify the database's name in {setting}: SHOW DATABASES. Case matters on Linux.",
            "Verify that the user has access: GRANT SELECT ON database.* TO …",
        ),
        Engine.SQLITE: (
            "Check the path of the file in {setting}: a relative one starts where the command is run.",
            "To try Ledgerline first: ledgerline sample sqlite:///data/invoice.db",
        ),
    },
    Fault.TABLE_MISSING: {
        None: (
            "Name schema and table in INVOICE_TABLE; that of the customers in INVOICE_CUSTOMERS_TABLE.",
            "A table that the login may not see looks missing too: GRANT SELECT on it.",
        ),
    },
    Fault.TRANSIENT_FAULT: {
        Engine.SQLSERVER: (
            "Try again: the server may have been busy for a moment.",
            (
                "See who keeps others waiting: SELECT session_id, blocking_session_id, wait_type FROM"
                " sys.dm_exec_requests WHERE blocking_session_id <> 0"
            ),
            "With READ_COMMITTED_SNAPSHOT ON, who reads does not wait for who writes.",
        ),
        Engine.POSTGRESQL: (
            "Try again: the server may have been busy for a moment.",
            (
                "See who keeps others waiting: SELECT pid, pg_blocking_pids(pid), query FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock'"
            ),
        ),
        None: ("Try again: the server may have been busy for a moment, or somebody holds a lock.",),
    },
    Fault.MIGRATION_NEEDED: {None: ("Run: ledgerline migrate",)},
    Fault.TABLES_NEWER: {
        None: (
            "A later version of Ledgerline has migrated them: run that one.",
            "To go on with this version, put back a backup of it: ledgerline backup restore ID --replace",
        ),
    },
}
_WINDOWS: Final[_Steps] = (
    (
        "Test Windows authentication: the account of this process needs a login on the server (CREATE LOGIN"
        " [DOMAIN\\account] FROM WINDOWS)."
    ),
    "Server and this machine must be of one domain, or of domains that trust each other.",
    "On Linux and macOS it is Kerberos: kinit gets a ticket, klist shows it.",
    "Or log in with SQL authentication: user and password instead of Windows authentication.",
)


def remedy(fault: Fault, url: DatabaseUrl, setting: str) -> _Steps:
    """The steps for a fault of this connection; none where only the error itself can tell.

    setting  the variable that says where the database is
    """
    if fault is Fault.LOGIN_FAILED and url.windows_auth:
        steps = _WINDOWS
    else:
        by_engine = _REMEDIES.get(fault, {})
        steps = by_engine.get(url.engine, by_engine.get(None, ()))
    known = {
        "setting": setting,
        "host": url.host or "localhost",
        "port": url.port_label,
        "instance": url.instance,
        "product": url.engine.product,
    }
    return tuple(step.format_map(known) for step in steps)
