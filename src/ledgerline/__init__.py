"""Ledgerline brings the contacts of an invoice database into an application's own database."""

__version__ = "0.1.0"
