"""apt's JSON hook (protocol 0.2): copies every message to the file named by PULP_PLAN, one JSON object a line.

apt starts it by path, several times a command, under the system's Python: standard library only, Python 3.8 or newer.
"""

import json
import os
import socket
from typing import BinaryIO


def copy_messages(source: BinaryIO, sink: BinaryIO, plan: BinaryIO) -> None:
    """Answer the hello, which is the only call, and keep the notifications that follow."""
    while True:
        line = source.readline()
        source.readline()  # every message is followed by an empty line
        if not line.strip():
            return
        plan.write(line)
        message = json.loads(line)
        if "id" in message:
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": {"version": "0.2"}}
            sink.write(json.dumps(answer).encode() + b"\n\n")
            sink.flush()


def main() -> None:
    connection = socket.socket(fileno=int(os.environ["APT_HOOK_SOCKET"]))
    with (
        connection.makefile("rb") as source,
        connection.makefile("wb") as sink,
        open(os.environ["PULP_PLAN"], "ab") as plan,
    ):
        copy_messages(source, sink, plan)


if __name__ == "__main__":
    main()
