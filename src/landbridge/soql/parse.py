"""
Tokens to a Query: recursive descent. Pure.

What is valid SOQL but not ours yet is named with its place, never skipped. Source: `soql.md` sections 2 and 5.
"""

from __future__ import annotations

from landbridge.errors import MalformedQuery, QueryUnsupported
from landbridge.soql.lex import Token, tokens, unquote
from landbridge.soql.moments import MOST, NAMES, WITHOUT_NUMBER
from landbridge.soql.tree import AllFields, Both, Compare, Condition, Literal, Negation, Order, Path, Query, Within

_RESERVED = frozenset({"FROM", "WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "WITH", "FOR", "USING", "UPDATE",
                       "ALL", "AND", "OR", "NOT", "IN", "LIKE", "ASC", "DESC", "NULLS"})  # fmt: skip
_FUNCTIONS = frozenset({"COUNT", "COUNT_DISTINCT", "AVG", "SUM", "MIN", "MAX", "GROUPING", "TOLABEL", "FORMAT",
                        "CONVERTCURRENCY", "DISTANCE", "CALENDAR_MONTH", "CALENDAR_QUARTER", "CALENDAR_YEAR",
                        "DAY_IN_MONTH", "DAY_IN_WEEK", "DAY_IN_YEAR", "DAY_ONLY", "FISCAL_MONTH", "FISCAL_QUARTER",
                        "FISCAL_YEAR", "HOUR_IN_DAY", "WEEK_IN_MONTH", "WEEK_IN_YEAR"})  # fmt: skip
_CLAUSES = {
    "GROUP": "GROUP BY",
    "HAVING": "HAVING",
    "WITH": "WITH",
    "USING": "USING SCOPE",
    "UPDATE": "UPDATE TRACKING",
}
_LITERALS = ("date", "datetime", "time")
_DEEPEST = 200
"""Nested parentheses; deeper statements would end in Python's own limit."""


