"""The agent of a managed host; its own distribution."""
