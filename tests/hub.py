"""A small Hugging Face hub on this machine: as much of its HTTP interface as the real clients ask for.

Models and datasets with commits and names for them; large files lie on another host, as they do at the real one;
access can be refused, and a download can break off.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Files = Mapping[str, bytes]

_API = re.compile(r"^/api/(models|datasets)/(?P<name>[^/]+/[^/]+)(/(?P<what>revision|tree|paths-info)/(?P<rest>.+))?$")
_RESOLVE = re.compile(r"^/(?P<datasets>datasets/)?(?P<name>[^/]+/[^/]+)/resolve/(?P<rest>.+)$")
EXPIRED = "hf_expired"
"""A token that the hub does not take any more."""
_LARGE = (".safetensors", ".bin", ".parquet", ".gguf", ".pth")


@dataclass
class Repository:
    """One model or dataset."""

    refs: dict[str, str] = field(default_factory=dict)
    """Commit of each branch and tag."""
    commits: dict[str, Files] = field(default_factory=dict)
    private: bool = False
    """Only who has a token sees it at all."""
    gated: bool = False
    """Everybody sees it; only who has a token gets its files."""
    tokens: set[str] = field(default_factory=set)
    broken: dict[str, list[int]] = field(default_factory=dict)
    """Files whose next downloads break off after so many bytes each."""

    def commit(self, files: Files, *names: str) -> str:
        """A new state of the repository, by its content; gives its id."""
        described = sorted((path, hashlib.sha256(content).hexdigest()) for path, content in files.items())
        commit = hashlib.sha1(json.dumps(described).encode(), usedforsecurity=False).hexdigest()
        self.commits[commit] = dict(files)
        self.refs.update(dict.fromkeys(names or ("main",), commit))
        return commit


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    host: str
    authorised: bool


@dataclass
class Hub:
    """The server's content, and what it was asked for."""

    address: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    down: bool = False
    """Whether every answer is that the service is unavailable."""

    def model(self, name: str, files: Files) -> str:
        """Put a model on the hub, or a new commit on its branch main; gives the commit."""
        return self.repositories.setdefault(f"models/{name}", Repository()).commit(files)

    def dataset(self, name: str, files: Files) -> str:
        """The same for a dataset."""
        return self.repositories.setdefault(f"datasets/{name}", Repository()).commit(files)

    def fetched(self) -> set[str]:
        """Names of the files whose bytes were sent."""
        return {one.path.split("/")[-1] for one in self.asked if one.method == "GET" and "/api/" not in one.path}

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """For a process whose hub this is, with a cache of its own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        return {**kept, "HF_ENDPOINT": self.address, "HF_HOME": str(home), **more}


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that answers until the context ends."""
    hub = Hub()
    handler = type("_Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield hub
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:  # named by the standard library
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        self.hub.asked.append(Asked(self.command, path, self.headers.get("Host") or "", bool(token)))
        if token == EXPIRED:
            said = "Invalid credentials in Authorization header"
            self._refuse(401, "", said, {"X-Error-Message": said})
        elif self.hub.down:
            self._refuse(503, "", "the service is unavailable")
        elif path.startswith("/large/"):
            commit, _, name = path.removeprefix("/large/").partition("/")
            repository = next(one for one in self.hub.repositories.values() if commit in one.commits)
            self._send_file(repository, name, repository.commits[commit][name], {})
        elif found := _API.match(path):
            self._api(found, token, body)
        elif found := _RESOLVE.match(path):
            kind = "datasets" if found["datasets"] else "models"
            self._resolve(f"{kind}/{found['name']}", found["rest"], token)
        else:
            self._refuse(404, "", "no such page")

    def _repository(self, key: str, token: str) -> Repository | None:
        repository = self.hub.repositories.get(key)
        if repository is None or (repository.private and token not in repository.tokens):
            self._refuse(404 if token else 401, "RepoNotFound", "Repository not found")
            return None
        return repository

    def _commit(self, repository: Repository, rest: str) -> tuple[str, str] | None:
        """The commit that the beginning of `rest` names, and what follows."""
        for name, commit in {**repository.refs, **{one: one for one in repository.commits}}.items():
            if rest == name or rest.startswith(f"{name}/"):
                return commit, rest[len(name) + 1 :]
        self._refuse(404, "RevisionNotFound", f"Invalid rev id: {rest.split('/')[0]}")
        return None

    def _api(self, found: re.Match[str], token: str, body: bytes) -> None:
        repository = self._repository(f"{found[1]}/{found['name']}", token)
        at = self._commit(repository, found["rest"] or "main") if repository is not None else None
        if repository is None or at is None:
            return
        files = repository.commits[at[0]]
        if found["what"] in (None, "revision"):
            siblings = [{"rfilename": path} for path in sorted(files)]
            self._send_json({"id": found["name"], "sha": at[0], "siblings": siblings, "gated": False, "tags": []})
        elif found["what"] == "tree":
            everything = "recursive=true" in urlsplit(self.path).query.lower()
            self._send_tree(_entries(files), at[1], everything)
        else:
            wanted = parse_qs(body.decode()).get("paths") or json.loads(body)["paths"]
            self._send_json([entry for path, entry in _entries(files).items() if path in wanted])

    def _send_tree(self, entries: Mapping[str, Any], folder: str, everything: bool) -> None:
        below = {path: entry for path, entry in entries.items() if path.startswith(f"{folder}/" if folder else "")}
        if folder and not below:
            self._refuse(404, "EntryNotFound", f"{folder} does not exist")
            return
        first = len(folder) + 1 if folder else 0
        self._send_json([entry for path, entry in below.items() if everything or "/" not in path[first:]])

    def _resolve(self, key: str, rest: str, token: str) -> None:
        repository = self._repository(key, token)
        at = self._commit(repository, rest) if repository is not None else None
        if repository is None or at is None:
            return
        if repository.gated and token not in repository.tokens:
            self._refuse(403 if token else 401, "GatedRepo", "Access to this repository is restricted")
            return
        commit, name = at
        files = repository.commits[commit]
        if name not in files:
            self._refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})
            return
        entry = _entry(name, files[name])
        if "lfs" in entry:
            place = f"{self.hub.address.replace('127.0.0.1', 'localhost')}/large/{commit}/{name}"
            linked = {"X-Linked-Size": str(len(files[name])), "X-Linked-Etag": f'"{entry["lfs"]["oid"]}"'}
            self._send(302, b"", {"Location": place, "X-Repo-Commit": commit, **linked})
        else:
            self._send_file(repository, name, files[name], {"X-Repo-Commit": commit, "ETag": f'"{entry["oid"]}"'})

    def _send_file(self, repository: Repository, name: str, content: bytes, headers: Mapping[str, str]) -> None:
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        start = int(wanted[1]) if wanted else 0
        piece = content[start : int(wanted[2]) + 1 if wanted and wanted[2] else None]
        more = {"Content-Range": f"bytes {start}-{start + len(piece) - 1}/{len(content)}"} if wanted else {}
        breaks = repository.broken.get(name) if self.command == "GET" else None
        at_most = breaks.pop(0) if breaks else None
        self._send(206 if wanted else 200, piece, {**headers, **more, "Accept-Ranges": "bytes"}, at_most)

    def _send_json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        said = {"X-Error-Code": code, "X-Error-Message": message} if code else {}
        self._send(status, json.dumps({"error": message}).encode(), {**said, **(headers or {})})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], at_most: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:at_most])
            if at_most is not None and at_most < len(body):
                self.close_connection = True


def _entries(files: Files) -> dict[str, dict[str, Any]]:
    """Files and folders by path."""
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents} - {"."}
    entries = {path: {"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders}
    return dict(sorted({**entries, **{path: _entry(path, content) for path, content in files.items()}}.items()))


def _entry(path: str, content: bytes) -> dict[str, Any]:
    blob = b"blob %d\0" % len(content) + content
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content)}
    entry["oid"] = hashlib.sha1(blob, usedforsecurity=False).hexdigest()
    if path.endswith(_LARGE):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return entry
