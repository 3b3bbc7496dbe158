"""The running provider: started once, it serves every Terraform command that is told of it, until it is stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from tf.gen import (
    grpc_controller_pb2_grpc,
    grpc_stdio_pb2_grpc,
    tfplugin_pb2_grpc,
)

from fonderie.core.errors import StepFailedError
from fonderie.sandbox.lifecycle.interface import Lifecycle
from fonderie.sandbox.planning.planner import Planner
from fonderie.sandbox.protocol.servicer import CallerOf, Provider, nobody_asked
from fonderie.sandbox.provider.schema import ProviderSchema

ADDRESSES = ("registry.terraform.io/hashicorp/google", "registry.opentofu.org/hashicorp/google")
_THREADS = 1024  # of several commands at once many may wait, and a command that stops must be heard; made as needed
_GRACE_S = 5.0
_OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]


@dataclass(frozen=True)
class RunningProvider:
    """A provider that is up."""

    address: str  # host:port on the loopback interface

    @property
    def environment(self) -> dict[str, str]:
        """What a Terraform or OpenTofu command needs to find it (and to neither fetch, start nor stop one itself)."""
        reattach = {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": os.getpid(),
            "Test": True,
            "Addr": {"Network": "tcp", "String": self.address},
        }
        return {"TF_REATTACH_PROVIDERS": json.dumps(dict.fromkeys(ADDRESSES, reattach))}


@contextmanager
def serve_provider(
    schema: ProviderSchema, planner: Planner, lifecycle: Lifecycle, caller_of: CallerOf = nobody_asked
) -> Iterator[RunningProvider]:
    """Serve until the block ends; a listener is one identity's. Connections come over loopback TCP, not a Unix socket:
    there the peer's address tells them apart, and with them the provider blocks of parallel stacks. Raises
    StepFailedError when no port is free."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="sandbox") as threads:
        server = grpc.server(threads, options=_OPTIONS)
        tfplugin_pb2_grpc.add_ProviderServicer_to_server(Provider(schema, planner, lifecycle, caller_of), server)
        grpc_controller_pb2_grpc.add_GRPCControllerServicer_to_server(_Controller(), server)
        grpc_stdio_pb2_grpc.add_GRPCStdioServicer_to_server(_Stdio(), server)
        try:
            port = server.add_insecure_port("127.0.0.1:0")
        except RuntimeError as problem:
            raise StepFailedError("the sandbox cannot listen on 127.0.0.1", hint=str(problem)) from problem
        server.start()
        try:
            yield RunningProvider(f"127.0.0.1:{port}")
        finally:
            server.stop(_GRACE_S).wait()


class _Controller(grpc_controller_pb2_grpc.GRPCControllerServicer):  # type: ignore[misc]  # the stubs have no types
    def Shutdown(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Stay up: the next command comes."""
        return type(request)()


class _Stdio(grpc_stdio_pb2_grpc.GRPCStdioServicer):  # type: ignore[misc]  # the stubs have no types
    def StreamStdio(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Say nothing."""
        yield from ()
