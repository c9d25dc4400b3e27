"""The statements that back SQL Server up: every name and text is quoted to its end."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import TokenType

from ledgerline.operations import backup_sqlserver as tsql

NAME, FILE = "ma]in", "it's.bak"
FILES = [{"LogicalName": "d'ata", "Type": "D"}, {"LogicalName": "log", "Type": "L"}]


@pytest.mark.parametrize(
    "statement",
    [
        tsql.backup(NAME, FILE),
        tsql.verify(FILE),
        tsql.file_list(FILE),
        tsql.restore(NAME, FILE, FILES, "D:\\Data\\"),
        tsql.alone(NAME),
        tsql.shared(NAME),
        tsql.rename(NAME, "o]ld"),
    ],
)
def test_names_and_texts_are_whole(statement: str) -> None:
    tokens = sqlglot.tokenize(statement, read="tsql")
    names = {token.text for token in tokens if token.token_type is TokenType.IDENTIFIER}
    texts = {t.text for t in tokens if t.token_type in (TokenType.NATIONAL_STRING, TokenType.STRING)}
    assert names <= {NAME, "o]ld"}
    assert texts <= {FILE, "d'ata", "log", "D:\\Data\\ma_in_0.mdf", "D:\\Data\\ma_in_1.ldf"}
    assert names or texts


def test_a_backup_is_checked_and_disturbs_no_other() -> None:
    assert tsql.backup("main", "a.bak") == (
        "BACKUP DATABASE [main] TO DISK = N'a.bak' WITH CHECKSUM, COPY_ONLY, FORMAT, INIT"
    )
    assert "MOVE N'log' TO N'/data/main_1.ldf'" in tsql.restore("main", "a.bak", FILES, "/data/")


@pytest.mark.parametrize(
    ("said", "damaged"),
    [
        ("The media family on device 'a.bak' is incorrectly formed. SQL Server cannot process it.", True),
        ("The file on device 'a.bak' is not a valid Microsoft Tape Format backup set.", True),
        ('RESTORE detected an error on page (1:33) in database "x" as read from the backup set.', True),
        ("Damage to the backup set was detected.", True),
        ('Read on "a.bak" failed: 38(Reached the end of the file.)', True),
        (
            (
                "Cannot open backup device 'a.bak'. Operating system error 2(The system cannot find the"
                " file specified.)."
            ),
            True,
        ),
        ("Cannot open backup device 'a.bak'. Operating system error 2(failed to retrieve text).", True),
        ("Cannot open backup device 'a.bak'. Operating system error 5(Access is denied.).", False),
        ("CREATE DATABASE permission denied in database 'master'.", False),
        ("There is insufficient free space on disk volume 'D:\\' to create the database.", False),
        ("The database was backed up on a server running version 16.00.1000.", False),
    ],
)
def test_what_is_wrong_with_a_backup_is_told_from_what_hinders_its_restore(said: str, damaged: bool) -> None:
    assert tsql.is_damaged(said) is damaged
