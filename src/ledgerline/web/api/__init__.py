"""Routers, one file a subject."""
"""The routers, one file a subject."""
