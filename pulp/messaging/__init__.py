"""Moves bytes between addresses; knows no message's meaning."""
