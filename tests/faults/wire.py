"""A line to PostgreSQL that is cut exactly at a COMMIT: before the server hears of it, or before its answer comes back.

It reads the protocol as far as it must: which transaction wrote an entry, and where its COMMIT is.
"""

import contextlib
import socket
import struct
import threading

SSL_OR_GSS = (80877103, 80877104)
WRITES = b"agentguard_entry"


class Wire:
    """Listens on this machine and hands on to a server's socket, until it is told to cut.

    Attributes:
        cut: `before` or `after` the server has the next commit of a transaction that wrote an entry, or None.
        cuts: How often it was cut.
        skip: So many such commits are let through first.
    """

    def __init__(self, server):
        self._server = str(server)
        self.cut = None
        self.skip = 0
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = set()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def port(self):
        return self._listener.getsockname()[1]

    def close(self):
        self._listener.close()
        for line in list(self._open):
            line.close()

    def _listen(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                Line(self, client, self._server, self._open).start()

    def is_cut_here(self):
        """Return whether this commit is the one, and how."""
        if self.cut is None:
            return None
        if self.skip > 0:
            self.skip -= 1
            return None
        how, self.cut = self.cut, None
        self.cuts += 1
        return how


class Line:
    """One connection and the two threads that hand on its bytes."""

    def __init__(self, wire, client, server, among):
        self.wire = wire
        self.client = client
        self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.connect(server)
        self.among = among
        among.add(self)
        self.writers = set()
        self.wrote = False
        self.silent = threading.Event()

    def start(self):
        threading.Thread(target=self._from_client, daemon=True).start()
        threading.Thread(target=self._from_server, daemon=True).start()

    def close(self):
        self.among.discard(self)
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _from_client(self):
        try:
            with self.client.makefile("rb") as stream:
                self._greet(stream)
                while head := stream.read(5):
                    kind, length = head[:1], struct.unpack("!I", head[1:])[0]
                    body = stream.read(length - 4)
                    if self._commits(kind, body):
                        how = self.wire.is_cut_here() if self.wrote else None
                        self.wrote = False
                        if how == "before":
                            break
                        if how == "after":
                            self.silent.set()
                    self.server.sendall(head + body)
        except OSError:
            pass
        finally:
            if not self.silent.is_set():
                self.close()

    def _greet(self, stream):
        while True:
            length, code = struct.unpack("!II", stream.read(8))
            rest = stream.read(length - 8)
            if code not in SSL_OR_GSS:
                self.server.sendall(struct.pack("!II", length, code) + rest)
                return
            self.client.sendall(b"N")

    def _commits(self, kind, body):
        if kind == b"Q":
            self.wrote |= self._writes(body)
            return body.upper().startswith(b"COMMIT")
        if kind == b"P":
            name, query, _ = body.split(b"\0", 2)
            (self.writers.add if self._writes(query) else self.writers.discard)(name)
            return query.upper().startswith(b"COMMIT")
        if kind == b"B":
            self.wrote |= body.split(b"\0", 2)[1] in self.writers
        return False

    @staticmethod
    def _writes(query):
        return b"INSERT" in query.upper() and WRITES in query

    def _from_server(self):
        try:
            with self.server.makefile("rb") as stream:
                while head := stream.read(5):
                    kind, length = head[:1], struct.unpack("!I", head[1:])[0]
                    body = stream.read(length - 4)
                    if self.silent.is_set():
                        if kind == b"C" and body.startswith(b"COMMIT"):
                            return
                        continue
                    self.client.sendall(head + body)
        except OSError:
            pass
        finally:
            self.close()
