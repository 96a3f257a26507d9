"""A repository served over HTTP, with faults at will."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Mirror:
    """Serves a repository; a request whose path has `stalled` in it gets half its answer until `go` is set.

    `before_answer` is called with the path of each request.
    """

    def __init__(self, folder: Path) -> None:
        self.stalled = ""
        self.before_answer: Callable[[str], None] = lambda _: None
        self.reached = threading.Event()
        self.go = threading.Event()
        handler = partial(Handler, self, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.uri = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self.go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, mirror: Mirror, *args: Any, **options: Any) -> None:
        self.mirror = mirror
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        self.mirror.before_answer(self.path)
        super().do_GET()

    def copyfile(self, source: Any, outputfile: Any) -> None:
        if self.mirror.stalled and self.mirror.stalled in self.path:
            outputfile.write(source.read(os.fstat(source.fileno()).st_size // 2))
            outputfile.flush()
            self.mirror.reached.set()
            self.mirror.go.wait()
        try:
            super().copyfile(source, outputfile)
        except ConnectionError:
            return  # apt-get was ended

    def log_message(self, *_: Any) -> None:
        return
