"""
What a token may be used for: OAuth scopes. Pure.

Source: the scopes of the live discovery document (recording wellknown-openid-login-2026); which of them open what is in
Salesforce Help, "OAuth Tokens and Scopes".
"""

from __future__ import annotations

from functools import lru_cache

from landbridge.errors import OAuthError

# In the order of the live document.
KNOWN = (
    "cdp_ingest_api", "custom_permissions", "cdp_segment_api", "content", "cdp_api", "chatbot_api",
    "cdp_identityresolution_api", "interaction_api", "wave_api", "web", "cdp_calculated_insight_api", "einstein_gpt_api",
    "offline_access", "id", "api", "data_cloud_user_claims", "eclair_api", "email", "pardot_api", "lightning", "visualforce",
    "cdp_query_api", "sfap_api", "address", "openid", "profile", "scrt_api", "cdp_profile_api", "refresh_token", "phone",
    "user_registration_api", "pwdless_login_api", "chatter_api", "mcp_api", "full", "forgot_password",
)  # fmt: skip
FULL = "full"
USUAL = "full refresh_token openid"
"""Of an app that names none. `full` is every scope but the one that makes a refresh token, as documented."""
_REFRESH = frozenset({"refresh_token", "offline_access"})
_REST = frozenset({"api", "full", "web"})


def granted(asked: str | None, allowed: str) -> str:
    """
    The scope a token gets: what was asked for, else all that the app is allowed.

    Raises OAuthError (`invalid_scope`) for one that is unknown or more than the app's.
    """
    may = set(allowed.split())
    wanted = list(dict.fromkeys((asked or allowed).split()))
    for scope in wanted:
        refresh = scope in _REFRESH and may & _REFRESH
        if scope not in KNOWN or not (scope in may or refresh or (FULL in may and scope not in _REFRESH)):
            raise OAuthError("invalid_scope", "the requested scope is invalid, unknown, or malformed")
    return " ".join(wanted)


def refreshes(scope: str) -> bool:
    """Whether the scope makes a refresh token."""
    return not _REFRESH.isdisjoint(scope.split())


def identifies(scope: str) -> bool:
    """Whether the scope makes an ID token."""
    return "openid" in scope.split()


@lru_cache(maxsize=256)
def opens_rest(scope: str) -> bool:
    """Whether a session of this scope may use the REST API; `web` sessions may (documented: web includes what a browser does)."""
    return not _REST.isdisjoint(scope.split())
