"""
Tokens to a Query: recursive descent. Pure.

What is valid SOQL but not ours is named with its place, never skipped. The place of a node is the number of its token; an
error is given its place in the text when it leaves. Source: `soql.md` sections 2 and 5.
"""

from __future__ import annotations

from typing import Final

from landbridge.errors import MalformedQuery, QueryError, QueryUnsupported
from landbridge.soql.lex import END, INITIALS, OPERATORS, literal_kind, places, tokens, unquote
from landbridge.soql.moments import MOST, NAMES, WITHOUT_NUMBER
from landbridge.soql.tree import (
    AllFields,
    Both,
    Branch,
    Call,
    Compare,
    Condition,
    Geolocation,
    GroupBy,
    Includes,
    Item,
    Literal,
    Negation,
    Operand,
    Order,
    Path,
    Query,
    Selected,
    SemiJoin,
    Source,
    Subquery,
    TypeOf,
    Within,
)

_CLAUSES: Final = frozenset(
    {"USING", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "UPDATE", "ALL"}
)
"""Words that end a list: no alias is called so."""
_RESERVED: Final = _CLAUSES | {"SELECT", "FROM", "AND", "OR", "NOT", "IN", "LIKE", "INCLUDES", "EXCLUDES", "ASC", "DESC",
                        "NULLS", "NULL", "END", "WHEN", "THEN", "ELSE"}  # fmt: skip
AGGREGATES: Final = frozenset({"COUNT", "COUNT_DISTINCT", "AVG", "SUM", "MIN", "MAX"})
DATES: Final = frozenset({"CALENDAR_MONTH", "CALENDAR_QUARTER", "CALENDAR_YEAR", "DAY_IN_MONTH", "DAY_IN_WEEK", "DAY_IN_YEAR",
                   "DAY_ONLY", "FISCAL_MONTH", "FISCAL_QUARTER", "FISCAL_YEAR", "HOUR_IN_DAY", "WEEK_IN_MONTH",
                   "WEEK_IN_YEAR"})  # fmt: skip
FUNCTIONS: Final = AGGREGATES | DATES | {"GROUPING", "TOLABEL", "FORMAT", "CONVERTTIMEZONE", "DISTANCE"}
_REFUSED: Final = {"CONVERTCURRENCY": "convertCurrency(), as there is one currency", "FORMULA": "FORMULA()"}
_DEEPEST: Final = 200
"""Nested parentheses; deeper statements would end in Python's own limit."""
_LEVELS: Final = 5
"""Subqueries within subqueries; the rest is a statement that nobody can mean."""


def parse(text: str) -> Query:
    """A statement's tree. Raises MalformedQuery (not SOQL) or QueryUnsupported (SOQL that we do not run)."""
    found = tokens(text)
    try:
        return _Parser(found, text).statement()
    except QueryError as error:
        raise placed(error, text) from None


def placed(error: QueryError, text: str) -> QueryError:
    """The error with its place in the text, where it has that of a token. Raises MalformedQuery for what is no token."""
    where = places(text)
    if error.at is not None:
        error.at = where[error.at]
    return error


