"""The provider's side of Terraform's plugin protocol: decode a call, answer it by planning or applying, encode."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import grpc
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc

from fonderie.core.errors import FonderieError
from fonderie.sandbox.cloud.clock import STOPPED
from fonderie.sandbox.iam.caller import ANYONE, Caller
from fonderie.sandbox.lifecycle.interface import (
    UNKNOWN,
    ApiError,
    Diagnostic,
    DiagnosticSeverity,
    Lifecycle,
    ProviderConfig,
    State,
)
from fonderie.sandbox.planning.normalisation import as_created, as_refreshed
from fonderie.sandbox.planning.planner import Planner
from fonderie.sandbox.protocol import messages, wire
from fonderie.sandbox.provider.schema import Block, ProviderSchema

_REMEMBERED = 1024  # connections whose provider block is kept; Terraform makes one a provider instance and command

Call = TypeVar("Call", bound=Callable[..., Any])
CallerOf = Callable[[ProviderConfig], Caller]  # who a provider block's calls are made by; may raise FonderieError


def nobody_asked(_provider: ProviderConfig) -> Caller:
    """Nothing is checked."""
    return ANYONE


def _answering(call: Call) -> Call:
    """What goes wrong inside a call is an answer with diagnostics, never a broken connection."""
    response = getattr(pb, call.__name__).Response

    @functools.wraps(call)
    def answered(self: Provider, request: Any, context: grpc.ServicerContext) -> Any:
        STOPPED.set(self.stop_of(context))
        try:
            return call(self, request, context)
        except ApiError as refused:
            return response(diagnostics=messages.diagnostics(refused.diagnostics))
        except FonderieError as error:
            found = Diagnostic(DiagnosticSeverity.ERROR, error.what, "\n".join(filter(None, [error.where, error.hint])))
            return response(diagnostics=messages.diagnostics([found]))

    return answered  # type: ignore[return-value]  # the same signature, which mypy cannot see


class Provider(tfplugin_pb2_grpc.ProviderServicer):  # type: ignore[misc]  # the stubs have no types
    """Serves any number of Terraform commands at once. A connection is a provider instance: its block is kept by the
    peer's address."""

    def __init__(
        self, schema: ProviderSchema, planner: Planner, lifecycle: Lifecycle, caller_of: CallerOf = nobody_asked
    ) -> None:
        self._caller_of = caller_of
        self._schema = schema
        self._planner = planner
        self._lifecycle = lifecycle
        self._configured: OrderedDict[str, ProviderConfig] = OrderedDict()
        self._stops: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    # The provider

    @_answering
    def GetMetadata(self, request: pb.GetMetadata.Request, context: grpc.ServicerContext) -> Any:
        """List the resource types and data sources, without their schemas."""
        return messages.metadata(self._schema)

    @_answering
    def GetProviderSchema(self, request: pb.GetProviderSchema.Request, context: grpc.ServicerContext) -> Any:
        """The schemas of the provider block, every resource type and every data source."""
        return self._provider_schema

    @functools.cached_property
    def _provider_schema(self) -> pb.GetProviderSchema.Response:
        return messages.provider_schema(self._schema)

    @_answering
    def ValidateProviderConfig(self, request: pb.ValidateProviderConfig.Request, context: grpc.ServicerContext) -> Any:
        """Diagnostics of the provider block."""
        config = wire.decode(request.config.msgpack, self._schema.provider.block) or {}
        return pb.ValidateProviderConfig.Response(
            diagnostics=messages.diagnostics(self._planner.validate_provider(config))
        )

    @_answering
    def ConfigureProvider(self, request: pb.ConfigureProvider.Request, context: grpc.ServicerContext) -> Any:
        """Keep the provider block of this connection, and who its calls are made by."""
        config = wire.decode(request.config.msgpack, self._schema.provider.block) or {}
        provider = provider_config(config)
        provider = replace(provider, caller=self._caller_of(provider))
        with self._lock:
            self._configured[context.peer()] = provider
            self._stops[context.peer()] = threading.Event()
            while len(self._configured) > _REMEMBERED:
                self._stops.pop(self._configured.popitem(last=False)[0], None)
        return pb.ConfigureProvider.Response()

    def StopProvider(self, request: pb.StopProvider.Request, context: grpc.ServicerContext) -> Any:
        """End what the calls of this connection wait for."""
        if (stop := self.stop_of(context)) is not None:
            stop.set()
        return pb.StopProvider.Response()

    def GetFunctions(self, request: pb.GetFunctions.Request, context: grpc.ServicerContext) -> Any:
        """An empty response: this provider has no functions."""
        return pb.GetFunctions.Response()

    def stop_of(self, context: grpc.ServicerContext) -> threading.Event | None:
        """What is set when the connection's command is stopped; None before the provider is configured."""
        with self._lock:
            return self._stops.get(context.peer())

    def _config_of(self, context: grpc.ServicerContext) -> ProviderConfig:
        with self._lock:
            last = next(reversed(self._configured.values()), ProviderConfig())  # after a reconnection
            return self._configured.get(context.peer(), last)

    # Resources

    @_answering
    def ValidateResourceConfig(self, request: pb.ValidateResourceConfig.Request, context: grpc.ServicerContext) -> Any:
        """Diagnostics of a resource's configuration, without asking the cloud file."""
        config = wire.decode(request.config.msgpack, self._block(request.type_name)) or {}
        found = self._planner.validate(request.type_name, config)
        return pb.ValidateResourceConfig.Response(diagnostics=messages.diagnostics(found))

    @_answering
    def UpgradeResourceState(self, request: pb.UpgradeResourceState.Request, context: grpc.ServicerContext) -> Any:
        """Turn a stored state, perhaps of an older schema, into one of this schema."""
        block = self._block(request.type_name)
        state = self._kept(request.type_name, wire.decode_json(request.raw_state.json, block))
        return pb.UpgradeResourceState.Response(upgraded_state=_value(state, block))

    @_answering
    def ReadResource(self, request: pb.ReadResource.Request, context: grpc.ServicerContext) -> Any:
        """The resource as it is in the cloud file; a null state when it was deleted."""
        block = self._block(request.type_name)
        state = wire.decode(request.current_state.msgpack, block)
        if state is not None:
            state = self._kept(
                request.type_name, self._lifecycle.read(request.type_name, state, self._config_of(context))
            )
            state = None if state is None else as_refreshed(request.type_name, state)
        return pb.ReadResource.Response(new_state=_value(state, block), private=request.private)

    @_answering
    def PlanResourceChange(self, request: pb.PlanResourceChange.Request, context: grpc.ServicerContext) -> Any:
        """The planned state, with unknown values, and the paths that force a replacement."""
        block = self._block(request.type_name)
        planned = self._planner.plan(
            request.type_name,
            wire.decode(request.prior_state.msgpack, block),
            wire.decode(request.proposed_new_state.msgpack, block),
            wire.decode(request.config.msgpack, block),
            self._config_of(context),
        )
        return pb.PlanResourceChange.Response(
            planned_state=_value(planned.state, block),
            requires_replace=[messages.path(one) for one in planned.requires_replace],
            planned_private=request.prior_private,
            diagnostics=messages.diagnostics(planned.diagnostics),
            legacy_type_system=planned.legacy,
        )

    @_answering
    def ApplyResourceChange(self, request: pb.ApplyResourceChange.Request, context: grpc.ServicerContext) -> Any:
        """Create, update or delete the resource; a refusal is a diagnostic and leaves the prior state."""
        type_name, block, provider = request.type_name, self._block(request.type_name), self._config_of(context)
        prior = wire.decode(request.prior_state.msgpack, block)
        planned = wire.decode(request.planned_state.msgpack, block)
        state, found = prior, list[Diagnostic]()
        try:
            if planned is None:
                found = self._lifecycle.delete(type_name, prior or {}, provider)
                if not any(one.severity is DiagnosticSeverity.ERROR for one in found):
                    state = None
            else:
                done = (
                    self._lifecycle.create(type_name, planned, provider)
                    if prior is None
                    else self._lifecycle.update(type_name, prior, planned, provider)
                )
                state, found = self._kept(type_name, done.state), list(done.diagnostics)
                if prior is None and state is not None:
                    state = as_created(type_name, state, planned)
        except ApiError as refused:
            found = list(refused.diagnostics)
        return pb.ApplyResourceChange.Response(
            new_state=_value(state, block),
            private=request.planned_private,
            diagnostics=messages.diagnostics(found),
            legacy_type_system=self._planner.legacy(type_name),
        )

    @_answering
    def ImportResourceState(self, request: pb.ImportResourceState.Request, context: grpc.ServicerContext) -> Any:
        """The states of the object that an import id names. An unknown id is a diagnostic."""
        block = self._block(request.type_name)
        states = self._lifecycle.import_(request.type_name, request.id, self._config_of(context))
        return pb.ImportResourceState.Response(
            imported_resources=[
                pb.ImportResourceState.ImportedResource(type_name=request.type_name, state=_value(state, block))
                for state in states
            ]
        )

    @_answering
    def MoveResourceState(self, request: pb.MoveResourceState.Request, context: grpc.ServicerContext) -> Any:
        """Refuse: no type of this provider takes over another's state. (`moved` within a type never comes here.)"""
        raise ApiError.because(
            "Move Resource State Not Supported",
            f'The "{request.target_type_name}" resource type does not support moving resource state across'
            " resource types.",
        )

    # Data sources

    @_answering
    def ValidateDataResourceConfig(
        self, request: pb.ValidateDataResourceConfig.Request, context: grpc.ServicerContext
    ) -> Any:
        """Diagnostics of a data source's configuration."""
        block = self._schema.data_source(request.type_name).block
        found = self._planner.validate_data(request.type_name, wire.decode(request.config.msgpack, block) or {})
        return pb.ValidateDataResourceConfig.Response(diagnostics=messages.diagnostics(found))

    @_answering
    def ReadDataSource(self, request: pb.ReadDataSource.Request, context: grpc.ServicerContext) -> Any:
        """The data source's attributes, read from the cloud file."""
        block = self._schema.data_source(request.type_name).block
        config = wire.decode(request.config.msgpack, block) or block.empty()
        state = self._lifecycle.read_data(request.type_name, config, self._config_of(context))
        return pb.ReadDataSource.Response(state=_value(state, block))

    def _kept(self, type_name: str, state: State | None) -> State | None:
        return None if state is None else self._planner.kept(type_name, state)

    def _block(self, type_name: str) -> Block:
        return self._schema.resource(type_name).block


def provider_config(config: State) -> ProviderConfig:
    """What resources inherit from a provider block; what is not known yet counts as not given."""
    known = {name: value for name, value in config.items() if value is not None and value is not UNKNOWN}
    labels = {key: value for key, value in known.get("default_labels", {}).items() if isinstance(value, str)}
    return ProviderConfig(
        project=known.get("project"),
        region=known.get("region"),
        zone=known.get("zone"),
        default_labels=labels,
        add_terraform_attribution_label=known.get("add_terraform_attribution_label", True),
        terraform_attribution_label_addition_strategy=known.get(
            "terraform_attribution_label_addition_strategy", "CREATION_ONLY"
        ),
        deletion_policy=known.get("deletion_policy"),
        values=config,
    )


def _value(state: State | None, block: Block) -> pb.DynamicValue:
    return pb.DynamicValue(msgpack=wire.encode(state, block))
