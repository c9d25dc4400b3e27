"""`ledgerline serve` with one more route: `GET /bare` does nothing, and the others are compared with it."""

from __future__ import annotations

import sys

from fastapi import APIRouter, Response

from ledgerline.cli.main import main
from ledgerline.web import server

router = APIRouter()


@router.get("/bare")
async def bare() -> Response:
    return Response(b'{"status":"ok"}', media_type="application/json")


if __name__ == "__main__":
    server.ROUTERS = (router, *server.ROUTERS)  # type: ignore[misc]
    sys.exit(main())
