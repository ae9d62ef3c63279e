"""The container engine on this machine, Docker or Podman, through the Docker API on its Unix socket."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from docker import APIClient
from docker.errors import DockerException, ImageNotFound

from sandbox.contract import SandboxError

TIMEOUT_S = 60
HINT = "start Docker (`systemctl start docker`) or Podman (`systemctl --user start podman.socket`), or set DOCKER_HOST"


@dataclass(frozen=True)
class Image:
    """id: of the content, "sha256:...". architecture: in Go's words, such as "amd64".

    volumes: folders in which programs could write.
    """

    id: str
    architecture: str
    volumes: tuple[str, ...]
    healthcheck: bool


@dataclass(frozen=True)
class Engine:
    """version: such as "Docker 27.3.1". path: of its socket."""

    client: APIClient
    path: str
    version: str

    @classmethod
    def connect(cls) -> Self:
        """At $DOCKER_HOST, else the first of the usual sockets that there is. Raises SandboxError."""
        url = os.environ.get("DOCKER_HOST") or next(
            (f"unix://{path}" for path in _usual_sockets() if path.exists()), None
        )
        if url is None:
            raise SandboxError("no container engine was found on this machine", hint=HINT)
        if not url.startswith("unix://"):
            raise SandboxError(
                f"DOCKER_HOST={url} is not a socket of this machine",
                hint="containers only end with the harness if both are on one machine: DOCKER_HOST=unix:///...",
            )
        path = url.removeprefix("unix://")
        try:
            with socket.socket(
                socket.AF_UNIX
            ) as trial:  # for a clear answer, and docker leaves a socket open
                trial.connect(path)
            client = APIClient(base_url=url, version="auto", timeout=TIMEOUT_S)
        except (DockerException, OSError) as error:
            raise _unreachable(url, error) from error
        try:
            said = client.version()
        except (DockerException, OSError) as error:
            client.close()
            raise _unreachable(url, error) from error
        podman = any("Podman" in component["Name"] for component in said.get("Components") or ())
        return cls(client, path, f"{'Podman' if podman else 'Docker'} {said['Version']}")

    def image(self, name: str) -> Image:
        """The image of that name, which must be there. Raises SandboxError."""
        try:
            said = self.client.inspect_image(name)
        except ImageNotFound as error:
            raise SandboxError(
                f"{self.version} has no image {name!r}", hint=f"docker pull {name} (or podman pull)"
            ) from error
        except (DockerException, OSError) as error:
            raise SandboxError(f"{self.version} can't inspect the image {name!r}: {error}") from error
        configured = said.get("Config") or {}
        return Image(
            said["Id"],
            said.get("Architecture", ""),
            tuple(configured.get("Volumes") or ()),
            bool(configured.get("Healthcheck")),
        )

    def attach(self, container: str) -> socket.socket:
        """Its input, and its output in frames, as long as the socket is open. Raises OSError, DockerException.

        As docs.docker.com/reference/api/engine has it (ContainerAttach); docker's own function for it does not give
        away the socket, which is closed when an HTTP response is collected.
        """
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(TIMEOUT_S)
            connection.connect(self.path)
            connection.sendall(
                f"POST /containers/{container}/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\n"
                "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode()
            )
            head = b""
            while not head.endswith(b"\r\n\r\n"):  # one by one, since the container's output may follow
                byte = connection.recv(1)
                if not byte:
                    raise DockerException("the engine closed the connection")
                head += byte
            status = head.split(None, 2)[1]
            if status not in {b"101", b"200"}:
                raise DockerException(_message(connection.recv(4096)) or head.decode("latin-1"))
            connection.settimeout(None)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close the connections. Is idempotent."""
        self.client.close()


def _message(body: bytes) -> str:
    """What an engine says in the body of a refusal."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, LookupError, TypeError):
        return body.decode("utf-8", "replace").strip()


def _usual_sockets() -> list[Path]:
    run = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
    own = [run / "docker.sock", run / "podman" / "podman.sock"]
    return [Path("/var/run/docker.sock"), *own, Path("/run/podman/podman.sock")]


def _unreachable(url: str, error: Exception) -> SandboxError:
    if isinstance(error, PermissionError):
        return SandboxError(
            f"the container engine at {url} does not accept this user",
            hint="use rootless Podman or Docker, or join the group that owns the socket (which is as good as root)",
        )
    return SandboxError(f"no container engine answers at {url}: {error}", hint=HINT)
