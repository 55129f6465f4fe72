"""What becomes of each recording: not this issue's, known to differ and why, or met. What is wrong in a recording itself."""

from __future__ import annotations

GROUPS = ("auth", "bulk1", "bulk2", "collections", "composite", "describe", "errors", "events", "graph", "graphql",
          "limits", "rest", "soap", "soql", "tooling", "tree", "wellknown")  # fmt: skip

# Recording or group -> which part of the product it waits for.
ELSEWHERE = {
    "bulk1": "Bulk API 1.0", "bulk2": "Bulk API 2.0", "graphql": "GraphQL", "events-cdc-update-contact": "an event relay's payload",
    "soap-delete-metadata": "deploys", "soap-read-metadata": "deploys", "soap-upsert-metadata": "deploys",
    "soap-upsert-metadata-error": "deploys", "tooling-apex-class-row": "Apex", "tooling-coverage": "Apex",
    "tooling-execute-anonymous": "Apex", "tooling-org-coverage": "Apex", "tooling-queue-items": "Apex",
    "tooling-run-tests-async": "Apex", "tooling-run-tests-sync": "Apex", "tooling-search": "Apex",
    "tooling-test-results": "Apex", "wellknown-oauth-as-api-2026": "the host api.salesforce.com",
    "wellknown-oauth-resource-api-2026": "the host api.salesforce.com",
}  # fmt: skip

DIFFERS = {
    "rest-oas3-request": "no OpenAPI document is generated",
    "limits-nested-apps": "limits of 53.0 in an org with connected apps of its own; ours are those of limits-v58",
    "describe-custom-object-v29": "29.0 had no name for the relationship of ContentDocumentLink; ours has it in every version",
    "describe-user-role": "UserRole.ParentRoleId had no relationship name in 2023; ours is that of 64.0",
    "auth-identity-2015": "superseded by auth-identity-2023, whose keys ours has",
    "auth-token-password-2015": "superseded by auth-token-refresh: the order of today, and a scope",
    "wellknown-openid-login-2026": "one host is login host and My Domain here; it has the keys of the latter",
    "tooling-create-sandbox": "an org of ours has no sandboxes",
}

# Recording -> (places that prove nothing, why).
ERRATA = {
    "describe-global": (
        ("/sobjects/Event/keyPrefix", "/sobjects/Lead/keyPrefix"), "the publisher appended these two by hand, without a prefix",
    ),
    "describe-custom": (("/urls",), "the publisher cut the describe down: no URLs, no system fields"),
}  # fmt: skip


def where(name: str) -> str | None:
    """Which part of the product a recording waits for; None for one of this issue."""
    return ELSEWHERE.get(name) or ELSEWHERE.get(name.partition("-")[0])
