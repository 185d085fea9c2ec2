"""Queries: what they match, how they fail, and that SQL and plain Python agree on random ones."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ishtar.catalogue import Catalogue, ReportRow
from ishtar.errors import IshtarError
from ishtar.query import index as known
from ishtar.query.query_tree import (
    Among,
    Arithmetic,
    Call,
    Compare,
    Condition,
    Contains,
    Joined,
    Literal,
    Missing,
    Moment,
    Name,
    Not,
    Term,
    Truth,
    names_in,
)
from ishtar.query.sql import IndexMissingError, QueryError, find, known_names, parse

NAN = float("nan")
ATTRIBUTES: dict[int, dict[str, Any]] = {
    1: {"gas": "Ar", "date": "2026-11-21T09:00:00.5", "useful": True, "comment": "Arc at 2 s"},
    2: {"gas": "He", "date": "2026-11-22T09:45:32.291", "useful": False, "comment": "an arc"},
    3: {"gas": "Ar", "date": "2026-11-22T17:00:00", "level": 3},
    4: {"gas": None, "date": "2026-11-23T00:00:00", "useful": True, "level": "high"},
    5: {"comment": "", "level": [1, 2], "useful": None, "gas pressure": 0.3},
    1240: {"gas": "Ar", "date": "2026-12-01 10:00:00", "level": NAN},
}
SCRAPS: dict[int, dict[str, dict[str, tuple[Any, float | None]]]] = {
    1: {"langmuir": {"Te": (4.0, 0.2), "ne": (1e17, None)}, "rf": {"max_IC_Pinj": (600, None)}},
    2: {"langmuir": {"Te": (NAN, NAN), "ne": (2e17, 1e16)}, "rf": {"max_IC_Pinj": (500.0, 5.0)}},
    3: {"langmuir": {"Te": (-5.5, None)}, "rf": {"mode": ("helicon", None), "ne": (3.0, None)}},
    4: {"langmuir": {"Te": (0.0, 0.0), "mode": (2.0, None), "ok": (True, None)}},
    1240: {"rf": {"max_IC_Pinj": (None, None), "spectrum": ([1, 2], None)}},
}


def report(shot: int, template: str, *, digest: str = "d", rerun: bool = False) -> ReportRow:
    """Return a report of a template for a shot."""
    subject = f"{shot:05d}"
    return ReportRow(
        folder=f"{subject}/{template}/{digest}",
        scope="shot",
        subject=subject,
        template=template,
        digest=digest,
        state="ok",
        reason="",
        rerun=rerun,
        current=True,
        started=f"2026-11-22T10:00:{ord(digest) % 60:02d}+01:00",
        duration_s=1.0,
        template_digest="t",
        prose_digest="p",
        parameters={},
    )


def open_indexed(path: Path) -> sqlite3.Connection:
    """Open a catalogue's file with an index that is made anew."""
    db = sqlite3.connect(path)
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'known'").fetchone():
        for statement in known.MIGRATION.split(";"):
            db.execute(statement)
    known.reindex(db)
    db.commit()
    return db


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of six shots."""
    path = tmp_path_factory.mktemp("query") / "catalogue.sqlite"
    with Catalogue(path, write=True) as catalogue:
        for shot, attributes in ATTRIBUTES.items():
            catalogue.put_shot(shot, attributes, [])
        for shot, templates in SCRAPS.items():
            for template, scraps in templates.items():
                rows = [(name, value, sigma, "") for name, (value, sigma) in scraps.items()]
                catalogue.put_report(report(shot, template), [], rows)
    return path


@pytest.fixture(scope="module")
def db(path: Path) -> Iterator[sqlite3.Connection]:
    """The same, indexed."""
    with closing(open_indexed(path)) as connection:
        yield connection


@pytest.mark.parametrize(
    ("text", "shots"),
    [
        ("gas == 'Ar' and max_IC_Pinj > 500 and date >= '2026-11-01'", [1]),
        ("gas == 'Ar'", [1, 3, 1240]),
        ("gas != 'Ar'", [2]),
        ("not gas == 'Ar'", [2]),
        ("gas is None", [4, 5]),
        ("not missing(gas) and not useful", [2]),
        ("useful", [1, 4]),
        ("useful == True", [1, 4]),
        ("useful == True or gas in ('He', \"Ar\")", [1, 2, 3, 4, 1240]),
        ("gas not in ('He',)", [1, 3, 1240]),
        ("missing(Te)", [2, 5, 1240]),
        ("Te is not None", [1, 3, 4]),
        ("-6 <= Te < 4", [3, 4]),
        ("Te.sigma < 0.1", [4]),
        ("langmuir.Te.sigma is not None", [1, 4]),
        ("langmuir.ne > 1.5e17", [2]),
        ("rf.ne == 3", [3]),
        ("1 / Te > -1", [1, 3]),
        ("abs(Te) > 3 and 2 * Te - 1 != 7", [3]),
        ("shot >= 4", [4, 5, 1240]),
        ("shot in 1200..1250", [1240]),
        ("shot in (1, 3..4)", [1, 3, 4]),
        ("'arc' in comment", [2]),
        ("'arc' in lower(comment)", [1, 2]),
        ("'x' not in comment", [1, 2, 5]),
        ("comment == ''", [5]),
        ("`gas pressure` > 0.2", [5]),
        ("level == 'high'", [4]),
        ("level == 3", [3]),
        ("level is not None", [3, 4, 5]),
        ("langmuir.ok", [4]),
        ("date == '2026-11-22'", [2, 3]),
        ("date == 2026-11-22", [2, 3]),
        ("day == 2026-11-22", [2, 3]),
        ("date <= '2026-11-22'", [1, 2, 3]),
        ("date > 2026-11-22", [4, 1240]),
        ("date < 2026-11-22", [1]),
        ("date == '2026-11'", [1, 2, 3, 4]),
        ("date != '2026-11'", [1240]),
        ("date == '2026-11-22T09:45'", [2]),
        ("date == 2026-11-22 09:45:32", [2]),
        ("date in (2026-11-21, '2026-12')", [1, 1240]),
        ("date in 2026-11-22..2026-11-23", [2, 3, 4]),
        ("2026-11-21 < date <= 2026-11-22", [2, 3]),
        ("date > 2026-12-01 09:00", [1240]),
        ("\n  gas == 'He'\t", [2]),
        ("spectrum is not None", [1240]),
        ("max_IC_Pinj is not None", [1, 2]),
        ("False or True and not False", [1, 2, 3, 4, 5, 1240]),
    ],
)
def test_it_finds(db: sqlite3.Connection, text: str, shots: list[int]) -> None:
    """Each query matches the shots that a reader of it expects."""
    assert find(db, text) == shots


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("gas == 'Ar' & Te > 3", 12, "write and"),
        ("gas == 'Ar' adn Te > 3", 12, "did you mean 'and'"),
        ("gas == Ar", 7, "no attribute or scrap 'Ar'"),
        ("gaz == 'Ar'", 0, "did you mean 'gas'"),
        ("gas == 'He' or te > 3", 15, "did you mean 'Te'"),
        ("langmuir.Tee > 3", 0, "langmuir.Te"),
        ("langmuir.Tee.sigma > 3", 0, "langmuir.Te.sigma"),
        ("ne > 1e17", 0, "write langmuir.ne or rf.ne"),
        ("gas.sigma > 1", 0, "an attribute, without sigma"),
        ("gas > 5", 0, "gas holds text"),
        ("Te == 'hot'", 0, "Te holds numbers"),
        ("spectrum > 3", 0, "spectrum holds lists"),
        ("comment", 0, "comment holds text"),
        ("3 == 'x'", 5, "a number is compared with text"),
        ("gas == 'Ar", 7, "never closed"),
        ("max_IC_Pinj > 500 W", 18, "leave the unit out"),
        ("Te > 3 and", 10, "expected a name"),
        ("(Te > 3", 7, "expected )"),
        ("Te + 3", 0, "no condition: compare it"),
        ("(Te > 3) + 1 > 2", 1, "a condition, no value"),
        ("Te == None", 6, "is None"),
        ("Te in ()", 6, "nothing is listed"),
        ("Te in (1, shot)", 10, "a list holds"),
        ("date > 'yesterday'", 7, "this is no date"),
        ("date > 2026-13-45", 7, "this is no date"),
        ("day == '2026-11-22T10'", 7, "no time of day"),
        ("sqrt(Te) > 2", 0, "there are abs, lower, missing"),
        ("mising(Te)", 0, "did you mean 'missing'"),
        ("Te > 1e999", 5, "too large"),
        ("lower(Te) == 'x'", 6, "Te holds numbers"),
        ("Te > 3 $ DROP TABLE shots", 7, "means nothing here"),
        ("__import__('os')", 0, "no function '__import__'"),
        ("gas == '\ud800'", 7, "not valid Unicode"),
        ("", 0, "empty"),
        ("(" * 40 + "Te" + ")" * 40, 16, "brackets"),
        (" + ".join(["Te"] * 900) + " > 1", None, "words"),
    ],
)
def test_a_mistake_points_at_itself(
    db: sqlite3.Connection, text: str, at: int | None, says: str
) -> None:
    """A query that cannot be understood says where, why and what was likely meant."""
    with pytest.raises(QueryError) as caught:
        find(db, text)
    error = caught.value
    assert says in str(error)
    assert "\n" not in str(error)
    assert isinstance(error, IshtarError | ValueError)
    assert error.text == text
    if at is not None:
        assert error.at == at
        assert f"character {at + 1}" in str(error) or "at the end" in str(error)
        line, carets = error.caret().split("\n")
        assert carets.startswith(" " * at + "^")
        assert len(line) == len(text)


def test_the_error_names_the_nearest_as_data(db: sqlite3.Connection) -> None:
    """A program can offer what was meant."""
    with pytest.raises(QueryError) as caught:
        find(db, "max_IC_Pin > 5")
    assert caught.value.near == ("max_IC_Pinj",)


def test_the_largest_queries_that_are_allowed_run(db: sqlite3.Connection) -> None:
    """Whatever passes the parser's limits passes SQLite's."""
    deep = "not (" * 8 + "(" * 0 + "Te > 3" + ")" * 8
    assert find(db, deep) == [1]
    nested = "Te + 1"
    for _ in range(15):
        nested = f"({nested}) * (1)" if "abs" in nested else f"abs({nested})"
    assert isinstance(find(db, f"{nested} > 0"), list)
    assert find(db, " or ".join(["Te > 3"] * 200)) == [1]
    assert find(db, " < ".join(["Te"] * 350)) == []
    assert find(db, f"date in ({', '.join(['2026-11-22'] * 300)})") == [2, 3]
    assert find(db, f"{' + '.join(['Te'] * 300)} > 0") == [1]


def test_names_that_may_be_used_are_listed(db: sqlite3.Connection) -> None:
    """Attributes, scraps and scraps with their template."""
    assert {"shot", "gas", "date", "day", "Te", "langmuir.Te", "rf.ne"} <= set(known_names(db))
    assert [n.name for n in names_in(parse("Te > rf.ne or missing(gas)"))] == ["Te", "rf.ne", "gas"]


def test_an_older_catalogue_says_what_to_do(tmp_path: Path) -> None:
    """Without the index there is an error, no wrong answer."""
    with (
        closing(sqlite3.connect(tmp_path / "x.sqlite")) as db,
        pytest.raises(IndexMissingError, match="ishtar rebuild"),
    ):
        find(db, "shot > 1")


def test_the_index_follows_what_is_written(tmp_path: Path) -> None:
    """Notes of single changes give the same index as making it anew."""
    path = tmp_path / "catalogue.sqlite"
    with Catalogue(path, write=True) as catalogue, closing(open_indexed(path)) as db:

        def put(row: ReportRow, te: Any) -> None:
            catalogue.put_report(row, [], [("Te", te, None, "eV")])
            with db:
                known.index_report(db, row.subject, row.template)

        for shot, gas in ((1, "Ar"), (2, "Ar"), (1, "He")):
            catalogue.put_shot(shot, {"gas": gas} | ({"old": 1} if gas == "Ar" else {}), [])
            with db:
                known.index_shot(db, shot, catalogue.attributes(shot) or {})
        put(report(1, "langmuir"), 3.0)
        put(report(2, "langmuir"), 3.0)
        put(report(1, "langmuir", digest="e"), 5.0)
        put(report(1, "langmuir", digest="f", rerun=True), 7.0)
        put(report(2, "langmuir", digest="e"), None)
        with db:
            known.index_report(db, "2026-11-22", "langmuir")  # a day, of which nothing is indexed

        queries = ("Te == 5", "missing(Te)", "gas == 'He'", "old == 1", "Te > 0", "shot > 0")
        answers = [find(db, q) for q in queries]
        assert answers == [[1], [2], [1], [2], [1], [1, 2]]
        rows = "SELECT template, name, key & 4294967295, number, text FROM known JOIN names ON "
        rows += "id = key >> 32 ORDER BY 1, 2, 3"
        before = db.execute(rows).fetchall()
        known.reindex(db)
        assert db.execute(rows).fetchall() == before
        assert [find(db, q) for q in queries] == answers


def test_numbers_that_sqlite_cannot_hold_are_kept_as_far_as_they_go(tmp_path: Path) -> None:
    """Infinity and integers of hundreds of digits compare as what they are."""
    path = tmp_path / "catalogue.sqlite"
    with Catalogue(path, write=True) as catalogue:
        catalogue.put_shot(1, {"big": 10**400, "low": -math.inf}, [])
        catalogue.put_shot(2, {"big": 2**70, "low": 0}, [])
    with closing(open_indexed(path)) as db:
        assert find(db, "big > 1e300") == [1]
        assert find(db, "big == 1180591620717411303424") == [2]
        assert find(db, "low < -1e300") == [1]


# --- random queries against plain Python ---------------------------------------------------------

NUMBERS = ("Te", "shot", "max_IC_Pinj", "level", "useful", "langmuir.mode", "Te.sigma")
TEXTS = ("gas", "comment", "level", "rf.mode")
P = (0, 0)  # places do not count


def value_of(shot: int, name: str) -> Any:
    """Return what a shot has under a name, None where it has nothing."""
    if name == "shot":
        return shot
    if name in ("gas", "comment", "level", "useful", "date"):
        found = ATTRIBUTES[shot].get(name)
        return found.replace(" ", "T") if name == "date" and found else found
    sigma, base = name.endswith(".sigma"), name.removesuffix(".sigma")
    template, _, scrap = base.rpartition(".")
    for giver, scraps in SCRAPS.get(shot, {}).items():
        if scrap in scraps and template in ("", giver):
            value, error = scraps[scrap]
            return error if sigma else value
    return None


def plain(term: Term, shot: int) -> Any:
    """Compute a term; None where it is unknown."""
    match term:
        case Literal(value=value):
            return value
        case Moment(text=text):
            return text
        case Name(name=name):
            value = value_of(shot, name)
        case Call(function=function, argument=argument):
            x = plain(argument, shot)
            if function == "lower":
                ok = isinstance(x, str)
                return "".join(c.lower() if c.isascii() else c for c in x) if ok else None
            if not isinstance(x, int | float):
                return None
            value = abs(x) if function == "abs" else -x
        case Arithmetic(first=first, rest=rest):
            value = reduce(
                lambda x, step: compute(x, step[0], plain(step[1], shot)), rest, plain(first, shot)
            )
        case _:
            raise TypeError(term)
    return None if isinstance(value, float) and math.isnan(value) else value


def compute(x: Any, sign: str, y: Any) -> float | None:
    """Compute one step of arithmetic."""
    if not isinstance(x, int | float) or not isinstance(y, int | float):
        return None
    x, y = float(x), float(y)
    if sign == "/":
        return x / y if y else None
    value = {"+": x + y, "-": x - y, "*": x * y}[sign]
    return None if math.isnan(value) else value


def compared(x: Any, operator: str, y: Any) -> bool | None:
    """Compare, None where that is unknown."""
    kinds = [
        str if isinstance(v, str) else float if isinstance(v, int | float) else 0 for v in (x, y)
    ]
    if kinds[0] != kinds[1] or 0 in kinds:
        return None
    return {
        "==": x == y,
        "!=": x != y,
        "<": x < y,
        "<=": x <= y,
        ">": x > y,
        ">=": x >= y,
    }[operator]


def negate(x: bool | None) -> bool | None:
    """Negate: unknown stays unknown."""
    return None if x is None else not x


def either(found: list[bool | None]) -> bool | None:
    """Return whether one is true, None where that is unknown."""
    return True if True in found else None if None in found else False


def holds(condition: Condition, shot: int) -> bool | None:
    """Tell whether a condition holds for a shot, None where that is unknown."""
    match condition:
        case Truth(term=term):
            return compared(plain(term, shot), "!=", 0.0)
        case Compare(left=left, operator=operator, right=Moment(text=text)):
            x = plain(left, shot)
            return compared(x[: len(text)] if isinstance(x, str) else None, operator, text)
        case Compare(left=left, operator=operator, right=right):
            return compared(plain(left, shot), operator, plain(right, shot))
        case Among(term=term, items=items):
            one = [
                holds(Compare(*P, term, "==", item), shot)
                if isinstance(item, Term)
                else negate(
                    either(
                        [
                            negate(holds(Compare(*P, term, ">=", item[0]), shot)),
                            negate(holds(Compare(*P, term, "<=", item[1]), shot)),
                        ]
                    )
                )
                for item in items
            ]
            return either(one)
        case Contains(part=part, whole=whole):
            x, y = plain(part, shot), plain(whole, shot)
            return x in y if isinstance(x, str) and isinstance(y, str) else None
        case Missing(term=term):
            return plain(term, shot) is None
        case Not(condition=inner):
            return negate(holds(inner, shot))
        case Joined(word="or", conditions=parts):
            return either([holds(c, shot) for c in parts])
        case Joined(conditions=parts):
            return negate(either([negate(holds(c, shot)) for c in parts]))
    raise TypeError(condition)


def written(node: Any) -> str:
    """Write a tree as text, with brackets around everything that has parts."""
    match node:
        case Literal(value=str(value)):
            return f'"{value}"' if "'" in value else f"'{value}'"
        case Literal(value=value):
            return repr(value)
        case Moment(text=text) | Name(name=text):
            return text
        case Call(function=function, argument=argument):
            return f"{function} ({written(argument)})"
        case Arithmetic(first=first, rest=rest):
            tail = "".join(f"{sign}{bracketed(term)}" for sign, term in rest)
            return bracketed(first) + tail
        case Truth(term=term):
            return written(term)
        case Compare(left=left, operator=operator, right=right):
            return f"{bracketed(left)} {operator}{bracketed(right)}"
        case Among(term=term, items=items):
            return f"{bracketed(term)} in ({', '.join(written(item) for item in items)})"
        case (low, high):
            return f"{written(low)}..{written(high)}"
        case Contains(part=part, whole=whole):
            return f"{bracketed(part)} in {written(whole)}"
        case Missing(term=term):
            return f"missing({written(term)})"
        case Not(condition=condition):
            return f"not ({written(condition)})"
        case Joined(word=word, conditions=conditions):
            return f" {word} ".join(f"({written(c)})" for c in conditions)
    raise TypeError(node)


def bracketed(term: Term) -> str:
    """Write a term so that it can stand anywhere in a sum."""
    return written(term) if isinstance(term, Literal | Moment | Name) else f"({written(term)})"


def joined(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Two or three parts as a tuple."""
    return st.lists(parts, min_size=2, max_size=3).map(tuple)


