"""Ledgerline brings the contacts of an invoice database into an application's own database."""

from ledgerline.memory import share_arenas

__version__ = "0.1.0"

share_arenas()
