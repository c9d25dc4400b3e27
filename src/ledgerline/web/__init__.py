"""The HTTP side: the API of docs/api.md."""
