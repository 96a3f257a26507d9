"""The remote invocation protocol of docs/WIRE.md, sans-I/O, for both ends."""
