"""A Hugging Face Hub of data sets in a folder, with the addresses that huggingface_hub asks.

    python tests/programs/data_hub.py FOLDER [--port P]

It prints {"port": P} when it listens. FOLDER/OWNER/NAME/BRANCH/FILE, where the branch's name is quoted
(refs%2Fconvert%2Fparquet). A branch's commit is a hash of its files, so that it changes with them. GET /asked gives the
requests so far, as [method, path].
"""

from __future__ import annotations

import argparse
import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit


def files_of(branch):
    return {path.relative_to(branch).as_posix(): path for path in sorted(branch.rglob("*")) if path.is_file()}


def commit_of(branch):
    digest = hashlib.sha1()
    for name, path in files_of(branch).items():
        digest.update(f"{name}\n{hashlib.sha1(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    asked: list

    def branch(self, owner, name, revision):
        """The branch, which may be named by its present commit; None if there is none."""
        repository = self.folder / owner / name
        named = repository / quote(revision, safe="")
        if named.is_dir():
            return named
        every = repository.iterdir() if repository.is_dir() else ()
        return next((branch for branch in every if commit_of(branch) == revision), None)

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path = urlsplit(self.path).path
        if path == "/asked":
            return self.answer(200, json.dumps(self.asked).encode())
        self.asked.append([self.command, path])
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[:2] == ["api", "datasets"] and parts[4:5] == ["revision"]:
            return self.tell(*parts[2:4], parts[5])
        if parts[0] == "datasets" and parts[3:4] == ["resolve"]:
            return self.send_file(*parts[1:3], parts[4], "/".join(parts[5:]))
        return self.answer(404)

    def do_HEAD(self):
        return self.do_GET()

    def tell(self, owner, name, revision):
        branch = self.branch(owner, name, revision)
        if branch is None:
            there = (self.folder / owner / name).is_dir()
            return self.answer(404, X_Error_Code="RevisionNotFound" if there else "RepoNotFound")
        told = {
            "id": f"{owner}/{name}",
            "sha": commit_of(branch),
            "siblings": [{"rfilename": file} for file in files_of(branch)],
        }
        return self.answer(200, json.dumps(told).encode(), Content_Type="application/json")

    def send_file(self, owner, name, revision, file):
        branch = self.branch(owner, name, revision)
        path = branch and files_of(branch).get(file)
        if not path:
            return self.answer(404, X_Error_Code="EntryNotFound" if branch else "RevisionNotFound")
        body = path.read_bytes()
        tag = hashlib.sha256(body).hexdigest()
        return self.answer(200, body, ETag=f'"{tag}"', X_Repo_Commit=commit_of(branch))

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    Hub.folder, Hub.asked = arguments.folder, []
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Hub)
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
