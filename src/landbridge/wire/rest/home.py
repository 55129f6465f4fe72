"""
What a user interface asks first: recently viewed records, tabs, themes, the app menu, communities.

Source: `rest.md` sections 2 and 3, recordings rest-tabs, rest-appmenu, rest-connect-communities. Which objects have a tab
is guessed: those that a user works with, and every custom object. Icons are named, not served.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from landbridge import soql
from landbridge.errors import InvalidField
from landbridge.schema.catalog import Entity
from landbridge.schema.model import Kind
from landbridge.storage import Reader
from landbridge.wire.http.message import Beside, Call, Needs, Reply, Route, json_reply

RECENT, MOST_RECENT = 200, 2000

# Object -> its icon's file names (theme3, theme4) and its colour; the first as recorded, the others after the design system.
_TABS = {
    "Account": ("accounts", "account", "5867E8"), "Asset": ("assets", "asset", "317A77"),
    "Campaign": ("campaigns", "campaign", "F38303"), "Case": ("cases", "case", "FF538A"),
    "Contact": ("contacts", "contact", "9602C7"), "ContentDocument": ("files", "file", "939393"),
    "Contract": ("contracts", "contract", "3BA755"), "Event": ("home", "event", "CB65FF"),
    "Lead": ("leads", "lead", "06A59A"), "Opportunity": ("opportunities", "opportunity", "FF5D2D"),
    "Order": ("orders", "orders", "3BA755"), "Pricebook2": ("products", "pricebook", "B78DEF"),
    "Product2": ("products", "product", "B78DEF"), "Task": ("home", "task", "3BA755"),
}  # fmt: skip
_CUSTOM = ("custom57", "custom57", "5A1BA9")
_OLD_COLOR = "236FBD"


def recent(call: Call) -> Beside:
    """`GET /recent?limit=n`: the records last viewed, the newest first."""
    text = call.request.query().get("limit", str(RECENT))
    if not text.isdigit() or not 0 < int(text[:9]) <= MOST_RECENT:
        raise InvalidField(f"The limit must be a number from 1 to {MOST_RECENT}: {text[:20]}")
    server = call.server
    catalog, limit = server.catalog, int(text)

    def answer(reader: Reader) -> Reply:
        return Reply(200, soql.viewed(reader, catalog, call.access, call.version, limit=limit))

    return Beside(answer)


def tabs(call: Call) -> Reply:
    """`GET /tabs`: the tabs of the user, by name."""
    return json_reply([_tab(call, entity) for entity in _with_tab(call)])


def theme(call: Call) -> Reply:
    """`GET /theme`: icons and colours by object."""
    items = []
    for entity in _with_tab(call):
        tab = _tab(call, entity)
        items.append({"colors": tab["colors"], "icons": tab["icons"], "name": entity.name})
    return json_reply({"themeItems": items})


def _with_tab(call: Call) -> Iterator[Entity]:
    for entity in sorted(call.server.catalog, key=lambda entity: entity.name):
        if entity.name in _TABS or entity.kind is Kind.CUSTOM:
            yield entity


def _tab(call: Call, entity: Entity) -> dict[str, Any]:
    custom = entity.kind is Kind.CUSTOM
    old, new, color = _CUSTOM if custom else _TABS[entity.name]
    base = call.request.base_url
    classic, modern = f"{base}/img/icon/", f"{base}/img/icon/t4v35/{'custom' if custom else 'standard'}/"
    return {
        "colors": [
            {"color": color, "context": "primary", "theme": "theme4"},
            {"color": _OLD_COLOR, "context": "primary", "theme": "theme3"},
        ],
        "custom": custom,
        "iconUrl": f"{classic}{old}32.png",
        "icons": [
            _icon(f"{classic}{old}32.png", 32, "theme3"), _icon(f"{classic}{old}16.png", 16, "theme3"),
            _icon(f"{modern}{new}.svg", 0, "theme4"), _icon(f"{modern}{new}_60.png", 60, "theme4"),
            _icon(f"{modern}{new}_120.png", 120, "theme4"),
        ],
        "label": entity.sobject.label_plural, "miniIconUrl": f"{classic}{old}16.png",
        "name": entity.name if custom else f"standard-{entity.name}", "sobjectName": entity.name,
        "url": f"{base}/{entity.key_prefix}/o",
    }  # fmt: skip


def _icon(url: str, size: int, theme_name: str) -> dict[str, Any]:
    kind = "image/svg+xml" if url.endswith(".svg") else "image/png"
    return {"contentType": kind, "height": size, "theme": theme_name, "url": url, "width": size}


def app_menu(call: Call) -> Reply:
    """`GET /appMenu`: where the menus are."""
    return json_reply({name: f"{call.data_path}/appMenu/{name}" for name in _MENUS})


def app_menu_items(call: Call) -> Reply:
    """`GET /appMenu/{menu}`: no apps; the menu of an org without a user interface is empty."""
    del call
    return json_reply({"appMenuItems": []})


def communities(call: Call) -> Reply:
    """`GET /connect/communities`: an org of ours has none."""
    del call
    return json_reply({"communities": [], "total": 0})


_V = "/services/data/{version}"
_MENUS = ("AppSwitcher", "Salesforce1", "NetworkTabs")

ROUTES = (
    Route("GET", _V + "/recent", recent, Needs.READ),
    Route("GET", _V + "/tabs", tabs, Needs.NOTHING),
    Route("GET", _V + "/theme", theme, Needs.NOTHING),
    Route("GET", _V + "/appMenu", app_menu, Needs.NOTHING),
    *(Route("GET", f"{_V}/appMenu/{name}", app_menu_items, Needs.NOTHING) for name in _MENUS),
    Route("GET", _V + "/connect/communities", communities, Needs.NOTHING),
)
