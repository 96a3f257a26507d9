"""The REST interface of docs/API.md: web.py under cheroot. Knows HTTP, decides nothing."""
