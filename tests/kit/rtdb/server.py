"""The HTTP side of FakeRtdb: the documented REST interface on a loopback socket."""

import contextlib
import hashlib
import json
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from kit.canaries import WATCH
from kit.rtdb import tree
from kit.rtdb.rules import RuleBook

NULL_ETAG = "null_etag"


@dataclass(slots=True)
class Fault:
    """Strikes the next matching requests.

    `kind`: lose_answer (done, then the connection breaks), drop (the connection breaks, nothing
    done), slow (waits until `release` is set; `over` when it is done).
    """

    kind: str
    method: str
    path: str = ""
    times: int = 1
    release: threading.Event = field(default_factory=threading.Event)
    struck: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


class DeniedError(Exception):
    """What the service answers with 401."""


class UnmetError(Exception):
    """What the service answers with 412."""


class FakeRtdb:
    """One instance. `with FakeRtdb(rules, now_ms=...) as fake:` serves it at `fake.url`."""

    def __init__(self, rules: Mapping[str, Any], *, now_ms: int) -> None:
        self.book = RuleBook(rules, now_ms)
        self.root: Any = None
        self.faults: list[Fault] = []
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.fake = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        WATCH.hear("the Firebase database", json.dumps(self.root))
        for fault in self.faults:
            fault.release.set()
        self._server.shutdown()
        # The SDK's closed sessions leave their connections to the garbage collector.
        for connection in list(self._server.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/?ns=fake"

    def take_fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.times and fault.method == method and fault.path in path:
                    fault.times -= 1
                    fault.struck.set()
                    return fault
        return None

    def read(self, path: tree.Path, auth: Any, query: Mapping[str, str]) -> tuple[Any, str]:
        with self._lock:
            root = self.root
        if auth is not None and not self.book.may_read(auth, root, path):
            raise DeniedError
        value = tree.get(root, path)
        if "orderBy" in query:
            return self._selected(path, value, query, checked=auth is not None), ""
        if query.get("shallow") == "true" and isinstance(value, dict):
            return dict.fromkeys(value, True), ""
        return tree.shown(value), etag(value)

    def write(self, path: tree.Path, auth: Any, value: Any, if_match: str | None) -> Any:
        """PUT, or DELETE with None."""
        with self._lock:
            before = tree.get(self.root, path)
            if if_match is not None and if_match not in ("*", etag(before)):
                if auth is None or self.book.may_read(auth, self.root, path):
                    raise UnmetError
                raise DeniedError
            new_root = tree.put(self.root, path, tree.taken(value))
            self._require(auth, new_root, [path])
            self.root = new_root
            return tree.get(new_root, path)

    def update(self, path: tree.Path, auth: Any, values: Mapping[str, Any]) -> None:
        """PATCH: each key is a path below, written together or not at all."""
        with self._lock:
            new_root, places = self.root, []
            for key, value in values.items():
                parts = tuple(key.split("/"))
                for part in parts:
                    tree.check_key(part)
                places.append((*path, *parts))
                new_root = tree.put(new_root, places[-1], tree.taken(value))
            _require_apart(places)
            self._require(auth, new_root, places)
            self.root = new_root

    def _require(self, auth: Any, new_root: Any, places: list[tree.Path]) -> None:
        if auth is None:
            return
        if not all(self.book.may_write(auth, self.root, new_root, place) for place in places):
            raise DeniedError

    def _selected(
        self, path: tree.Path, value: Any, query: Mapping[str, str], *, checked: bool
    ) -> Any:
        by = json.loads(query["orderBy"])
        if checked and not by.startswith("$") and not self.book.has_index(path, by):
            raise tree.BadRequestError(
                f'Index not defined, add ".indexOn": "{by}" to the rules of "{"/".join(path)}"'
            )
        children = value if isinstance(value, dict) else {}
        keyed = sorted(
            (
                key_order(key) if by == "$key" else (tree.order(tree.get(one, by.split("/"))), key),
                key,
            )
            for key, one in children.items()
        )
        keyed = [one for one in keyed if _within(one[0][0], query, by_key=by == "$key")]
        if "limitToFirst" in query:
            keyed = keyed[: int(query["limitToFirst"])]
        if "limitToLast" in query:
            keyed = keyed[-int(query["limitToLast"]) :] if int(query["limitToLast"]) else []
        found = {key: children[key] for _, key in keyed}
        return tree.shown(found) if found else None


def _place(key: str, child: Any, by: str) -> tuple[Any, str]:
    if by == "$key":
        return key_order(key)
    return tree.order(tree.get(child, by.split("/"))), key


def key_order(key: str) -> tuple[tuple[int, Any], str]:
    """Keys that are 32-bit numbers come first, in the order of numbers."""
    is_number = key.lstrip("-").isdigit() and str(int(key)) == key and abs(int(key)) < 2**31
    return ((0, int(key)) if is_number else (1, key)), key


def _within(place: Any, query: Mapping[str, str], *, by_key: bool) -> bool:
    def bound(name: str) -> Any:
        value = json.loads(query[name])
        return key_order(str(value))[0] if by_key else tree.order(value)

    return (
        ("equalTo" not in query or place == bound("equalTo"))
        and ("startAt" not in query or place >= bound("startAt"))
        and ("endAt" not in query or place <= bound("endAt"))
    )


def _require_apart(places: list[tree.Path]) -> None:
    seen = set(places)
    for place in places:
        if any(place[:depth] in seen for depth in range(len(place))):
            raise tree.BadRequestError("Invalid data; one path is an ancestor of another")
    if len(seen) < len(places):
        raise tree.BadRequestError("Invalid data; a path is named twice")


def etag(value: Any) -> str:
    if value is None:
        return NULL_ETAG
    text = json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()[:24]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 64
    fake: FakeRtdb

    def __init__(self, *words: Any) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(*words)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no news."""


class _Handler(socketserver.StreamRequestHandler):
    """Speaks as much HTTP as the SDK does: the library's own reader takes a third of a test."""

    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 5
    server: _Server
    headers: Mapping[str, str]

    def handle(self) -> None:
        self.server.connections.add(self.connection)
        with contextlib.suppress(OSError):
            while self._serve_one():
                pass
        self.server.connections.discard(self.connection)

    def _serve_one(self) -> bool:
        line = self.rfile.readline().decode("latin-1")
        if not line:
            return False
        method, target, _ = line.split(" ", 2)
        self.headers = dict(iter(self._header, ("", "")))
        return self._serve(
            method, target, self.rfile.read(int(self.headers.get("content-length", 0)))
        )

    def _header(self) -> tuple[str, str]:
        name, _, value = self.rfile.readline().decode("latin-1").partition(":")
        return name.strip().lower(), value.strip()

    def _serve(self, method: str, target: str, body: bytes) -> bool:
        """Answer one request; False if the connection ends with it."""
        address = urlsplit(target)
        fake = self.server.fake
        fake.calls[method] += 1
        fault = fake.take_fault(method, address.path)
        if fault is not None and fault.kind == "slow":
            fault.release.wait(30)
        if fault is not None and fault.kind == "drop":
            self.connection.shutdown(socket.SHUT_RDWR)
            return False
        status, answer, headers = self._done(method, address, body)
        if fault is not None:
            fault.over.set()
        if fault is not None and fault.kind == "lose_answer":
            self.connection.shutdown(socket.SHUT_RDWR)
            return False
        self._answer(status, answer, headers)
        return True

    def _done(self, method: str, address: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        fake = self.server.fake
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        try:
            path = _path(address.path)
            auth = self._auth(query)
            match method:
                case "GET":
                    value, tag = fake.read(path, auth, query)
                    wanted = self.headers.get("x-firebase-etag") == "true"
                    return 200, value, {"ETag": tag} if wanted else {}
                case "PATCH":
                    if self.headers.get("if-match"):
                        raise tree.BadRequestError("if-match is not supported for PATCH")  # noqa: TRY301
                    fake.update(path, auth, json.loads(body))
                    return 204, None, {}
                case _:
                    value = json.loads(body) if method == "PUT" else None
                    kept = fake.write(path, auth, value, self.headers.get("if-match"))
                    silent = query.get("print") == "silent"
                    return (204, None, {}) if silent else (200, kept, {"ETag": etag(kept)})
        except DeniedError:
            return 401, {"error": "Permission denied"}, {}
        except UnmetError:
            value = tree.get(fake.root, _path(address.path))
            return 412, tree.shown(value), {"ETag": etag(value)}
        except (tree.BadRequestError, ValueError) as error:
            return 400, {"error": str(error)}, {}

    def _auth(self, query: Mapping[str, str]) -> Any:
        """None: the administrator, whom no rule binds."""
        if not (self.headers.get("authorization") or "").startswith("Bearer "):
            return {}
        override = query.get("auth_variable_override")
        return json.loads(override) if override else None

    def _answer(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        body = b"" if status == 204 else json.dumps(value).encode()
        lines = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            *(f"{name}: {text}" for name, text in (headers or {}).items()),
            "Content-Type: application/json; charset=utf-8",
            f"Content-Length: {len(body)}",
        ]
        self.wfile.write("\r\n".join((*lines, "", "")).encode() + body)
        self.wfile.flush()


def _path(address: str) -> tree.Path:
    found = tuple(unquote(part) for part in address.removesuffix(".json").split("/") if part)
    for part in found:
        tree.check_key(part)
    return found
