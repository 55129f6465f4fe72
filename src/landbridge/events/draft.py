"""An event before the log numbers it."""

from __future__ import annotations

from typing import Any

from landbridge.events.headers import Header


class Draft:
    """
    An event that the log has not numbered yet; its schema, time and transaction are laid in by the log.

    `header` is a change event's; `payload` is `values` as JSON, where somebody has needed that already.
    """

    __slots__ = ("created_by", "entity", "header", "key", "payload", "uuid", "values")

    def __init__(
        self, entity: str, uuid: str, key: str, created_by: str, values: dict[str, Any], header: Header | None = None,
        payload: bytes | None = None,
    ) -> None:  # fmt: skip
        self.entity = entity
        self.uuid = uuid
        self.key = key
        self.created_by = created_by
        self.values = values
        self.header = header
        self.payload = payload
