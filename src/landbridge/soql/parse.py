"""
Tokens to a Query: recursive descent. Pure.

What is valid SOQL but not ours is named with its place, never skipped. Source: `soql.md` sections 2 and 5.
"""

from __future__ import annotations

from landbridge.errors import MalformedQuery, QueryUnsupported
from landbridge.soql.lex import Token, tokens, unquote
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

_CLAUSES = frozenset({"USING", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "UPDATE", "ALL"})
"""Words that end a list: no alias is called so."""
_RESERVED = _CLAUSES | {"SELECT", "FROM", "AND", "OR", "NOT", "IN", "LIKE", "INCLUDES", "EXCLUDES", "ASC", "DESC",
                        "NULLS", "NULL", "END", "WHEN", "THEN", "ELSE"}  # fmt: skip
AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "AVG", "SUM", "MIN", "MAX"})
DATES = frozenset({"CALENDAR_MONTH", "CALENDAR_QUARTER", "CALENDAR_YEAR", "DAY_IN_MONTH", "DAY_IN_WEEK", "DAY_IN_YEAR",
                   "DAY_ONLY", "FISCAL_MONTH", "FISCAL_QUARTER", "FISCAL_YEAR", "HOUR_IN_DAY", "WEEK_IN_MONTH",
                   "WEEK_IN_YEAR"})  # fmt: skip
FUNCTIONS = AGGREGATES | DATES | {"GROUPING", "TOLABEL", "FORMAT", "CONVERTTIMEZONE", "DISTANCE"}
_REFUSED = {"CONVERTCURRENCY": "convertCurrency(), as there is one currency", "FORMULA": "FORMULA()"}
_LITERALS = ("date", "datetime", "time")
_DEEPEST = 200
"""Nested parentheses; deeper statements would end in Python's own limit."""
_LEVELS = 5
"""Subqueries within subqueries; the rest is a statement that nobody can mean."""