numbers = st.one_of(
    st.sampled_from([0.0, 1.0, 3.0, 4.0, -5.5, 500.0, 1240.0]),
    st.floats(allow_nan=False, allow_infinity=False),
).map(lambda x: Literal(*P, x))
texts = st.one_of(
    st.sampled_from(["Ar", "He", "", "arc", "high", "helicon", "5"]),
    st.text(max_size=4).filter(lambda t: not ("'" in t and '"' in t)),
).map(lambda x: Literal(*P, x))
moments = st.sampled_from(
    ["2026-11-21", "2026-11-22", "2026-11-22T09:45", "2026-11-22T17:00:00", "2026-12-01"]
).map(lambda x: Moment(*P, x))
number_names = st.sampled_from(NUMBERS).map(lambda x: Name(*P, x))
text_names = st.sampled_from(TEXTS).map(lambda x: Name(*P, x))
number_terms = st.recursive(
    numbers | number_names,
    lambda t: st.one_of(
        st.builds(Call, *map(st.just, P), st.just("abs"), t),
        st.builds(Call, *map(st.just, P), st.just("-"), t.filter(lambda x: type(x) is not Literal)),
        st.tuples(t, st.lists(st.tuples(st.sampled_from("+-"), t), min_size=1, max_size=2)).map(
            lambda x: Arithmetic(*P, x[0], tuple(x[1]))
        ),
        st.tuples(t, st.lists(st.tuples(st.sampled_from("*/"), t), min_size=1, max_size=2)).map(
            lambda x: Arithmetic(*P, x[0], tuple(x[1]))
        ),
    ),
    max_leaves=4,
)
text_terms = st.one_of(texts, text_names, text_names.map(lambda name: Call(*P, "lower", name)))
operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
dates = st.just(Name(*P, "date"))
leaves = st.one_of(
    st.builds(lambda a, o, b: Compare(*P, a, o, b), number_terms, operators, number_terms),
    st.builds(lambda a, o, b: Compare(*P, a, o, b), text_terms, operators, text_terms),
    st.builds(lambda a, o, b: Compare(*P, a, o, b), dates, operators, moments),
    st.builds(lambda a, i: Among(*P, a, i), number_terms, joined(numbers)),
    st.builds(lambda a, r: Among(*P, a, (r,)), number_terms, st.tuples(numbers, numbers)),
    st.builds(lambda a, i: Among(*P, a, i), text_terms, joined(texts)),
    st.builds(lambda a, i: Among(*P, a, i), dates, joined(moments)),
    st.builds(lambda a, b: Contains(*P, a, b), text_terms, text_terms),
    st.builds(lambda a: Missing(*P, a), number_terms | text_names | dates),
    st.sampled_from(["useful", "Te", "langmuir.mode"]).map(lambda n: Truth(*P, Name(*P, n))),
)
conditions = st.recursive(
    leaves,
    lambda c: st.one_of(
        c.map(lambda x: Not(*P, x)),
        st.builds(lambda w, x: Joined(*P, w, x), st.sampled_from(["and", "or"]), joined(c)),
    ),
    max_leaves=6,
)


