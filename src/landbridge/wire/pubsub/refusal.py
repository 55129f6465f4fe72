"""
How a call ends when it can't go on: Salesforce's error code, a gRPC status, a text. Pure data.

The codes and what they mean are documented; which gRPC status goes with which code is documented for a few and chosen by the
meaning for the others (docs/fidelity.md). Source: `events.md` section 4.
"""

from __future__ import annotations

PREFIX = "sfdc.platform.eventbus.grpc."

# Code without its prefix -> status, text. A text may name what it is about.
TABLE: dict[str, tuple[str, str]] = {
    # service
    "service.unavailable": ("UNAVAILABLE", "The service is unavailable. Try again later."),
    "service.auth.error": (
        "UNAUTHENTICATED", "Authentication exception occurred. The session is invalid or has expired."),
    "service.auth.headers.invalid": (
        "UNAUTHENTICATED", "The metadata {name} is blank or invalid. Send accesstoken, instanceurl and tenantid (the org's id)."),
    "service.auth.refresh.invalid": ("UNAUTHENTICATED", "The value of auth_refresh is not a valid access token of this org."),
    "service.protection.stream.limit.triggered": ("RESOURCE_EXHAUSTED", "Too many requests on this stream. Send them slower."),
    "service.protection.triggered": ("RESOURCE_EXHAUSTED", "Too many connections or requests. Try again with less load."),
    "service.tenant.license": ("PERMISSION_DENIED", "The org is not licensed for the Pub/Sub API."),
    "concurrent.client.limit.exceeded": (
        "RESOURCE_EXHAUSTED", "The maximum number of concurrent clients across all topics, {limit}, has been exceeded."),
    # topics and schemas
    "topic.not.found": (
        "NOT_FOUND",
        "The topic information for org {org} and topic {topic} not found. Ensure the topic name is correct and that the topic "
        "exists."),
    "topic.meta.permission": ("PERMISSION_DENIED", "The user has no access to the topic {topic}."),
    "topic.api.unavailable": ("UNAVAILABLE", "The topic information is temporarily unavailable. Try again later."),
    "topic.validation.empty": ("INVALID_ARGUMENT", "The topic name is blank. Provide a topic name."),
    "schema.meta.permission": ("PERMISSION_DENIED", "The schema {schema} does not exist or the user has no access to it."),
    "schema.api.unavailable": ("UNAVAILABLE", "The schema information is temporarily unavailable. Try again later."),
    "schema.validation.failed": ("INVALID_ARGUMENT", "The schema ID is blank. Provide a schema ID."),
    # subscribing
    "subscription.fetch.replayid.corrupted": (
        "INVALID_ARGUMENT",
        "The Replay ID is invalid or outside the retention window. Subscribe again with another replay preset."),
    "subscription.fetch.replayid.validation.failed": (
        "INVALID_ARGUMENT", "The Replay ID validation failed. The CUSTOM replay preset needs a Replay ID."),
    "subscription.fetch.replay.repeated": ("ABORTED", "An event has a lower Replay ID than the one before. Subscribe again."),
    "subscription.limit.exceeded": ("RESOURCE_EXHAUSTED", "You have exceeded the event delivery limit for your org."),
    "subscription.fetch.overflow": (
        "INVALID_ARGUMENT", "More events were requested than were drained. Process what is outstanding first."),
    "subscription.fetch.requested.events.invalid": (
        "INVALID_ARGUMENT", "The number of requested events, {number}, must be greater than 0."),
    "subscription.fetch.topic.mismatch": (
        "INVALID_ARGUMENT", "The topic name {topic} differs from {first} of the stream's first request."),
    "subscription.fetch.request.invalid": ("INVALID_ARGUMENT", "The fetch request is invalid."),
    "subscription.topic.cannot.subscribe": ("PERMISSION_DENIED", "The user can't subscribe to the topic {topic}."),
    "subscription.internal.error": ("INTERNAL", "An internal error occurred. Subscribe again."),
    # publishing
    "publish.stream.sweeper.timeout": (
        "DEADLINE_EXCEEDED", "No publish request came within {seconds} seconds. Open the stream again."),
    "publish.event.count.invalid": ("INVALID_ARGUMENT", "The publish request has no events."),
    "publish.topic.mismatch": (
        "INVALID_ARGUMENT", "The topic name {topic} differs from {first} of the stream's first request."),
    "publish.topic.validation.empty": ("INVALID_ARGUMENT", "The topic name is blank. Provide a topic name."),
    "publish.auth.refresh.invalid": ("INVALID_ARGUMENT", "auth_refresh is not allowed in the first publish request."),
    # managed subscriptions
    "managed.subscription.already.active": ("ALREADY_EXISTS", "The subscription {name} is active elsewhere. Try again later."),
    "managed.subscription.config.stopped": (
        "FAILED_PRECONDITION", "The state of the subscription {name} is STOP. Set it to RUN."),
    "managed.subscription.config.deleted": ("NOT_FOUND", "The subscription {name} was deleted."),
    "managed.subscription.developer.name.not.found": ("NOT_FOUND", "There is no subscription with the developer name {name}."),
    "managed.subscription.subscription.id.not.found": ("NOT_FOUND", "There is no subscription with the ID {name}."),
    "managed.subscription.subscription.id.invalid": (
        "INVALID_ARGUMENT", "The subscription ID {name} is not one of 15 or 18 characters."),
    "managed.subscription.id.or.developer.name.empty": (
        "INVALID_ARGUMENT", "Give either the subscription's ID or its developer name."),
    "managed.subscription.fetch.request.events.invalid": (
        "INVALID_ARGUMENT", "The number of requested events, {number}, must be 0 or greater."),
    "managed.subscription.fetch.request.invalid": (
        "INVALID_ARGUMENT", "A request for no events needs a commit request or auth_refresh."),
    "managed.subscription.fetch.request.commit.request.restricted": (
        "INVALID_ARGUMENT", "A commit request is not allowed in the first request."),
    "managed.subscription.fetch.request.auth.request.restricted": (
        "INVALID_ARGUMENT", "auth_refresh is not allowed in the first request."),
}  # fmt: skip


class Refused(Exception):
    """
    The end of a call. `suffix` is a key of TABLE, `names` what its text speaks of.

    `code` goes into the trailer `error-code`, `status` is the name of a gRPC status.
    """

    def __init__(self, suffix: str, **names: object) -> None:
        status, text = TABLE[suffix]
        super().__init__(text.format(**names))
        self.suffix = suffix
        self.code = PREFIX + suffix
        self.status = status