def parse(text: str) -> Query:
    """A statement's tree. Raises MalformedQuery (not SOQL) or QueryUnsupported (SOQL that we do not run)."""
    return _Parser(tokens(text)).statement()


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._next = 0
        self._depth = 0
        self._level = 0

    # --- tokens ------------------------------------------------------------------------------------------------

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _is(self, *words: str) -> bool:
        token = self._tokens[self._next]
        return token.kind == "name" and token.word in words

    def _calls(self) -> bool:
        """Whether a name and its opening parenthesis come next."""
        return self._token.kind == "name" and self._tokens[self._next + 1].text == "("

    def _has(self, text: str) -> bool:
        """Take the next token if it is this word or mark."""
        token = self._tokens[self._next]
        if token.word == text and token.kind != "string":
            self._next += 1
            return True
        return False

    def _expect(self, text: str) -> Token:
        if not self._has(text):
            raise self._unexpected()
        return self._tokens[self._next - 1]

    def _unexpected(self) -> MalformedQuery:
        token = self._token
        # A statement whose very first token is wrong has no preamble (soql.md section 5).
        return MalformedQuery(f"unexpected token: '{token.text}'", None if self._next == 0 else token.at)

    # --- clauses -----------------------------------------------------------------------------------------------

    def statement(self) -> Query:
        found = self._query()
        if self._token.kind != "end":
            raise self._unexpected()
        return found

    def _query(self) -> Query:
        self._expect("SELECT")
        count, select = self._select()
        self._expect("FROM")
        source = self._source()
        others = []
        while self._has(","):
            others.append(self._source())
        scope, scope_at = self._scope()
        where = self._condition() if self._has("WHERE") else None
        self._with()
        group = self._group() if self._is("GROUP") else None
        having = self._condition() if self._has("HAVING") else None
        order = self._order() if self._is("ORDER") else ()
        limit_at = self._token.at
        limit = self._number() if self._has("LIMIT") else None
        offset_at = self._token.at
        offset = self._number() if self._has("OFFSET") else None
        viewed = self._endings()
        return Query(
            select=select, count=count, source=source, others=tuple(others), scope=scope, scope_at=scope_at, where=where,
            group=group, having=having, order=order, limit=limit, limit_at=limit_at, offset=offset, offset_at=offset_at,
            viewed=viewed,
        )  # fmt: skip

    def _inner(self) -> Query:
        """A query between parentheses, the opening one taken."""
        if self._level == _LEVELS:
            raise MalformedQuery(f"subqueries are nested more than {_LEVELS} deep", self._token.at)
        self._level += 1
        found = self._query()
        self._level -= 1
        self._expect(")")
        return found

    def _source(self) -> Source:
        token = self._token
        if token.kind != "name":
            raise self._unexpected()
        self._take()  # an object may be called Group or Order
        alias: str | None = None
        if self._has("AS") or (self._token.kind == "name" and self._token.word not in _RESERVED):
            alias = self._name().text
        return Source(_path(token), alias)

    def _scope(self) -> tuple[str | None, int]:
        if not self._has("USING"):
            return None, 0
        self._expect("SCOPE")
        token = self._name()
        return token.text, token.at

    def _with(self) -> None:
        """WITH is for Apex and for other products; each kind is named."""
        if not self._has("WITH"):
            return
        if self._is("SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"):
            raise self._unexpected()  # Apex alone has them (soql.md section 2)
        if self._is("DATA"):
            raise QueryUnsupported("WITH DATA CATEGORY", self._token.at)
        raise QueryUnsupported("WITH", self._token.at)

    def _endings(self) -> tuple[str, ...]:
        """What stands behind OFFSET. ALL ROWS and FOR UPDATE are for Apex alone."""
        viewed = []
        while self._has("FOR"):
            if not self._is("VIEW", "REFERENCE"):
                raise self._unexpected()
            viewed.append(self._take().word)
        if self._is("UPDATE"):
            at = self._take().at
            if self._is("TRACKING", "VIEWSTAT"):
                raise QueryUnsupported(f"UPDATE {self._token.word}", at)
            raise self._unexpected()
        return tuple(viewed)

    def _name(self) -> Token:
        token = self._token
        if token.kind != "name" or token.word in _RESERVED:
            raise self._unexpected()
        return self._take()

    # --- SELECT ------------------------------------------------------------------------------------------------

    def _select(self) -> tuple[bool, tuple[Selected, ...]]:
        if self._is("COUNT") and self._tokens[self._next + 1].text == "(" and self._tokens[self._next + 2].text == ")":
            self._next += 3
            return True, ()
        items = [self._selected()]
        while self._has(","):
            items.append(self._selected())
        return False, tuple(items)

    def _selected(self) -> Selected:
        token = self._token
        if token.text == "(":
            self._take()
            return Subquery(self._inner(), token.at)
        if token.kind == "name" and token.word == "TYPEOF":
            return self._type_of()
        if self._calls() and token.word == "FIELDS":
            return self._fields()
        what = self._operand()
        if self._token.kind == "name" and self._token.word not in _RESERVED:
            alias = self._take()
            return Item(what, alias.text, alias.at)
        return Item(what)

    def _fields(self) -> AllFields:
        at = self._take().at
        self._expect("(")
        which = self._take()
        if which.word not in ("ALL", "STANDARD", "CUSTOM"):
            self._next -= 1
            raise self._unexpected()
        self._expect(")")
        return AllFields(which.word, at)

    def _type_of(self) -> TypeOf:
        self._take()
        path = self._path()
        branches = []
        while self._has("WHEN"):
            sobject = self._take()
            if sobject.kind != "name":
                self._next -= 1
                raise self._unexpected()
            self._expect("THEN")
            branches.append(Branch(sobject.text, sobject.at, self._paths()))
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
        return _path(self._name())

    def _operand(self) -> Operand:
        return self._function() if self._calls() else self._path()

    def _function(self) -> Call:
        token = self._take()
        name = token.word
        if name in _REFUSED:
            raise QueryUnsupported(_REFUSED[name], token.at)
        if name not in FUNCTIONS:
            raise self._unexpected()
        self._expect("(")
        if name == "DISTANCE":
            return self._distance(token)
        argument = self._operand()
        self._expect(")")
        return Call(name, (argument,), token.at)

    def _distance(self, token: Token) -> Call:
        """`DISTANCE(field, GEOLOCATION(lat, lon), 'mi')`: the field comes first, the point second."""
        field = self._path()
        self._expect(",")
        if not self._is("GEOLOCATION"):
            raise self._unexpected()
        at = self._take().at
        self._expect("(")
        latitude = self._decimal()
        self._expect(",")
        longitude = self._decimal()
        self._expect(")")
        self._expect(",")
        unit = self._token
        if unit.kind != "string" or unit.text.strip("'").lower() not in ("mi", "km"):
            raise self._unexpected()
        self._take()
        self._expect(")")
        return Call("DISTANCE", (field, Geolocation(latitude, longitude, at)), token.at, unit.text.strip("'").lower())

    def _decimal(self) -> float:
        if self._token.kind != "number":
            raise self._unexpected()
        return float(self._take().text)

    # --- GROUP BY, ORDER BY --------------------------------------------------------------------------------------

    def _group(self) -> GroupBy:
        at = self._take().at
        self._expect("BY")
        how = ""
        if self._calls() and self._is("ROLLUP", "CUBE"):
            how = self._take().word
            self._expect("(")
        items = [self._operand()]
        while self._has(","):
            items.append(self._operand())
        if how:
            self._expect(")")
        return GroupBy(how, tuple(items), at)

    def _order(self) -> tuple[Order, ...]:
        self._expect("ORDER")
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
        token = self._token
        if token.kind != "number" or not token.text.isdigit():
            raise self._unexpected()
        self._take()
        return int(token.text[:18])

    # --- conditions --------------------------------------------------------------------------------------------

    def _condition(self) -> Condition:
        first = self._term()
        op = self._token.word if self._is("AND", "OR") else None
        if op is None:
            return first
        terms = [first]
        while self._has(op):
            terms.append(self._term())
        if self._is("AND", "OR"):
            # AND and OR side by side need parentheses on the platform too.
            raise self._unexpected()
        return Both(op, tuple(terms))

    def _term(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise MalformedQuery(f"conditions are nested more than {_DEEPEST} deep", self._token.at)
        if self._has("NOT"):
            found: Condition = Negation(self._term())
        elif self._has("("):
            found = self._condition()
            self._expect(")")
        else:
            found = self._comparison()
        self._depth -= 1
        return found

    def _comparison(self) -> Condition:
        operand = self._operand()
        token = self._token
        if token.kind == "op":
            self._take()
            return Compare(operand, "!=" if token.text == "<>" else token.text, self._literal())
        if self._has("LIKE"):
            return Compare(operand, "LIKE", self._literal(like=True))
        if self._has("NOT"):
            self._expect("IN")
            return self._listed(operand, negated=True)
        if self._has("IN"):
            return self._listed(operand, negated=False)
        if self._is("INCLUDES", "EXCLUDES"):
            negated = self._take().word == "EXCLUDES"
            self._expect("(")
            return Includes(operand, negated, self._values())
        raise self._unexpected()

    def _listed(self, operand: Operand, *, negated: bool) -> Within | SemiJoin:
        at = self._expect("(").at
        if self._is("SELECT"):
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
        token = self._token
        if token.kind == "string":
            self._take()
            return Literal("string", unquote(token.text, token.at, like=like), token.at)
        if token.kind == "number":
            self._take()
            return Literal("number", float(token.text), token.at)
        if token.kind in _LITERALS:
            self._take()
            return Literal(token.kind, token.text, token.at)
        if token.kind != "name":
            raise self._unexpected()
        word = token.word
        if word in ("TRUE", "FALSE"):
            self._take()
            return Literal("boolean", word == "TRUE", token.at)
        if self._has("NULL"):
            return Literal("null", None, token.at)
        if word in NAMES:
            return self._moment()
        if word[:3].isalpha() and word[3:].isdigit():
            raise QueryUnsupported("currency literals, as there is one currency", token.at)
        raise self._unexpected()

    def _moment(self) -> Literal:
        """A date literal: `TODAY`, `LAST_N_DAYS:3`."""
        token = self._take()
        if token.word in WITHOUT_NUMBER:
            return Literal("moment", token.word, token.at)
        self._expect(":")
        at = self._token.at
        n = self._number()
        if n > MOST:
            raise MalformedQuery(f"the number of {token.word} is at most {MOST}", at)
        return Literal("moment", token.word, token.at, n)


def _path(token: Token) -> Path:
    text = token.text
    names = tuple(part.strip() for part in text.split(".")) if "." in text else (text,)
    return Path(names, token.at)
