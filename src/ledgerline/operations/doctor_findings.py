"""What the doctor found: checks, and the diagnosis that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ledgerline.operations.doctor_faults import EXIT_CODES, Fault, Layer


@dataclass(frozen=True, slots=True)
class Check:
    """What was tried at a layer and came of it."""

    layer: Layer
    ok: bool
    detail: str
    remedy: tuple[str, ...] = ()  # steps
    code: Fault | None = None  # of what is wrong

    @property
    def hinders(self) -> bool:
        """Whether what is wrong keeps Ledgerline from working, or only slows it down."""
        return not self.ok and self.code is not Fault.INDEX_MISSING


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that was found about one database."""

    checks: tuple[Check, ...]
    latency_ms: float | None  # of a round trip; None where there was none

    @property
    def connected(self) -> bool:
        return any(check.layer is Layer.DATABASE and check.ok for check in self.checks)

    @property
    def code(self) -> Fault | None:
        """What is wrong; of several things, what keeps it from working."""
        wrong = sorted((check for check in self.checks if not check.ok), key=lambda check: not check.hinders)
        return wrong[0].code if wrong else None

    @property
    def exit_code(self) -> int:
        return 0 if self.code is None else EXIT_CODES.get(self.code, 3)


class Failing(Protocol):
    """Makes the check of a layer that failed, with the steps that apply to this connection."""

    def __call__(self, layer: Layer, fault: Fault, detail: str, hint: str = "") -> Check: ...