def parse(text: str) -> Query:
    """A statement's tree. Raises MalformedQuery (not SOQL) or QueryUnsupported (SOQL that we do not run yet)."""
    return _Parser(tokens(text)).query()


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._next = 0
        self._depth = 0

    # --- tokens ------------------------------------------------------------------------------------------------

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _is(self, *words: str) -> bool:
        return self._token.kind == "name" and self._token.word in words

    def _has(self, text: str) -> bool:
        """Take the next token if it is this word or mark."""
        token = self._token
        if token.kind in ("name", "mark", "op") and token.word == text:
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

    def query(self) -> Query:
        self._expect("SELECT")
        count, select = self._select()
        self._expect("FROM")
        source = self._name()
        alias = self._alias()
        if self._token.text == ",":
            raise QueryUnsupported("several objects in FROM", self._token.at)
        self._refuse("USING")
        where = self._condition() if self._has("WHERE") else None
        self._refuse("WITH", "GROUP", "HAVING")
        order = self._order() if self._is("ORDER") else ()
        limit = self._number() if self._has("LIMIT") else None
        offset_at = self._token.at
        offset = self._number() if self._has("OFFSET") else None
        self._end()
        return Query(select, count, source.text, source.at, alias, where, order, limit, offset, offset_at)

    def _refuse(self, *words: str) -> None:
        if self._is(*words):
            raise QueryUnsupported(_CLAUSES[self._token.word], self._token.at)

    def _end(self) -> None:
        if self._is("FOR"):
            at = self._take().at
            what = self._token.word
            if what in ("VIEW", "REFERENCE"):
                raise QueryUnsupported(f"FOR {what}", at)
            # Apex alone locks rows; the text the service gives for it is unverified.
            raise self._unexpected()
        self._refuse("UPDATE")
        if self._token.kind != "end":
            raise self._unexpected()

    def _name(self) -> Token:
        token = self._token
        if token.kind != "name" or token.word in _RESERVED:
            raise self._unexpected()
        return self._take()

    def _alias(self) -> str | None:
        if self._has("AS"):
            return self._name().text
        if self._token.kind == "name" and self._token.word not in _RESERVED:
            return self._take().text
        return None

    def _select(self) -> tuple[bool, tuple[Path | AllFields, ...]]:
        if self._is("COUNT") and self._tokens[self._next + 1].text == "(" and self._tokens[self._next + 2].text == ")":
            self._next += 3
            return True, ()
        items = [self._item()]
        while self._has(","):
            items.append(self._item())
        if not self._is("FROM") and self._token.kind == "name":
            # What a missing comma gives on the platform (soql.md section 5).
            raise MalformedQuery("only aggregate expressions use field aliasing", self._token.at)
        return False, tuple(items)

    def _item(self) -> Path | AllFields:
        token = self._token
        if token.text == "(":
            raise QueryUnsupported("child subqueries", token.at)
        if self._is("TYPEOF"):
            raise QueryUnsupported("TYPEOF", token.at)
        if token.kind == "name" and self._tokens[self._next + 1].text == "(":
            return self._function()
        return self._path()

    def _function(self) -> AllFields:
        token = self._take()
        if token.word in _FUNCTIONS:
            raise QueryUnsupported(f"{token.word}()", token.at)
        if token.word != "FIELDS":
            raise MalformedQuery("unexpected token: '('", self._token.at)
        self._expect("(")
        which = self._name()
        if which.word == "CUSTOM" or which.word == "STANDARD":
            self._expect(")")
            return AllFields(which.word, token.at)
        raise MalformedQuery(f"unexpected token: '{which.text}'", which.at)

    def _path(self) -> Path:
        token = self._name()
        names = tuple(part.strip() for part in token.text.split(".")) if "." in token.text else (token.text,)
        return Path(names, token.at)

    def _order(self) -> tuple[Order, ...]:
        self._expect("ORDER")
        self._expect("BY")
        found = [self._order_item()]
        while self._has(","):
            found.append(self._order_item())
        return tuple(found)

    def _order_item(self) -> Order:
        path = self._operand()
        descending = self._has("DESC")
        if not descending:
            self._has("ASC")
        first: bool | None = None
        if self._has("NULLS"):
            first = self._has("FIRST")
            if not first:
                self._expect("LAST")
        return Order(path, descending, first)

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
        try:
            if self._has("NOT"):
                return Negation(self._term())
            if self._has("("):
                inner = self._condition()
                self._expect(")")
                return inner
            return self._comparison()
        finally:
            self._depth -= 1

    def _operand(self) -> Path:
        if self._token.kind == "name" and self._tokens[self._next + 1].text == "(":
            raise QueryUnsupported(f"{self._token.word}()", self._token.at)
        return self._path()

    def _comparison(self) -> Condition:
        path = self._operand()
        token = self._token
        if token.kind == "op":
            self._take()
            return Compare(path, "!=" if token.text == "<>" else token.text, self._literal())
        if self._has("LIKE"):
            return Compare(path, "LIKE", self._literal(like=True))
        if self._has("NOT"):
            self._expect("IN")
            return Within(path, negated=True, values=self._list())
        if self._has("IN"):
            return Within(path, negated=False, values=self._list())
        if self._is("INCLUDES", "EXCLUDES"):
            raise QueryUnsupported(token.word, token.at)
        raise self._unexpected()

    def _list(self) -> tuple[Literal, ...]:
        self._expect("(")
        if self._is("SELECT"):
            raise QueryUnsupported("semi-joins and anti-joins", self._token.at)
        values = [self._literal()]
        while self._has(","):
            values.append(self._literal())
        self._expect(")")
        return tuple(values)

    def _literal(self, *, like: bool = False) -> Literal:
        token = self._token
        if token.kind == "string":
            self._take()
            return Literal("string", unquote(token, like=like), token.at)
        if token.kind == "number":
            self._take()
            return Literal("number", float(token.text), token.at)
        if token.kind in _LITERALS:
            self._take()
            return Literal(token.kind, token.text, token.at)
        if self._is("TRUE", "FALSE"):
            self._take()
            return Literal("boolean", token.word == "TRUE", token.at)
        if self._has("NULL"):
            return Literal("null", None, token.at)
        if token.kind == "name" and token.word in NAMES:
            return self._moment()
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
