"""What endpoints work with, out of the application's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from ledgerline.app import App
from ledgerline.operations.backup_manifest import Manifest
from ledgerline.operations.probe import Probe, State
from ledgerline.worker.duties import Duties


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


async def last_proven(request: Request) -> Manifest | None:
    """The backup that was found good last, as it was seen some minutes ago at most."""
    duties = getattr(request.app.state, "duties", None)
    return None if duties is None else cast(Duties, duties).last_proven


async def _ledgerline(request: Request) -> App:
    """The same for `Depends`, which would call what is not a coroutine in a thread."""
    return ledgerline_app(request)


Ledgerline = Annotated[App, Depends(_ledgerline)]
Watched = Annotated[Probes, Depends(probes)]
LastProven = Annotated[Manifest | None, Depends(last_proven)]
