"""`./dev package`: Debian and RPM packages that carry their Python parts, so that a host needs neither compiler nor index."""