@settings(max_examples=250, deadline=None)
@given(conditions)
def test_sql_and_plain_python_agree(db: sqlite3.Connection, tree: Condition) -> None:
    """Any query, written out and read again, is the same tree and matches the same shots."""
    text = written(tree)
    assert parse(text) == tree
    assert find(db, text) == [shot for shot in ATTRIBUTES if holds(tree, shot)]


WORDS = (
    "gas Te date useful level and or not in is None True ( ) [ ] , .. == = != < > + - * / 'Ar' 3 "
    "1e5 2026-11-22 `x missing( abs( lower( Te.sigma langmuir. . é \x00 % ; ~ ≥ none "
    "latest 3eV 2026-11"
)
words = st.sampled_from(WORDS.split(" "))


@settings(max_examples=250, deadline=None)
@given(st.one_of(st.text(), st.lists(words, max_size=12).map(" ".join)))
def test_any_text_gives_shots_or_a_query_error(db: sqlite3.Connection, text: str) -> None:
    """Nothing that can be typed breaks it."""
    error = None
    try:
        found = find(db, text)
    except QueryError as caught:
        error = caught
    if error is None:
        assert set(found) <= set(ATTRIBUTES)
    else:
        assert str(error)
        assert 0 <= error.at <= len(text)
        assert "^" in error.caret()
