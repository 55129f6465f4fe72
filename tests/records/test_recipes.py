"""What is remembered of a set of keys changes nothing: values come out, or are refused, as without it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.access import Access
from landbridge.errors import SalesforceError
from landbridge.ids import RecordId
from landbridge.records.shape import Shape
from landbridge.records.validate import Prepared, prepare, writer_of
from landbridge.schema import Catalog, standard

CATALOG = Catalog(standard.load())
PLAIN = Access(RecordId("005000000000001AAA"))
# A hidden field elsewhere: the way without a recipe.
LONG = Access(RecordId("005000000000001AAA"), hidden=frozenset({("lead", "fax")}))
ENTITIES = [
    entity for entity in CATALOG if entity.name in ("Account", "Contact", "Opportunity", "Task", "User", "Case")
]
SHAPES = {entity.name: Shape(entity, writer_of) for entity in ENTITIES}

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(allow_nan=False), st.text(max_size=12),
    st.sampled_from(["", "  ", " a ", "a\tb", "a\x01b", "x@example.com", "2026-01-31", "2026-01-31T10:00:00Z", "true", "12", "1e400",
                     "001000000000001AAA", "0010000", "Technology", "a;b"]),
    st.just({"Name": "x"}), st.just(["x"]),
)  # fmt: skip


def outcome(shape: Shape, access: Access, given: dict[str, Any], creating: bool) -> Any:
    try:
        found: Prepared = prepare(shape, access, given, creating=creating)
    except SalesforceError as error:
        return type(error), error.message, error.fields
    return list(found.columns.items()), [(field.name, value) for field, value in found.references], found.parents


@settings(max_examples=400)
@given(data=st.data(), creating=st.booleans())
def test_a_recipe_gives_what_the_long_way_gives(data: Any, creating: bool) -> None:
    shape = SHAPES[data.draw(st.sampled_from(sorted(SHAPES)))]
    names = [field.name for field in shape.entity.fields]
    keys = st.one_of(
        st.sampled_from(names), st.sampled_from(names).map(str.lower), st.sampled_from(["attributes", "Nope", "Account", "Owner"])
    )  # fmt: skip
    record = data.draw(st.dictionaries(keys, VALUES, max_size=8))
    if creating and data.draw(st.booleans()):
        record |= {field.name: "x" for field in shape.required}

    first = outcome(shape, PLAIN, record, creating)

    assert first == outcome(shape, LONG, record, creating)
    assert first == outcome(shape, PLAIN, record, creating), "the second time the recipe is remembered"


def test_recipes_do_not_grow_without_bound() -> None:
    shape = SHAPES["Account"]
    names = [field.name for field in shape.entity.fields if field.updateable and field.nillable]

    for first in names:
        for second in names:
            prepare(shape, PLAIN, {first: None, second.upper(): None, "attributes": {}}, creating=False)

    assert len(shape.recipes[False]) <= 256


@given(number=st.one_of(st.floats(-1e15, 1e15, allow_nan=False), st.integers(-(10**6), 10**6).map(lambda n: n / 2)))
def test_numbers_without_decimals_are_rounded_half_up_as_their_text_says(number: float) -> None:
    revenue = SHAPES["Account"].fields["AnnualRevenue"]
    assert revenue.scale == 0

    stored = prepare(SHAPES["Account"], PLAIN, {"AnnualRevenue": number}, creating=False).columns["AnnualRevenue"]

    assert stored == float(Decimal(repr(number)).quantize(Decimal(1), ROUND_HALF_UP))
