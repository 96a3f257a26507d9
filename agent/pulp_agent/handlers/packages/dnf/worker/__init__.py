"""dnf4's worker: runs under the system's Python, which alone has python3-dnf, and speaks JSON lines on stdin and stdout.

It imports nothing of ours but itself, and keeps to Python 3.9 and its standard library. A command is
`{"id", "command", "log", ...}`. Its answers carry its id: any number of `{"progress"}`, and at last `{"value"}` or
`{"error": {"code", "message", "names"}}` with a code of PACKAGE_ERRORS. The end of its input ends it, but never in a
transaction: without an agent it goes on to the end of what it is at.
"""
