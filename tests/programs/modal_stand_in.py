"""A server that stands for Modal: its client's real requests, for one app whose calls are processes of this machine.

    modal_stand_in.py FOLDER APP_FILE

FOLDER/volume is the Volume, FOLDER/calls.jsonl has a line for each call's start and end, FOLDER/address the server's
address once it listens. FOLDER/held, while it is there, keeps calls from starting, as a queue does. Not deployed at all
if APP_FILE doesn't exist. Tokens other than ak-good are refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import pickle
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import grpclib
from aiohttp import web
from google.protobuf.empty_pb2 import Empty
from grpclib.events import RecvRequest, listen
from grpclib.server import Server
from modal_proto import api_grpc, api_pb2

FOLDER, APP_FILE = Path(sys.argv[1]), Path(sys.argv[2])
VOLUME = FOLDER / "volume"
RUN = "import runpy, sys; sys.exit(runpy.run_path(sys.argv[1])['unit'].local(*sys.argv[2:]))"
PENDING, SUCCESS, FAILURE, TERMINATED = 0, 1, 2, 3


class Call:
    """One function call: waits, runs in a session of its own, ends."""

    def __init__(self, number: int, args: tuple) -> None:
        self.id = f"fc-{number:08}"
        self.args = args
        self.status = PENDING
        self.process: asyncio.subprocess.Process | None = None
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        while (FOLDER / "held").exists():  # noqa: ASYNC110 - another process removes it
            await asyncio.sleep(0.05)
        log = (FOLDER / "calls.log").open("ab")
        words = [sys.executable, "-c", RUN, str(APP_FILE), *self.args, str(VOLUME)]
        self.process = await asyncio.create_subprocess_exec(
            *words, stdout=log, stderr=log, start_new_session=True
        )
        self.note("start", pid=self.process.pid)
        code = await self.process.wait()
        if self.status == PENDING:
            self.status = SUCCESS if code == 0 else FAILURE
        self.note("end", code=code)

    def note(self, what: str, **facts: object) -> None:
        with (FOLDER / "calls.jsonl").open("a") as file:
            file.write(json.dumps({"call": self.id, "what": what, "args": self.args, **facts}) + "\n")

    def cancel(self, *, kill: bool) -> None:
        self.status = TERMINATED if self.status == PENDING else self.status
        if self.process is None:
            self.task.cancel()
        elif self.process.returncode is None:
            if kill:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.send_signal(signal.SIGINT)  # an exception within the function, as at Modal


class Modal(api_grpc.ModalClientBase):
    """What of Modal's interface the engine's client uses. The rest is not implemented."""

    def __init__(self, blocks_url: str) -> None:
        self.calls: dict[str, Call] = {}
        self.blocks: dict[bytes, bytes] = {}
        self.blocks_url = blocks_url
        self.deployed: dict[str, Any] = {"files": [], "image": [], "secrets": []}

    async def FunctionGet(self, stream):  # noqa: N802 - these are Modal's names
        await stream.recv_message()
        if not APP_FILE.exists():  # noqa: ASYNC240
            raise grpclib.GRPCError(grpclib.Status.NOT_FOUND, "No App with that name in the environment")
        metadata, data = _function()
        await stream.send_message(
            api_pb2.FunctionGetResponse(function_id="fu-1", handle_metadata=metadata, function=data)
        )

    async def FunctionMap(self, stream):  # noqa: N802
        request = await stream.recv_message()
        args, _ = pickle.loads(request.pipelined_inputs[0].input.args)  # of our own test
        call = Call(len(self.calls) + 1, args)
        self.calls[call.id] = call
        item = api_pb2.FunctionPutInputsResponseItem(idx=0, input_id=f"in-{call.id}")
        await stream.send_message(
            api_pb2.FunctionMapResponse(function_call_id=call.id, pipelined_inputs=[item])
        )

    async def FunctionGetCallGraph(self, stream):  # noqa: N802
        request = await stream.recv_message()
        call = self.calls.get(request.function_call_id)
        if call is None:
            raise grpclib.GRPCError(grpclib.Status.NOT_FOUND, "no such function call")
        given = api_pb2.InputCallGraphInfo(
            input_id=f"in-{call.id}", status=call.status, function_call_id=call.id, task_id="ta-1"
        )
        function = api_pb2.FunctionCallCallGraphInfo(
            function_call_id=call.id, function_name="unit", module_name="bench_runner_modal"
        )
        await stream.send_message(
            api_pb2.FunctionGetCallGraphResponse(inputs=[given], function_calls=[function])
        )

    async def FunctionCallCancel(self, stream):  # noqa: N802
        request = await stream.recv_message()
        if request.function_call_id in self.calls:
            self.calls[request.function_call_id].cancel(kill=request.terminate_containers)
        await stream.send_message(Empty())

    async def VolumeGetOrCreate(self, stream):  # noqa: N802
        request = await stream.recv_message()
        VOLUME.mkdir(exist_ok=True)
        version = api_pb2.VOLUME_FS_VERSION_V2
        metadata = api_pb2.VolumeMetadata(version=version, name=request.deployment_name)
        await stream.send_message(
            api_pb2.VolumeGetOrCreateResponse(
                volume_id=f"vo-{request.deployment_name}", version=version, metadata=metadata
            )
        )

    async def VolumePutFiles2(self, stream):  # noqa: N802
        request = await stream.recv_message()
        missing = [
            api_pb2.VolumePutFiles2Response.MissingBlock(
                file_index=number,
                block_index=index,
                put_url=f"{self.blocks_url}/put/{block.contents_sha256.hex()}",
            )
            for number, file in enumerate(request.files)
            for index, block in enumerate(file.blocks)
            if block.contents_sha256 not in self.blocks
        ]
        for file in () if missing else request.files:
            path = VOLUME / file.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.put")
            temporary.write_bytes(b"".join(self.blocks[block.contents_sha256] for block in file.blocks))
            temporary.replace(path)
        await stream.send_message(api_pb2.VolumePutFiles2Response(missing_blocks=missing))

    async def VolumeGetFile2(self, stream):  # noqa: N802
        request = await stream.recv_message()
        path = VOLUME / request.path.lstrip("/")
        if not path.is_file():
            raise grpclib.GRPCError(grpclib.Status.NOT_FOUND, f"{request.path}: no such file")
        size = path.stat().st_size
        urls = [f"{self.blocks_url}/get/{request.path.lstrip('/')}"] if size else []
        await stream.send_message(api_pb2.VolumeGetFile2Response(get_urls=urls, size=size, start=0, len=size))

    async def VolumeRemoveFile2(self, stream):  # noqa: N802
        request = await stream.recv_message()
        path = VOLUME / request.path.lstrip("/")
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
        else:
            raise grpclib.GRPCError(grpclib.Status.NOT_FOUND, f"{request.path}: no such file")
        await stream.send_message(Empty())

    async def AppGetByDeploymentName(self, stream):  # noqa: N802
        await stream.recv_message()
        await stream.send_message(api_pb2.AppGetByDeploymentNameResponse(app_id=""))

    async def EnvironmentGetOrCreate(self, stream):  # noqa: N802
        await stream.recv_message()
        settings = api_pb2.EnvironmentSettings(image_builder_version="2025.06")
        metadata = api_pb2.EnvironmentMetadata(name="main", settings=settings)
        await stream.send_message(
            api_pb2.EnvironmentGetOrCreateResponse(environment_id="en-1", metadata=metadata)
        )

    async def AppHeartbeat(self, stream):  # noqa: N802
        await stream.recv_message()
        await stream.send_message(Empty())

    async def AppClientDisconnect(self, stream):  # noqa: N802
        await stream.recv_message()
        await stream.send_message(Empty())

    async def MountBatchedCheckExistence(self, stream):  # noqa: N802
        await stream.recv_message()
        await stream.send_message(api_pb2.MountBatchedCheckExistenceResponse())

    async def AppCreate(self, stream):  # noqa: N802
        await stream.recv_message()
        await stream.send_message(
            api_pb2.AppCreateResponse(app_id="ap-1", app_page_url="https://modal.example/ap-1")
        )

    async def MountPutFile(self, stream):  # noqa: N802
        await stream.recv_message()
        await stream.send_message(api_pb2.MountPutFileResponse(exists=True))

    async def MountGetOrCreate(self, stream):  # noqa: N802
        request = await stream.recv_message()
        self.deployed["files"] += [file.filename for file in request.files]
        await stream.send_message(
            api_pb2.MountGetOrCreateResponse(mount_id=f"mo-{len(self.deployed['files'])}")
        )

    async def ImageGetOrCreate(self, stream):  # noqa: N802
        request = await stream.recv_message()
        self.deployed["image"] += list(request.image.dockerfile_commands)
        result = api_pb2.GenericResult(status=api_pb2.GenericResult.GENERIC_STATUS_SUCCESS)
        await stream.send_message(
            api_pb2.ImageGetOrCreateResponse(image_id=f"im-{len(self.deployed['image'])}", result=result)
        )

    async def SecretGetOrCreate(self, stream):  # noqa: N802
        request = await stream.recv_message()
        self.deployed["secrets"].append(request.deployment_name)
        await stream.send_message(api_pb2.SecretGetOrCreateResponse(secret_id="st-1"))

    async def FunctionPrecreate(self, stream):  # noqa: N802
        await stream.recv_message()
        await stream.send_message(
            api_pb2.FunctionPrecreateResponse(function_id="fu-1", handle_metadata=_function()[0])
        )

    async def FunctionCreate(self, stream):  # noqa: N802
        request = await stream.recv_message()
        function = request.function
        self.deployed |= {
            "name": function.function_name,
            "gpu": f"{function.resources.gpu_config.gpu_type}:{function.resources.gpu_config.count}",
            "timeout_s": function.timeout_secs,
            "volumes": {each.mount_path: each.volume_id for each in function.volume_mounts},
            "at_once": function.autoscaler_settings.max_containers,
            "retries": function.retry_policy.retries,
        }
        metadata, data = _function()
        await stream.send_message(
            api_pb2.FunctionCreateResponse(function_id="fu-1", handle_metadata=metadata, function_data=data)
        )

    async def AppPublish(self, stream):  # noqa: N802
        request = await stream.recv_message()
        path = FOLDER / "deployed.json"
        path.write_text(json.dumps({"app": request.name, **self.deployed}))
        await stream.send_message(api_pb2.AppPublishResponse(url="https://modal.example/ap-1"))

    async def put_block(self, request: web.Request) -> web.Response:
        data = await request.read()
        self.blocks[hashlib.sha256(data).digest()] = data
        return web.Response(body=b"stored")

    async def get_block(self, request: web.Request) -> web.Response:
        return web.Response(body=(VOLUME / request.match_info["path"]).read_bytes())


def _function() -> tuple[api_pb2.FunctionHandleMetadata, api_pb2.FunctionData]:
    metadata = api_pb2.FunctionHandleMetadata(
        function_name="unit", function_type=api_pb2.Function.FUNCTION_TYPE_FUNCTION
    )
    ranked = api_pb2.FunctionData.RankedFunction(rank=0, function=api_pb2.Function(function_name="unit"))
    return metadata, api_pb2.FunctionData(function_name="unit", ranked_functions=[ranked])


def _not_implemented(name: str):
    async def refuse(self, stream) -> None:
        raise grpclib.GRPCError(grpclib.Status.UNIMPLEMENTED, name)

    return refuse


for each in Modal.__abstractmethods__:
    setattr(Modal, each, _not_implemented(each))
Modal.__abstractmethods__ = frozenset()


async def _let_in(event: RecvRequest) -> None:
    if event.metadata.get("x-modal-token-id") != "ak-good":
        raise grpclib.GRPCError(grpclib.Status.UNAUTHENTICATED, "Token ID is malformed")


async def main() -> None:
    FOLDER.mkdir(exist_ok=True)  # noqa: ASYNC240
    app = web.Application(client_max_size=64 << 20)
    runner = web.AppRunner(app)
    modal = Modal("")
    app.router.add_put("/put/{name}", modal.put_block)
    app.router.add_get("/get/{path:.*}", modal.get_block)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    modal.blocks_url = "http://127.0.0.1:{1}".format(*runner.addresses[0])
    server = Server([modal])
    listen(server, RecvRequest, _let_in)
    await server.start("127.0.0.1", 0)
    port = next(iter(server._server.sockets)).getsockname()[1]
    temporary = FOLDER / "address.tmp"
    temporary.write_text(f"http://127.0.0.1:{port}")
    temporary.replace(FOLDER / "address")
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    for call in modal.calls.values():
        with contextlib.suppress(ProcessLookupError):
            call.cancel(kill=True)
    tasks = [call.task for call in modal.calls.values()]
    await asyncio.gather(*tasks, return_exceptions=True)
    server.close()
    await runner.cleanup()


asyncio.run(main())
