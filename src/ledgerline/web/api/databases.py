"""Where the databases are, and closing their connections."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends
from pydantic import Field

from ledgerline.operations.draining import Drained, drain
from ledgerline.operations.keys import Scope
from ledgerline.settings import DatabaseSettings
from ledgerline.web.api.access import require
from ledgerline.web.api.apart import apart
from ledgerline.web.api.health import Config
from ledgerline.web.api.problems import ASKS_DATABASE, PROTECTED, documented, example
from ledgerline.web.api.services import Ledgerline
from ledgerline.web.api.shapes import Document

router = APIRouter(prefix="/database", tags=["databases"])

_DRAIN_SECONDS: Final = 5.0


class DatabaseConfig(Config):
    """Where a database is and how it is used; no secret in any form."""

    engine: str
    user: str = Field(description="Empty with Windows authentication, and where there is none.")
    encrypt: str | None = Field(description="SQL Server: what of the connection is encrypted.")
    trust_server_certificate: bool
    connection_limit: int
    acquire_timeout_ms: int
    timeout_ms: int
    retry_attempts: int
    retry_delay_ms: int

    @classmethod
    def of_settings(cls, settings: DatabaseSettings) -> DatabaseConfig:
        url = settings.url
        return cls(
            **Config.of(url).model_dump(),
            engine=url.engine.value,
            user=url.user,
            encrypt=url.encrypt.value if url.encrypt else None,
            trust_server_certificate=url.trust_server_certificate,
            connection_limit=settings.connections,
            acquire_timeout_ms=settings.acquire_ms,
            timeout_ms=settings.statement_ms,
            retry_attempts=settings.retry_attempts,
            retry_delay_ms=settings.retry_delay_ms,
        )


class Configurations(Document):
    environment: str
    main: DatabaseConfig
    invoice: DatabaseConfig
    invoice_table: str
    customers_table: str


class Closed(Document):
    closed: int = Field(description="Connections that were closed.")
    in_use: int = Field(description="Still used; each closes when it is given back.")

    @classmethod
    def of(cls, drained: Drained) -> Closed:
        return cls(closed=drained.closed, in_use=drained.in_use)


class ClosedConnections(Document):
    success: bool = Field(description="Whether none is used any more.")
    main: Closed
    invoice: Closed


_MAIN = {
    "server": "localhost", "port": "1433", "database": "main_db", "useWindowsAuth": True,
    "engine": "sqlserver", "user": "", "encrypt": "mandatory", "trustServerCertificate": True,
    "connectionLimit": 10, "acquireTimeoutMs": 60000, "timeoutMs": 60000, "retryAttempts": 3,
    "retryDelayMs": 1000,
}  # fmt: skip


@router.get(
    "/config",
    summary="Both configurations, without secrets",
    dependencies=[Depends(require(Scope.READ))],
    responses={
        200: example(
            "The settings in force.",
            {
                "environment": "development",
                "main": _MAIN,
                "invoice": {**_MAIN, "database": "invoice"},
                "invoiceTable": "[dbo_user_new].[customer_contacts]",
                "customersTable": "[dbo_user_new].[customers]",
            },
        ),
        **documented(*PROTECTED, *ASKS_DATABASE),
    },
)
def config(app: Ledgerline) -> Configurations:
    settings = app.settings
    return Configurations(
        environment=settings.environment.value,
        main=DatabaseConfig.of_settings(settings.main),
        invoice=DatabaseConfig.of_settings(settings.invoice),
        invoice_table=str(settings.invoice_table.table),
        customers_table=str(settings.invoice_table.customers.table),
    )


@router.post(
    "/close-connections",
    summary="Drain and close both pools; the next request opens new connections",
    dependencies=[Depends(require(Scope.ADMIN))],
    responses={
        200: example(
            "What was closed.",
            {"success": True, "main": {"closed": 3, "inUse": 0}, "invoice": {"closed": 1, "inUse": 0}},
        ),
        **documented(*PROTECTED, *ASKS_DATABASE),
    },
)
@apart
def close_connections(app: Ledgerline) -> ClosedConnections:
    queries = app.queries
    queries.complete_log()
    pools = [(app.main, queries.sessions("main")), (app.invoice, queries.sessions("invoice"))]
    main, invoice = drain(pools, _DRAIN_SECONDS)
    return ClosedConnections(
        success=not (main.in_use or invoice.in_use), main=Closed.of(main), invoice=Closed.of(invoice)
    )
