"""What endpoints work with, out of the application's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from ledgerline.app import App
from ledgerline.operations.probe import Probe, State


@dataclass(frozen=True, slots=True)
class Probes:
    main: Probe
    invoice: Probe

    def both(self) -> tuple[Probe, Probe]:
        return self.main, self.invoice

    def states(self) -> dict[str, State | None]:
        """How the databases were when they were looked at last."""
        return {probe.name: probe.state for probe in self.both()}


def ledgerline_app(request: Request) -> App:
    return cast(App, request.app.state.ledgerline)


async def probes(request: Request) -> Probes:
    return cast(Probes, request.app.state.probes)


Ledgerline = Annotated[App, Depends(ledgerline_app)]
Watched = Annotated[Probes, Depends(probes)]
