"""The doctor against real faults: each gives its code, at its layer, with steps that apply."""

from __future__ import annotations

import datetime
import ipaddress
import itertools
import json
import os
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.forking import PROCESSES
from tests.house import Installation, contact
from tests.postgres import PostgresServer, free_port
from tests.servers import SQLSERVER_URL

from ledgerline.databases.database import Database
from ledgerline.databases.migrate import migrate
from ledgerline.documents import diagnosis_document
from ledgerline.errors import DatabaseMissing, DriverMissing
from ledgerline.operations import doctor
from ledgerline.operations import doctor_network as network
from ledgerline.operations.doctor import LONGEST_SECONDS, diagnose
from ledgerline.operations.doctor_faults import Fault, Layer
from ledgerline.operations.doctor_findings import Check, Diagnosis
from ledgerline.settings import load_settings
from ledgerline.url import Secret, parse_any

SECRET = "pa55-w0rd"
_serial = itertools.count()
SERVERS = ("postgresql", "sqlserver", "mysql")


def examined(folder: Path, settings: Mapping[str, str], name: str = "invoice") -> Diagnosis:
    found = diagnose(load_settings(settings, folder=folder / "no-env-files-here"), [name])[name]
    assert SECRET not in json.dumps(diagnosis_document(found))
    return found


def fault(found: Diagnosis) -> Check:
    """The check that failed, which is the last one."""
    wrong = [check for check in found.checks if not check.ok]
    assert len(wrong) == 1, found
    assert wrong[0] is found.checks[-1]
    assert wrong[0].code is found.code
    assert wrong[0].remedy
    return wrong[0]


def invoice_url(engine: str, port: int, *, host: str = "127.0.0.1", options: str = "") -> dict[str, str]:
    urls = {
        "postgresql": f"postgresql://app:{SECRET}@{host}:{port}/invoice?{options}",
        "sqlserver": f"sqlserver://app:{SECRET}@{host}:{port};database=invoice;{options}",
        "mysql": f"mysql://app:{SECRET}@{host}:{port}/invoice?{options}",
    }
    return {"INVOICE_DATABASE_URL": urls[engine].rstrip("?;")}


def skip_without_library(check: Check) -> None:
    """The driver of SQL Server that pip installs needs a library of the system, and says so."""
    if check.code is Fault.DRIVER_MISSING:
        assert "apt-get install libltdl7" in " ".join(check.remedy)
        pytest.skip("the driver of SQL Server needs libltdl7 of the system, which is not installed")


# -- below the server ------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", SERVERS)
def test_a_port_at_which_nothing_listens(engine: str, tmp_path: Path) -> None:
    check = fault(examined(tmp_path, invoice_url(engine, free_port())))
    assert (check.layer, check.code) == (Layer.TCP, Fault.PORT_REFUSED)
    assert "INVOICE_DATABASE_URL" in " ".join(check.remedy)


def test_sql_server_s_steps_are_those_of_the_guide(tmp_path: Path) -> None:
    steps = " ".join(fault(examined(tmp_path, invoice_url("sqlserver", free_port()))).remedy)
    for what in ("SQL Server service", "TCP/IP", "1433"):
        assert what in steps