class _Parser:
    """`words` are the tokens in upper case, as keywords are compared. A string is never equal to a keyword: it has its quotes."""

    __slots__ = ("_depth", "_level", "_next", "_text", "_texts", "_words")

    def __init__(self, texts: list[str], text: str) -> None:
        self._text = text
        self._texts = texts
        if text.isascii():
            self._words = [token.upper() for token in texts]
        else:  # of what is not ASCII only strings are tokens; in upper case some of the rest would be (the dotless i)
            self._words = [token.upper() if token.isascii() else token for token in texts]
        self._next = 0
        self._depth = 0
        self._level = 0

    # --- tokens ------------------------------------------------------------------------------------------------

    def _is(self, *words: str) -> bool:
        return self._words[self._next] in words

    def _calls(self) -> bool:
        """Whether a name and its opening parenthesis come next."""
        return self._words[self._next + 1] == "(" and self._words[self._next][0] in INITIALS

    def _has(self, word: str) -> bool:
        """Take the next token if it is this word or mark."""
        if self._words[self._next] == word:
            self._next += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if self._words[self._next] != word:
            raise self._unexpected()
        self._next += 1

    def _take(self) -> str:
        """The next token's word, whatever it is."""
        self._next += 1
        return self._words[self._next - 1]

    def _unexpected(self) -> MalformedQuery:
        # A statement whose very first token is wrong has no preamble (soql.md section 5).
        return MalformedQuery(f"unexpected token: '{self._texts[self._next]}'", self._next or None)

    # --- clauses -----------------------------------------------------------------------------------------------

    def statement(self) -> Query:
        found = self._query(self._text)
        if self._words[self._next] != END:
            raise self._unexpected()
        return found

    def _query(self, text: str = "") -> Query:
        self._expect("SELECT")
        count, select = self._select()
        self._expect("FROM")
        source = self._source()
        others: tuple[Source, ...] = ()
        while self._has(","):
            others = (*others, self._source())
        if self._words[self._next] not in _CLAUSES:  # the end, mostly
            return Query(select, source, count, others, text=text)
        scope, scope_at = self._scope()
        where = self._condition() if self._has("WHERE") else None
        self._with()
        group = self._group() if self._has("GROUP") else None
        having = self._condition() if self._has("HAVING") else None
        order = self._order() if self._has("ORDER") else ()
        limit_at = self._next
        limit = self._number() if self._has("LIMIT") else None
        offset_at = self._next
        offset = self._number() if self._has("OFFSET") else None
        viewed = self._endings()
        return Query(
            select, source, count, others, scope, scope_at, where, group, having, order, limit, limit_at, offset, offset_at,
            viewed, text,
        )  # fmt: skip

    def _inner(self) -> Query:
        """A query between parentheses, the opening one taken."""
        if self._level == _LEVELS:
            raise MalformedQuery(f"subqueries are nested more than {_LEVELS} deep", self._next)
        self._level += 1
        found = self._query()
        self._level -= 1
        self._expect(")")
        return found

    def _source(self) -> Source:
        at = self._next
        if self._words[at][0] not in INITIALS:
            raise self._unexpected()
        self._next += 1  # an object may be called Group or Order
        path = _path(self._texts[at], at)
        word = self._words[self._next]
        if word == "AS":
            self._next += 1
        elif word in _RESERVED or word[0] not in INITIALS:
            return Source(path, None)
        return Source(path, self._texts[self._name()])

    def _scope(self) -> tuple[str | None, int]:
        if not self._has("USING"):
            return None, 0
        self._expect("SCOPE")
        at = self._name()
        return self._texts[at], at

    def _with(self) -> None:
        """WITH is for Apex and for other products; each kind is named."""
        if not self._has("WITH"):
            return
        if self._is("SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"):
            raise self._unexpected()  # Apex alone has them (soql.md section 2)
        if self._is("DATA"):
            raise QueryUnsupported("WITH DATA CATEGORY", self._next)
        raise QueryUnsupported("WITH", self._next)

    def _endings(self) -> tuple[str, ...]:
        """What stands behind OFFSET. ALL ROWS and FOR UPDATE are for Apex alone."""
        viewed: tuple[str, ...] = ()
        while self._has("FOR"):
            if not self._is("VIEW", "REFERENCE"):
                raise self._unexpected()
            viewed = (*viewed, self._take())
        if self._has("UPDATE"):
            if self._is("TRACKING", "VIEWSTAT"):
                raise QueryUnsupported(f"UPDATE {self._words[self._next]}", self._next - 1)
            raise self._unexpected()
        return viewed

    def _name(self) -> int:
        """The number of the next token, which is a name."""
        word = self._words[self._next]
        if word in _RESERVED or word[0] not in INITIALS:
            raise self._unexpected()
        self._next += 1
        return self._next - 1

    # --- SELECT ------------------------------------------------------------------------------------------------

    def _select(self) -> tuple[bool, tuple[Selected, ...]]:
        texts, words = self._texts, self._words
        if words[1 + self._next] == "(" and self._is("COUNT") and words[self._next + 2] == ")":
            self._next += 3
            return True, ()
        items: list[Selected] = []
        while True:
            at = self._next
            word, ending = words[at], words[at + 1]
            if (ending == "," or ending == "FROM") and word[0] in INITIALS and word not in _RESERVED:
                self._next = at + 1
                items.append(Item(_path(texts[at], at)))
            else:
                items.append(self._selected())
                ending = words[self._next]
            if ending != ",":
                return False, tuple(items)
            self._next += 1

    def _selected(self) -> Selected:
        at, word = self._next, self._words[self._next]
        if word == "(":
            self._next += 1
            return Subquery(self._inner(), at)
        if word == "TYPEOF":
            return self._type_of()
        if word == "FIELDS" and self._calls():
            return self._fields()
        what = self._operand()
        word = self._words[self._next]
        if word[0] in INITIALS and word not in _RESERVED:
            self._next += 1
            return Item(what, self._texts[self._next - 1], self._next - 1)
        return Item(what)

    def _fields(self) -> AllFields:
        at = self._next
        self._next += 2
        if not self._is("ALL", "STANDARD", "CUSTOM"):
            raise self._unexpected()
        which = self._take()
        self._expect(")")
        return AllFields(which, at)

    def _type_of(self) -> TypeOf:
        self._next += 1
        path = self._path()
        branches = []
        while self._has("WHEN"):
            at = self._next
            if self._words[at][0] not in INITIALS:
                raise self._unexpected()
            self._next += 1
            self._expect("THEN")
            branches.append(Branch(self._texts[at], at, self._paths()))
        if not branches:
            raise self._unexpected()
        otherwise = self._paths() if self._has("ELSE") else ()
        self._expect("END")
        return TypeOf(path, tuple(branches), otherwise)

    def _paths(self) -> tuple[Path, ...]:
        found = [self._path()]
        while self._has(","):
            found.append(self._path())
        return tuple(found)

    def _path(self) -> Path:
        at = self._name()
        return _path(self._texts[at], at)

    def _operand(self) -> Operand:
        at = self._next
        word = self._words[at]
        if word[0] not in INITIALS:
            raise self._unexpected()
        if self._words[at + 1] == "(":
            return self._function()
        if word in _RESERVED:
            raise self._unexpected()
        self._next = at + 1
        return _path(self._texts[at], at)

    def _function(self) -> Call:
        at, name = self._next, self._words[self._next]
        self._next += 1
        if name in _REFUSED:
            raise QueryUnsupported(_REFUSED[name], at)
        if name not in FUNCTIONS:
            raise self._unexpected()
        self._expect("(")
        if name == "DISTANCE":
            return self._distance(at)
        argument = self._operand()
        self._expect(")")
        return Call(name, (argument,), at)

    def _distance(self, start: int) -> Call:
        """`DISTANCE(field, GEOLOCATION(lat, lon), 'mi')`: the field comes first, the point second."""
        field = self._path()
        self._expect(",")
        at = self._next
        self._expect("GEOLOCATION")
        self._expect("(")
        latitude = self._decimal()
        self._expect(",")
        longitude = self._decimal()
        self._expect(")")
        self._expect(",")
        unit = self._texts[self._next]
        if unit[0] != "'" or unit.strip("'").lower() not in ("mi", "km"):
            raise self._unexpected()
        self._next += 1
        self._expect(")")
        return Call("DISTANCE", (field, Geolocation(latitude, longitude, at)), start, unit.strip("'").lower())

    def _decimal(self) -> float:
        text = self._texts[self._next]
        if literal_kind(text) != "number":
            raise self._unexpected()
        self._next += 1
        return float(text)

    # --- GROUP BY, ORDER BY --------------------------------------------------------------------------------------

    def _group(self) -> GroupBy:
        at = self._next - 1
        self._expect("BY")
        how = ""
        if self._is("ROLLUP", "CUBE") and self._calls():
            how = self._take()
            self._expect("(")
        items = [self._operand()]
        while self._has(","):
            items.append(self._operand())
        if how:
            self._expect(")")
        return GroupBy(how, tuple(items), at)

    def _order(self) -> tuple[Order, ...]:
        self._expect("BY")
        found = [self._order_item()]
        while self._has(","):
            found.append(self._order_item())
        return tuple(found)

    def _order_item(self) -> Order:
        operand = self._operand()
        descending = self._has("DESC")
        if not descending:
            self._has("ASC")
        first: bool | None = None
        if self._has("NULLS"):
            first = self._has("FIRST")
            if not first:
                self._expect("LAST")
        return Order(operand, descending, first)

    def _number(self) -> int:
        text = self._texts[self._next]
        if not (text.isascii() and text.isdigit()):
            raise self._unexpected()
        self._next += 1
        return int(text[:18])

    # --- conditions --------------------------------------------------------------------------------------------

    def _condition(self) -> Condition:
        first = self._term()
        op = self._words[self._next]
        if op not in ("AND", "OR"):
            return first
        terms = [first]
        while self._words[self._next] == op:
            self._next += 1
            terms.append(self._term())
        if self._words[self._next] in ("AND", "OR"):
            # AND and OR side by side need parentheses on the platform too.
            raise self._unexpected()
        return Both(op, tuple(terms))

    def _term(self) -> Condition:
        word = self._words[self._next]
        if word != "NOT" and word != "(":
            return self._comparison()
        self._depth += 1
        if self._depth >= _DEEPEST:
            raise MalformedQuery(f"conditions are nested more than {_DEEPEST} deep", self._next + 1)
        self._next += 1
        if word == "NOT":
            found: Condition = Negation(self._term())
        else:
            found = self._condition()
            self._expect(")")
        self._depth -= 1
        return found

    def _comparison(self) -> Condition:
        operand = self._operand()
        word = self._take()
        if word in OPERATORS:
            return Compare(operand, "!=" if word == "<>" else word, self._literal())
        if word == "LIKE":
            return Compare(operand, "LIKE", self._literal(like=True))
        if word == "IN":
            return self._listed(operand, negated=False)
        if word == "NOT":
            self._expect("IN")
            return self._listed(operand, negated=True)
        if word in ("INCLUDES", "EXCLUDES"):
            self._expect("(")
            return Includes(operand, word == "EXCLUDES", self._values())
        self._next -= 1
        raise self._unexpected()

    def _listed(self, operand: Operand, *, negated: bool) -> Within | SemiJoin:
        at = self._next
        self._expect("(")
        if self._words[at + 1] == "SELECT":
            return SemiJoin(operand, negated, self._inner(), at)
        return Within(operand, negated, self._values())

    def _values(self) -> tuple[Literal, ...]:
        """Values up to the closing parenthesis."""
        values = [self._literal()]
        while self._has(","):
            values.append(self._literal())
        self._expect(")")
        return tuple(values)

    def _literal(self, *, like: bool = False) -> Literal:
        at = self._next
        text = self._texts[at]
        self._next = at + 1
        if text[0] == "'" and len(text) > 1:
            return Literal("string", unquote(text, at, like=like), at)
        word = self._words[at]
        if word[0] in INITIALS:
            if word in ("TRUE", "FALSE"):
                return Literal("boolean", word == "TRUE", at)
            if word == "NULL":
                return Literal("null", None, at)
            if word in NAMES:
                return self._moment(word, at)
            if word[:3].isalpha() and word[3:].isdigit():
                raise QueryUnsupported("currency literals, as there is one currency", at)
        elif (kind := literal_kind(text)) is not None:
            return Literal(kind, float(text) if kind == "number" else text, at)
        self._next = at
        raise self._unexpected()

    def _moment(self, name: str, at: int) -> Literal:
        """A date literal: `TODAY`, `LAST_N_DAYS:3`."""
        if name in WITHOUT_NUMBER:
            return Literal("moment", name, at)
        self._expect(":")
        n = self._number()
        if n > MOST:
            raise MalformedQuery(f"the number of {name} is at most {MOST}", self._next - 1)
        return Literal("moment", name, at, n)


def _path(text: str, at: int) -> Path:
    if "." not in text:
        return Path((text,), at)
    return Path(tuple([part.strip() for part in text.split(".")]), at)
