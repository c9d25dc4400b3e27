"""What endpoints work with, out of the application's state."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from ledgerline.app import App


def ledgerline_app(request: Request) -> App:
    return cast(App, request.app.state.ledgerline)


Ledgerline = Annotated[App, Depends(ledgerline_app)]