@pytest.mark.parametrize("engine", SERVERS)
def test_a_port_behind_which_nobody_answers(engine: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system takes the connection; nobody reads it
        begin = time.monotonic()
        check = fault(examined(tmp_path, invoice_url(engine, silent.getsockname()[1])))
        assert time.monotonic() - begin < LONGEST_SECONDS + 5
    skip_without_library(check)
    assert (check.layer, check.code) == (Layer.TLS, Fault.TIMEOUT)
    assert "firewall" in " ".join(check.remedy)


@pytest.mark.parametrize("engine", ["postgresql", "sqlserver"])
def test_a_port_at_which_another_kind_of_server_listens(engine: str, tmp_path: Path) -> None:
    def serve(listening: socket.socket) -> None:
        with closing(listening.accept()[0]):  # the doctor's own glance at the port
            pass
        with closing(listening.accept()[0]) as taken:
            taken.recv(100)
            taken.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        check = fault(examined(tmp_path, invoice_url(engine, listening.getsockname()[1])))
    skip_without_library(check)
    assert (check.layer, check.code) == (Layer.TLS, Fault.CANNOT_CONNECT)
    assert "that listens there" in check.remedy[0]


def test_a_port_that_swallows_what_is_sent_to_it(tmp_path: Path) -> None:
    """A full backlog answers no further connection, as a firewall that drops packets."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        time.sleep(0.1)
        check = fault(examined(tmp_path, invoice_url("postgresql", full.getsockname()[1])))
        for each in waiting:
            each.close()
    assert (check.layer, check.code) == (Layer.TCP, Fault.TIMEOUT)


@pytest.mark.parametrize("engine", SERVERS)
def test_a_name_that_nobody_knows(engine: str, tmp_path: Path) -> None:
    check = fault(examined(tmp_path, invoice_url(engine, 1, host="no-such-host.invalid")))
    assert (check.layer, check.code) == (Layer.NAME, Fault.NAME_NOT_RESOLVED)


def test_an_instance_without_a_browser(tmp_path: Path) -> None:
    settings = {"INVOICE_DATABASE_URL": r"sqlserver://127.0.0.1\EXPRESS;database=invoice;user=a;password=b"}
    check = fault(examined(tmp_path, settings))
    assert (check.layer, check.code) == (Layer.NAME, Fault.INSTANCE_NOT_FOUND)
    assert "UDP 1434" in " ".join(check.remedy)


def test_an_instance_is_found_by_its_browser() -> None:
    told = b"ServerName;DB;InstanceName;EXPRESS;IsClustered;No;Version;16.0;tcp;49172;np;x;;"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as browser:
        browser.bind(("127.0.0.1", 0))

        def answer() -> None:
            question, asker = browser.recvfrom(100)
            wanted = question == b"\x04EXPRESS\x00"
            browser.sendto(b"\x05" + len(told).to_bytes(2, "little") + told if wanted else b"", asker)

        port = browser.getsockname()[1]
        for instance, expected in (("EXPRESS", 49172), ("OTHER", None)):
            thread = threading.Thread(target=answer)
            thread.start()
            assert network.browse(["127.0.0.1"], instance, port) == expected
            thread.join()


@pytest.mark.parametrize(("engine", "package"), [("postgresql", "psycopg"), ("mysql", "pymysql")])
def test_a_driver_that_is_not_installed(engine: str, package: str, tmp_path: Path) -> None:
    """In a process of its own, in which the package cannot be imported."""
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "sys.argv = ['ledgerline', 'doctor', '--database', 'invoice', '--json']\n"
        "from ledgerline.cli.main import main; main()"
    )
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **invoice_url(engine, 1)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    found = json.loads(done.stdout)["invoice"]
    assert (found["connected"], found["code"]) == (False, "driver_missing")
    assert f"ledgerline[{engine}]" in found["checks"][-1]["remedy"]


def test_an_examination_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(doctor, "LONGEST_SECONDS", 0.2)
    monkeypatch.setattr(doctor, "server_for", lambda _: over.wait(60))
    check = fault(examined(tmp_path, {}))
    over.set()
    assert (check.layer, check.code) == (Layer.DRIVER, Fault.TIMEOUT)


# -- encryption ------------------------------------------------------------------------------------


def _certificate(folder: Path, name: str) -> ssl.SSLContext:
    """Of a server that calls itself so, signed by nobody but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    both = folder / "server.pem"
    both.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context


@contextmanager
def _postgresql_port(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A port that answers PostgreSQL's question for encryption so, and then encrypts if it said it would.

    The server of the tests is built without OpenSSL.
    """

    def serve(listening: socket.socket) -> None:
        while True:
            try:
                taken, _ = listening.accept()
            except OSError:
                return
            with closing(taken):
                if taken.recv(8):
                    taken.sendall(answer)
                    _encrypted(taken, context)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def _encrypted(taken: socket.socket, context: ssl.SSLContext | None) -> None:
    if context is None:
        return
    try:
        with context.wrap_socket(taken, server_side=True) as secured:
            secured.recv(1)
    except OSError:
        pass  # the client refused the certificate, which is what is tested


def test_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    context = _certificate(tmp_path, "127.0.0.1")
    with _postgresql_port(b"S", context) as port:
        settings = invoice_url("postgresql", port, options="sslmode=verify-full&sslrootcert=system")
        check = fault(examined(tmp_path, settings))
    assert (check.layer, check.code) == (Layer.TLS, Fault.CERTIFICATE_UNTRUSTED)
    assert "sslrootcert" in " ".join(check.remedy)


def test_a_ca_file_that_is_not_there(tmp_path: Path) -> None:
    context = _certificate(tmp_path, "127.0.0.1")
    with _postgresql_port(b"S", context) as port:
        missing = tmp_path / "nowhere.pem"
        settings = invoice_url("postgresql", port, options=f"sslmode=verify-full&sslrootcert={missing}")
        check = fault(examined(tmp_path, settings))
    assert (check.layer, check.code) == (Layer.TLS, Fault.CERTIFICATE_UNTRUSTED)


def test_encryption_that_the_server_does_not_have(postgres: PostgresServer, tmp_path: Path) -> None:
    settings = invoice_url("postgresql", postgres.port, options="sslmode=require")
    check = fault(examined(tmp_path, settings))
    assert (check.layer, check.code) == (Layer.TLS, Fault.ENCRYPTION_UNAVAILABLE)


# -- login, database, rights -----------------------------------------------------------------------


@pytest.fixture
def strict(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """The server, for a while one that asks the user `reader` for a password."""
    rules = postgres.data / "pg_hba.conf"
    before = rules.read_text()
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE reader LOGIN PASSWORD '{SECRET}'")
        rules.write_text(f"host all reader 127.0.0.1/32 scram-sha-256\n{before}")
        connection.execute("SELECT pg_reload_conf()")
    yield postgres
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"ALTER ROLE reader RENAME TO reader_{next(_serial)}")  # others may depend on it
        rules.write_text(before)
        connection.execute("SELECT pg_reload_conf()")


def as_reader(url: str, password: str = SECRET) -> str:
    return url.replace("//postgres@", f"//reader:{password}@")


def test_a_wrong_password(strict: PostgresServer, tmp_path: Path) -> None:
    url = as_reader(strict.url(), "wrong-password")
    found = examined(tmp_path, {"INVOICE_DATABASE_URL": url})
    check = fault(found)
    assert (check.layer, check.code) == (Layer.LOGIN, Fault.LOGIN_FAILED)
    assert "user reader" in check.detail
    assert "wrong-password" not in json.dumps(diagnosis_document(found))
    assert [each.layer for each in found.checks if each.ok][-1] is Layer.TLS


def test_a_user_who_is_not_there(postgres: PostgresServer, tmp_path: Path) -> None:
    check = fault(examined(tmp_path, {"INVOICE_DATABASE_URL": postgres.url("postgres", "nobody_knows")}))
    assert (check.layer, check.code) == (Layer.LOGIN, Fault.LOGIN_FAILED)


def test_a_database_that_is_not_there(postgres: PostgresServer, tmp_path: Path) -> None:
    check = fault(examined(tmp_path, {"INVOICE_DATABASE_URL": postgres.url("no_such_database")}))
    assert (check.layer, check.code) == (Layer.DATABASE, Fault.DATABASE_MISSING)
    assert "no_such_database" in check.detail


def test_a_database_that_the_login_may_not_open(strict: PostgresServer, tmp_path: Path) -> None:
    url = strict.create_database("closed")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
    check = fault(examined(tmp_path, {"INVOICE_DATABASE_URL": as_reader(url)}))
    assert (check.layer, check.code) == (Layer.DATABASE, Fault.PERMISSION_DENIED)


def test_a_login_that_may_not_read_the_table(strict: PostgresServer, tmp_path: Path) -> None:
    house = Installation("postgresql", tmp_path, strict)
    house.write_invoice([contact(1, "A")])
    settings = {"INVOICE_DATABASE_URL": as_reader(house.environ["INVOICE_DATABASE_URL"])}
    found = examined(tmp_path, settings)
    check = fault(found)
    assert found.connected
    assert (check.layer, check.code, found.exit_code) == (Layer.PERMISSION, Fault.PERMISSION_DENIED, 1)
    assert "GRANT SELECT" in check.remedy[0]
    house.change("GRANT USAGE ON SCHEMA dbo_user_new TO reader")
    house.change("GRANT SELECT (contactid, status) ON {contacts} TO reader")
    assert fault(examined(tmp_path, settings)).code is Fault.PERMISSION_DENIED  # not all columns
    house.change("GRANT SELECT ON {contacts} TO reader")
    assert examined(tmp_path, settings).code is None
    house.write_customers({1: "Acme"})
    assert "customers" in fault(examined(tmp_path, settings)).detail


def test_a_login_that_may_not_make_tables(strict: PostgresServer, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": as_reader(strict.create_database("not_mine"))}
    found = examined(tmp_path, settings, "main")
    check = fault(found)
    assert (check.layer, check.code) == (Layer.PERMISSION, Fault.PERMISSION_DENIED)
    assert "make tables" in check.detail


# -- SQL Server, where there is one ----------------------------------------------------------------

live = pytest.mark.skipif(not SQLSERVER_URL, reason="LEDGERLINE_TEST_SQLSERVER_URL is not set")


@live
@pytest.mark.parametrize(
    ("change", "layer", "code"),
    [
        ({"password": Secret("wrong-password")}, Layer.LOGIN, Fault.LOGIN_FAILED),
        ({"database": "no_such_database"}, Layer.DATABASE, Fault.DATABASE_MISSING),
        ({"trust_server_certificate": False}, Layer.TLS, Fault.CERTIFICATE_UNTRUSTED),
        ({"port": 1}, Layer.TCP, Fault.PORT_REFUSED),
    ],
)
def test_sql_server_s_own_faults(change: dict[str, Any], layer: Layer, code: Fault, tmp_path: Path) -> None:
    url = replace(parse_any(SQLSERVER_URL), **change)
    found = examined(tmp_path, {"INVOICE_DATABASE_URL": url.render(mask=False)})
    check = fault(found)
    assert (check.layer, check.code) == (layer, code)
    assert "wrong-password" not in json.dumps(diagnosis_document(found))


# -- the tables ------------------------------------------------------------------------------------


def test_all_is_well(house: Installation) -> None:
    house.write_invoice([contact(1, "A")])
    house.ingest()
    found = diagnose(house.settings)
    for each in found.values():
        assert (each.connected, each.code, each.exit_code) == (True, None, 0), each
        assert each.latency_ms is not None
        assert [check.layer for check in each.checks][-1] is Layer.SPEED


def test_a_table_that_is_not_there(house: Installation) -> None:
    house.write_invoice([contact(1, "A")])
    house.environ["INVOICE_TABLE"] = "[dbo_user_new].[customer_contact]"
    check = fault(diagnose(house.settings)["invoice"])
    assert (check.layer, check.code) == (Layer.TABLE, Fault.TABLE_MISSING)
    assert "customer_contacts" in check.detail  # that is what was meant


def test_columns_that_are_not_there(house: Installation) -> None:
    house.write_invoice([contact(1, "A")], names={"contact_no": "contact_number", "status": "state"})
    check = fault(diagnose(house.settings)["invoice"])
    assert (check.layer, check.code) == (Layer.COLUMNS, Fault.COLUMN_MISSING)
    assert "contact_no, status" in check.detail
    assert "contact_number" in check.remedy[0]
    assert "INVOICE_COLUMNS (phone=…)" in check.remedy[0]


def test_a_customers_table_that_is_not_there(house: Installation) -> None:
    house.write_invoice([contact(1, "A")])
    assert diagnose(house.settings)["invoice"].code is None  # the default one need not be there
    house.environ["INVOICE_CUSTOMERS_TABLE"] = "[dbo_user_new].[firms]"
    (check,) = [check for check in diagnose(house.settings)["invoice"].checks if not check.ok]
    assert (check.layer, check.code) == (Layer.TABLE, Fault.TABLE_MISSING)
    assert "INVOICE_CUSTOMERS_TABLE" in check.remedy[0]


def test_a_customers_table_of_another_layout(house: Installation) -> None:
    house.write_invoice([contact(1, "A")], {1: "Acme"})
    assert diagnose(house.settings)["invoice"].code is None
    house.environ["INVOICE_CUSTOMERS_COLUMNS"] = "id=customerid,name=firm"
    (check,) = [check for check in diagnose(house.settings)["invoice"].checks if not check.ok]
    assert (check.layer, check.code) == (Layer.COLUMNS, Fault.COLUMN_MISSING)
    assert "no column firm" in check.detail and "INVOICE_CUSTOMERS_COLUMNS" in check.remedy[0]


def test_a_key_without_an_index(house: Installation) -> None:
    house.write_invoice([contact(1, "A")], primary_key=False)
    found = diagnose(house.settings)["invoice"]
    (check,) = [check for check in found.checks if not check.ok]
    assert (check.layer, check.code, found.connected) == (Layer.SPEED, Fault.INDEX_MISSING, True)
    assert not check.hinders
    assert found.exit_code == 0
    remedy = check.remedy[0].partition("CREATE INDEX")
    house.change("".join(remedy[1:]))
    assert diagnose(house.settings)["invoice"].code is None


def test_an_update_column_without_an_index(house: Installation) -> None:
    house.write_invoice([contact(1, "A")], further=[sa.Column("updated_at", sa.DateTime)])
    (check,) = [check for check in diagnose(house.settings)["invoice"].checks if not check.ok]
    assert check.code is Fault.INDEX_MISSING
    assert "updated_at" in check.detail


def test_a_view_in_place_of_the_table(house: Installation) -> None:
    house.write_invoice([contact(1, "A")])
    house.change(
        f"CREATE VIEW {'' if house.engine == 'sqlite' else 'dbo_user_new.'}seen AS SELECT * FROM {{contacts}}"
    )
    house.environ["INVOICE_TABLE"] = "[dbo_user_new].[seen]"
    assert diagnose(house.settings)["invoice"].code is None


def test_tables_of_another_version(postgres: PostgresServer, tmp_path: Path) -> None:
    check = fault(examined(tmp_path, {"DATABASE_URL": postgres.create_database("empty_main")}, "main"))
    assert (check.layer, check.code) == (Layer.TABLE, Fault.MIGRATION_NEEDED)
    assert check.remedy == ("Run: ledgerline migrate",)


def test_tables_of_a_later_version(house: Installation) -> None:
    house.write_invoice([contact(1, "A")])
    with house.main() as main:
        migrate(main)
        with main.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    found = diagnose(house.settings)["main"]
    assert found.code is Fault.TABLES_NEWER
    assert "ledgerline migrate" not in str(found.checks)  # which would refuse it


# -- SQLite ----------------------------------------------------------------------------------------


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "invoice.db"
    check = fault(examined(tmp_path, {"INVOICE_DATABASE_URL": f"sqlite:///{path}"}))
    assert (check.layer, check.code) == (Layer.DATABASE, Fault.DATABASE_MISSING)
    assert not path.parent.exists()


def test_a_main_file_is_not_made_by_looking(tmp_path: Path) -> None:
    path = tmp_path / "new" / "main.db"
    found = examined(tmp_path, {"DATABASE_URL": f"sqlite:///{path}"}, "main")
    assert (found.connected, found.code) == (True, None)
    assert not path.parent.exists()


def test_a_main_file_is_not_changed_by_looking(tmp_path: Path) -> None:
    path = tmp_path / "main.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER)")
    before = path.read_bytes()
    found = examined(tmp_path, {"DATABASE_URL": f"sqlite:///{path}"}, "main")
    assert (found.connected, found.code) == (True, None)
    assert path.read_bytes() == before  # opened for writing, its journal would be another
    assert [each.name for each in tmp_path.iterdir()] == ["main.db"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows knows other rights")
def test_a_main_file_that_may_not_be_written() -> None:
    """By somebody who is not root, who may write everything."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "main.db")
        path.touch(mode=0o444)
        Path(folder).chmod(0o755)
        told, telling = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=_examined_by_nobody, args=(path, telling))
        process.start()
        telling.close()
        check = told.recv()
        process.join()
    assert (check.layer, check.code) == (Layer.PERMISSION, Fault.PERMISSION_DENIED)
    assert str(path) in check.remedy[0]


def _examined_by_nobody(path: Path, telling: Connection) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{path}"}
    examined(path.parent, settings, "main")  # imports what nobody may not, where root's home holds Python
    if os.geteuid() == 0:
        import pwd

        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setegid(nobody.pw_gid)
        os.seteuid(nobody.pw_uid)
    telling.send(fault(examined(path.parent, settings, "main")))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, " * 100)
    check = fault(examined(tmp_path, {"INVOICE_DATABASE_URL": f"sqlite:///{path}"}))
    assert (check.layer, check.code) == (Layer.DATABASE, Fault.DATABASE_ERROR)
    assert "not an SQLite database" in check.remedy[0]


@pytest.mark.parametrize("name", ["main", "invoice"])
def test_a_folder_in_the_place_of_a_file(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path.as_posix()}"
    setting = "DATABASE_URL" if name == "main" else "INVOICE_DATABASE_URL"
    check = fault(examined(tmp_path, {setting: url}, name))
    assert (check.layer, check.code) == (Layer.DATABASE, Fault.DATABASE_MISSING)
    assert "is a folder" in check.detail
    with (
        closing(Database(parse_any(url), read_only=name == "invoice")) as database,
        pytest.raises(DatabaseMissing, match="is a folder"),
    ):
        database.read(sa.select(sa.literal(1)))


def test_both_are_looked_at_side_by_side(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings = {"DATABASE_URL": f"postgresql://a@127.0.0.1:{port}/m", **invoice_url("mysql", port)}
        found = diagnose(load_settings(settings, folder=tmp_path / "no-env-files-here"))
    assert {name: each.code for name, each in found.items()} == dict.fromkeys(
        ("main", "invoice"), Fault.TIMEOUT
    )


def test_an_error_of_the_driver_s_loading_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: object) -> None:
        raise DriverMissing("A library is missing.", hint="apt-get install libltdl7")

    monkeypatch.setattr(doctor, "server_for", missing)
    check = fault(examined(tmp_path, invoice_url("sqlserver", 1)))
    assert (check.layer, check.code, check.remedy) == (
        Layer.DRIVER,
        Fault.DRIVER_MISSING,
        ("apt-get install libltdl7",),
    )
