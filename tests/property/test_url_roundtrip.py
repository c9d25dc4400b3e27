"""A rendered connection string reads back as the same value, and no text makes the reader stumble."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from ledgerline.errors import ConnectionStringError
from ledgerline.url import DatabaseUrl, Encrypt, Engine, Secret, parse_any, parse_url

# Secrets of which no piece of four characters occurs in a message by chance.
SECRETS = st.text(st.sampled_from("ΔΘΛΞ;=@:/?#&%{}'\" \\[],."), min_size=4, max_size=12)
PLAIN = st.characters(exclude_categories=["Cs", "Cc"])
NAMES = st.text(PLAIN, min_size=1, max_size=12)
HOSTS = st.one_of(
    st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,10}", fullmatch=True), st.ip_addresses(v=6).map(str)
)
PASSWORDS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(Secret)
PORTS = st.none() | st.integers(1, 65535)
NUMBERS = st.none() | st.integers(0, 999_999_999)
COMMON = {
    "host": HOSTS,
    "port": PORTS,
    "database": NAMES,
    "connect_timeout": NUMBERS,
    "connection_limit": NUMBERS,
    "pool_timeout": NUMBERS,
    "socket_timeout": NUMBERS,
}
LOGIN = {"user": st.just("") | NAMES, "password": PASSWORDS}

sqlserver = st.builds(
    DatabaseUrl,
    st.just(Engine.SQLSERVER),
    **COMMON,
    **LOGIN,
    instance=st.just("") | st.from_regex(r"[A-Za-z0-9_$#]{1,8}", fullmatch=True),
    encrypt=st.none() | st.sampled_from(Encrypt),
    trust_server_certificate=st.booleans(),
    schema=st.just("") | NAMES,
    application_name=st.just("") | NAMES,
    options=st.fixed_dictionaries(
        {},
        optional={
            "hostNameInCertificate": NAMES,
            "applicationIntent": st.just("ReadOnly"),
            "multiSubnetFailover": st.sampled_from(["true", "false"]),
            "packetSize": st.integers(0, 32767).map(str),
        },
    ),
)
windows_auth = st.builds(DatabaseUrl, st.just(Engine.SQLSERVER), **COMMON, windows_auth=st.just(True))
postgresql = st.builds(
    DatabaseUrl,
    st.just(Engine.POSTGRESQL),
    **{**COMMON, "host": HOSTS | NAMES.map(lambda name: f"/{name}")},
    **LOGIN,
    schema=st.just("") | NAMES,
    application_name=st.just("") | NAMES,
    key_password=PASSWORDS,
    options=st.fixed_dictionaries(
        {}, optional={"sslmode": st.just("verify-full"), "options": NAMES, "sslrootcert": NAMES}
    ),
)
mysql = st.builds(
    DatabaseUrl,
    st.just(Engine.MYSQL),
    **COMMON,
    **LOGIN,
    options=st.fixed_dictionaries({}, optional={"sslmode": st.just("VERIFY_CA"), "charset": NAMES}),
)
sqlite = st.builds(
    DatabaseUrl,
    st.just(Engine.SQLITE),
    database=st.text(PLAIN, min_size=1).filter(lambda p: p == p.strip() and "?" not in p and p != ":memory:"),
    connection_limit=NUMBERS,
)


@given(st.one_of(sqlserver, windows_auth, postgresql, mysql, sqlite))
def test_a_rendered_url_reads_back(url: DatabaseUrl) -> None:
    assert parse_url(url.render(mask=False)) == url
    assert parse_any(url.render(mask=False)) == url


@given(st.one_of(sqlserver, postgresql, mysql))
def test_a_masked_url_differs_in_the_secrets_only(url: DatabaseUrl) -> None:
    masked = replace(
        url,
        password=url.password and Secret("****"),
        key_password=url.key_password and Secret("****"),
    )
    assert parse_url(url.render()) == masked


def pieces(secret: str) -> set[str]:
    return {secret[i : i + 4] for i in range(len(secret) - 3)}


@given(
    SECRETS,
    st.sampled_from(
        [
            "sqlserver://sa:{}@h:1433;database=main",
            "sqlserver://h;user=sa;password={};database=main",
            "sqlserver://h;database=main;password={};user=sa",
            "postgresql://sa:{}@h/main",
            "mysql://sa:{}@h:3306/main?charset=utf8",
            "Server=h;Database=main;User Id=sa;Password={}",
            "Driver=x;Server=h;Database=main;PWD={};UID=sa",
        ]
    ),
)
def test_an_unquoted_password_is_never_printed(secret: str, form: str) -> None:
    """However it is cut apart: the error, its hint and the masked form hold no piece of it."""
    try:
        shown = repr(parse_any(form.format(secret)).notices)
    except ConnectionStringError as error:
        shown = f"{error.detail} {error.hint} {error!r}"
    assert not [piece for piece in pieces(secret) if piece in shown and any(c in "ΔΘΛΞ" for c in piece)]


@given(st.text() | st.text(st.sampled_from("sqlserver:/@;={}[]\\,%?&#'\" a1")).map("sqlserver://".__add__))
@example("sqlserver://%5B::1]")
@example("Server=;;=;")
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        url = parse_any(text)
    except ConnectionStringError as error:
        assert error.__context__ is None
    else:
        assert parse_url(url.render(mask=False)) == url
