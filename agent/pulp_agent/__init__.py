"""The agent of a managed host; its own distribution."""

__version__ = "0.2.0"
