"""The schema, diagnostics and paths as messages of Terraform's plugin protocol, version 6."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tf.gen import tfplugin_pb2 as pb

from fonderie.sandbox.lifecycle.interface import Diagnostic, DiagnosticSeverity, Key, Path
from fonderie.sandbox.provider.schema import Attribute, Block, NestedBlock, Nesting, ProviderSchema, ResourceSchema

_NESTING = {
    Nesting.SINGLE: pb.Schema.NestedBlock.SINGLE,
    Nesting.GROUP: pb.Schema.NestedBlock.GROUP,
    Nesting.LIST: pb.Schema.NestedBlock.LIST,
    Nesting.SET: pb.Schema.NestedBlock.SET,
    Nesting.MAP: pb.Schema.NestedBlock.MAP,
}
_WRITE_ONLY = b"\x58\x01"  # field 11, true: the stubs are of protocol 6.6, `write_only` came with 6.8
CAPABILITIES = pb.ServerCapabilities(get_provider_schema_optional=True, plan_destroy=False)


def provider_schema(schema: ProviderSchema) -> pb.GetProviderSchema.Response:
    """Every schema as a protocol message."""
    return pb.GetProviderSchema.Response(
        provider=_resource(schema.provider),
        resource_schemas={name: _resource(schema.resource(name)) for name in schema.types},
        data_source_schemas={name: _resource(schema.data_source(name)) for name in schema.data_sources},
        server_capabilities=CAPABILITIES,
    )


def metadata(schema: ProviderSchema) -> pb.GetMetadata.Response:
    """The names of all resource types and data sources."""
    return pb.GetMetadata.Response(
        server_capabilities=CAPABILITIES,
        resources=[pb.GetMetadata.ResourceMetadata(type_name=name) for name in schema.types],
        data_sources=[pb.GetMetadata.DataSourceMetadata(type_name=name) for name in schema.data_sources],
    )


def diagnostics(found: Iterable[Diagnostic]) -> list[pb.Diagnostic]:
    """Our diagnostics as protocol messages, with their attribute paths."""
    return [
        pb.Diagnostic(
            severity=pb.Diagnostic.ERROR if one.severity is DiagnosticSeverity.ERROR else pb.Diagnostic.WARNING,
            summary=one.summary,
            detail=one.detail,
            attribute=path(one.path) if one.path else None,
        )
        for one in found
    ]


def path(steps: Path) -> pb.AttributePath:
    """Names of attributes, indexes of lists and keys of maps."""
    return pb.AttributePath(steps=[_step(step) for step in steps])


def _step(step: str | int) -> pb.AttributePath.Step:
    match step:
        case int():
            return pb.AttributePath.Step(element_key_int=step)
        case Key():
            return pb.AttributePath.Step(element_key_string=step)
        case _:
            return pb.AttributePath.Step(attribute_name=step)


def _resource(resource: ResourceSchema) -> pb.Schema:
    return pb.Schema(version=resource.version, block=_block(resource.block))


def _block(block: Block) -> pb.Schema.Block:
    return pb.Schema.Block(
        attributes=[_attribute(one) for one in block.attributes.values()],
        block_types=[_nested(one) for one in block.blocks.values()],
        deprecated=block.deprecated,
    )


def _attribute(attribute: Attribute) -> pb.Schema.Attribute:
    message = pb.Schema.Attribute(
        name=attribute.name,
        type=json.dumps(attribute.type).encode(),
        required=attribute.required,
        optional=attribute.optional,
        computed=attribute.computed,
        sensitive=attribute.sensitive,
        deprecated=attribute.deprecated,
    )
    if attribute.write_only:
        message.MergeFromString(_WRITE_ONLY)
    return message


def _nested(nested: NestedBlock) -> pb.Schema.NestedBlock:
    return pb.Schema.NestedBlock(
        type_name=nested.name,
        block=_block(nested.block),
        nesting=_NESTING[nested.nesting],
        min_items=nested.min_items,
        max_items=nested.max_items,
    )
