"""Speak with Modal: start calls, ask how they are, cancel them, and read and write the Volume.

Results of calls are never read: Modal's client would unpickle what a machine sent. Whether a call has ended is in its
call graph, and what it did in the Volume.
"""

from __future__ import annotations

import contextlib
import functools
import io
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engines.modal.app_file import FUNCTION
from results.errors import BenchError, ResultsError, UsageError
from results.extras import install_command
from results.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engines.modal.settings import Settings

TOKEN_HINT: Final = "run `modal token new`, or set $MODAL_TOKEN_ID and $MODAL_TOKEN_SECRET"  # noqa: S105 - no secret

DEPLOY_HINT: Final = "run `bench_runner.py sweep --engine modal --deploy-engine` with the same settings"


def require_modal() -> None:
    """Raise UsageError unless Modal's client is installed."""
    try:
        import modal  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "the engine modal needs Modal's client, which is not installed", hint=install_command("modal")
        ) from error


def require_token() -> None:
    """Raise UsageError unless there is a token. It may still be one that Modal doesn't take."""
    from modal.config import config

    if not (config.get("token_id") and config.get("token_secret")):
        raise UsageError("there is no token for Modal on this machine", hint=TOKEN_HINT)


class Service:
    """One app at Modal and its Volume. Methods raise UsageError for what only the user can change, such as a wrong
    token or an app that isn't deployed, and ResultsError if Modal can't be reached or fails.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def spawn(self, name: str, deployment: str, sha256: str) -> str:
        """Start a call that does the attempt of that name and checksum. Returns its id."""
        import modal

        with self._deployed():
            call = modal.Function.from_name(self._settings.app, FUNCTION).spawn(name, deployment, sha256)
            return str(call.object_id)

    def ended(self, call_id: str) -> str | None:
        """How a call ended, in a word; None while it waits or runs, and if Modal doesn't say."""
        import modal
        from modal.types import InputStatus

        try:
            with _explained():
                graph = modal.FunctionCall.from_id(call_id).get_call_graph()
        except _Gone:
            return "it is not known to Modal any more"
        for info in graph:
            if info.function_call_id == call_id:
                return None if info.status is InputStatus.PENDING else str(info.status.name).lower()
        return None

    def cancel(self, call_id: str, *, kill: bool) -> None:
        """Idempotent. kill: end its machine too, at once."""
        import modal

        with contextlib.suppress(_Gone), _explained():
            modal.FunctionCall.from_id(call_id).cancel(terminate_containers=kill)

    def with_volume(self, name: str) -> Service:
        """The same app with a Volume of that name."""
        return Service(msgspec.structs.replace(self._settings, volume=name))

    def blobs(self, address: str) -> VolumeBlobs:
        return VolumeBlobs(self._volume, address)

    def check(self) -> None:
        """Ask Modal whether the token is right, the app is deployed and the Volume there."""
        import modal

        with self._deployed():
            modal.Function.from_name(self._settings.app, FUNCTION).hydrate()
            self._volume.hydrate()

    def names_in(self, volume: str) -> frozenset[str]:
        """What lies at the top of a Volume; nothing if there is no such Volume yet."""
        import modal

        try:
            with _explained():
                entries = modal.Volume.from_name(volume).listdir("/", recursive=False)
        except _Gone:
            return frozenset()
        return frozenset(entry.path.rpartition("/")[2] for entry in entries)

    @functools.cached_property
    def _volume(self) -> Any:
        import modal

        return modal.Volume.from_name(self._settings.volume, create_if_missing=True, version=2)

    @contextlib.contextmanager
    def _deployed(self) -> Iterator[None]:
        try:
            with _explained():
                yield
        except _Gone as error:
            raise UsageError(
                f"the app {self._settings.app} is not deployed at Modal: {error.message}", hint=DEPLOY_HINT
            ) from error


class VolumeBlobs:
    """`Blobs` in a Volume, from a machine that hasn't mounted it."""

    def __init__(self, volume: Any, address: str) -> None:
        self._volume = volume
        self._address = address

    def put(self, name: str, data: bytes) -> None:
        with self._as_os_error(), self._volume.batch_upload(force=True) as batch:
            batch.put_file(io.BytesIO(data), self._path(name))

    def put_file(self, name: str, path: Path) -> None:
        with self._as_os_error(), self._volume.batch_upload(force=True) as batch:
            batch.put_file(path, self._path(name))

    def get(self, name: str, most: int) -> bytes | None:
        found = bytearray()
        try:
            with self._as_os_error():
                for chunk in self._volume.read_file(self._path(name)):
                    found += chunk
                    if len(found) >= most:
                        break
        except FileNotFoundError:
            return None
        return bytes(found[:most])

    def remove(self, folder: str) -> None:
        with contextlib.suppress(FileNotFoundError), self._as_os_error():
            self._volume.remove_file(self._path(folder), recursive=True)

    def _path(self, name: str) -> str:
        return f"{self._address}/{name}"

    @staticmethod
    @contextlib.contextmanager
    def _as_os_error() -> Iterator[None]:
        try:
            with _explained():
                yield
        except _Gone as error:
            raise FileNotFoundError(error.message) from error
        except ResultsError as error:
            raise OSError(error.message) from error


class _Gone(ResultsError):
    """Modal doesn't know what was asked for."""


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """What Modal's client raises, as errors of ours."""
    import modal.exception as modal

    try:
        yield
    except modal.AuthError as error:
        raise UsageError(f"Modal doesn't let this machine in: {_text(error)}", hint=TOKEN_HINT) from error
    except modal.PermissionDeniedError as error:
        raise UsageError(
            f"Modal doesn't allow it: {_text(error)}", hint="ask the workspace's owner"
        ) from error
    except modal.NotFoundError as error:
        raise _Gone(_text(error)) from error
    except modal.InvalidError as error:
        raise UsageError(f"Modal refuses it: {_text(error)}", hint="correct the engine's settings") from error
    except (BenchError, FileNotFoundError):
        raise
    except Exception as error:
        raise ResultsError(f"Modal failed: {_text(error)}", hint="try again later: sweep --resume") from error


def _text(error: BaseException) -> str:
    return plain(str(error))[:500] or type(error).__name__
