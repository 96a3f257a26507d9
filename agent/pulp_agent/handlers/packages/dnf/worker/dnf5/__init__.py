"""dnf5's worker: libdnf5 in place of python3-dnf, all else as the package above it says. Needs libdnf5 5.2.13 or newer."""
