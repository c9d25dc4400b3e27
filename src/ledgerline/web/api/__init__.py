"""Routers, one file a subject."""
