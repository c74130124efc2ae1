"""Changes single settings of topics; what aiokafka offers would take all others back to their
defaults."""

from collections.abc import Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

_SET = 0


class _Response(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = 44, 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "resources",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _RequestV0(RequestStruct):  # type: ignore[misc]
    API_KEY, API_VERSION, RESPONSE_TYPE = 44, 0, _Response
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(
                        ("name", String("utf-8")), ("operation", Int8), ("value", String("utf-8"))
                    ),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class _IncrementalAlterConfigs(Request[_RequestV0]):  # type: ignore[misc]
    """KIP-339, Kafka 2.3 and later."""

    API_KEY = 44

    def __init__(self, resources: list[Any]) -> None:
        self._resources = resources

    def build(self, request_struct_class: type[_RequestV0]) -> _RequestV0:
        return request_struct_class(self._resources, False)


async def set_config(
    admin: AIOKafkaAdminClient, topic: str, values: Mapping[str, str]
) -> str | None:
    """Set some settings of a topic (its full name), the others stay; None, or Kafka's words where
    it refused."""
    resource = (
        int(ConfigResourceType.TOPIC),
        topic,
        [(name, _SET, value) for name, value in values.items()],
    )
    answer = await admin._send_request(_IncrementalAlterConfigs([resource]))
    code, words = answer.resources[0][:2]
    return f"Kafka error {code} {words or ''}".strip() if code else None
