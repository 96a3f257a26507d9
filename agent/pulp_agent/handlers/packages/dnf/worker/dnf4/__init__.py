"""dnf4's worker: python3-dnf."""
