"""dnf's workers: they run under the system's Python, which alone has dnf's module, and speak JSON lines on stdin and stdout.

What is the same for every dnf is here; dnf4 and dnf5 are packages of their own, each with what its library does otherwise. They
import nothing of ours but this, and keep to Python 3.9 and its standard library. A command is `{"id", "command", "log", ...}`.
Its answers carry its id: any number of `{"progress"}`, and at last `{"value"}` or `{"error": {"code", "message", "names"}}`
with a code of PACKAGE_ERRORS. The end of its input ends it, but never in a transaction: without an agent it goes on to the end
of what it is at.
"""
