"""The routers, one file a subject."""
