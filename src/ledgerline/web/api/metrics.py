"""The figures of the service in Prometheus' text."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ledgerline.operations.keys import Scope
from ledgerline.web.api.access import require
from ledgerline.web.api.apart import apart
from ledgerline.web.api.problems import ASKS_DATABASE, PROTECTED, documented, example

router = APIRouter(tags=["health"])

_EXAMPLE = '# TYPE ledgerline_info gauge\nledgerline_info{version="0.1.0"} 1.0\n'


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    dependencies=[Depends(require(Scope.METRICS))],
    response_class=Response,
    responses={
        200: example("Prometheus' text format.", _EXAMPLE, "text/plain"),
        **documented(*PROTECTED, *ASKS_DATABASE),
    },
)
@apart
def metrics(request: Request) -> Response:
    body = generate_latest(request.app.state.metrics.registry)
    return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST})
