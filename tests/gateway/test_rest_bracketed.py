"""Bracket keys in forms and queries, read as Rails reads them, whatever arrives."""

import hashlib
import hmac
import time
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rest.bracketed import (
    DEEPEST,
    MOST_PAIRS,
    Unreadable,
    flat,
    read_form,
    read_pairs,
    read_query,
)

EXAMPLES = [
    ("", {}),
    ("&&", {}),
    ("a=1", {"a": "1"}),
    ("a", {"a": ""}),
    ("a=", {"a": ""}),
    ("=1", {"": "1"}),
    ("a=b=c", {"a": "b=c"}),
    ("a=1&a=2", {"a": "2"}),
    ("a=1+2%2B3", {"a": "1 2+3"}),
    ("event[user][ids]=1,2", {"event": {"user": {"ids": "1,2"}}}),
    (
        "event[user][tags][any]=a&event[user][ids]=1&event[name]=n",
        {"event": {"user": {"tags": {"any": "a"}, "ids": "1"}, "name": "n"}},
    ),
    ("id[in][]=1&id[in][]=2", {"id": {"in": ["1", "2"]}}),
    ("a[b]=1&a[b]=2", {"a": {"b": "2"}}),
    ("a[0]=x&a[1]=y", {"a": {"0": "x", "1": "y"}}),
    ("a[][b]=1", {"a": [{"b": "1"}]}),
    ("a[][b]=1&a[][c]=2", {"a": [{"b": "1", "c": "2"}]}),
    (
        "a[][b]=1&a[][c]=2&a[][b]=3&a[][c]=4",
        {"a": [{"b": "1", "c": "2"}, {"b": "3", "c": "4"}]},
    ),
    ("a[][b][]=1&a[][b][]=2", {"a": [{"b": ["1", "2"]}]}),
    (
        "a[][b][c]=1&a[][b][d]=2&a[][b][c]=3",
        {"a": [{"b": {"c": "1", "d": "2"}}, {"b": {"c": "3"}}]},
    ),
    ("a[]=1&a[][b]=2", {"a": ["1", {"b": "2"}]}),
    ("a[][]=1&a[][]=2", {"a": [["1"], ["2"]]}),
    ("a[b c]=1", {"a": {"b c": "1"}}),
    ("[a]=1", {"[a]": "1"}),
    ("a[b=1", {"a[b": "1"}),
    ("a]=1", {"a]": "1"}),
    ("a[b]c=1", {"a[b]c": "1"}),
    ("a[[b]]=1", {"a[[b]]": "1"}),
    ("[]=1", {"[]": "1"}),
    ("name=Gr%C3%BC%C3%9Fe", {"name": "Grüße"}),
    ("a=\\x41\\%41\\", {"a": "\\x41\\A\\"}),
]


@pytest.mark.parametrize(("form", "found"), EXAMPLES)
def test_a_form_stands_for_json(form, found):
    assert read_form(form.encode()) == found
    assert read_query(form) == found


@pytest.mark.parametrize(("form", "found"), EXAMPLES)
def test_brackets_may_be_escaped(form, found):
    escaped = form.replace("[", "%5B").replace("]", "%5d")
    assert read_form(escaped.encode()) == found
    assert read_query(escaped) == found


def test_raw_utf_8_is_text():
    assert read_form("a=Grüße".encode()) == {"a": "Grüße"}
    assert read_query("a=Grüße".encode().decode("latin-1")) == {"a": "Grüße"}


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("a=1&a[b]=2", "two ways"),
        ("a[b]=2&a=1", "two ways"),
        ("a=1&a[]=2", "two ways"),
        ("a[]=2&a=1", "two ways"),
        ("a[]=1&a[b]=2", "two ways"),
        ("a[b]=1&a[]=2", "two ways"),
        ("x[a]=1&x[a][b]=2", "two ways"),
        ("a[][b]=1&a[][b][c]=2", "two ways"),
        ("a=%", "percent"),
        ("a=%4", "percent"),
        ("a=%zz", "percent"),
        ("%=1", "percent"),
        ("a=%FF", "UTF-8"),
        ("a=%ED%A0%80", "UTF-8"),
        ("%C3=1", "UTF-8"),
        ("a=%00", "null"),
        ("a\0=1", "null"),
        ("a[%00]=1", "null"),
        ("[" * 16 + "=1", "levels"),
    ],
)
def test_what_is_no_form_is_refused_with_a_reason(form, reason):
    with pytest.raises(Unreadable, match=reason):
        read_form(form.encode())
    with pytest.raises(Unreadable, match=reason):
        read_query(form)


def test_raw_bytes_that_are_no_utf_8_are_refused():
    with pytest.raises(Unreadable, match="UTF-8"):
        read_form(b"a=\xff")


@pytest.mark.parametrize("text", ["a=\u20ac", "a=\ud800"])
def test_what_no_server_hands_on_is_no_query(text):
    with pytest.raises(Unreadable):
        read_query(text)


def test_half_a_character_is_refused():
    for pair in (("a", "\ud800"), ("\ud800", "a")):
        with pytest.raises(Unreadable, match="half"):
            read_pairs([pair])


def test_pairs_are_counted_exactly():
    assert read_form(b"&".join([b"a[]=1"] * MOST_PAIRS)) == {"a": ["1"] * MOST_PAIRS}
    for form in (b"&".join([b"a[]=1"] * (MOST_PAIRS + 1)), b"&" * MOST_PAIRS):
        with pytest.raises(Unreadable, match="pairs"):
            read_form(form)
    with pytest.raises(Unreadable, match="pairs"):
        read_pairs(("a", "1") for _ in range(MOST_PAIRS + 1))


@pytest.mark.parametrize("bracket", ["[a]", "[]"])
def test_levels_are_counted_exactly(bracket):
    (_,) = flat(read_form(b"a" + bracket.encode() * (DEEPEST - 1)))
    with pytest.raises(Unreadable, match="levels"):
        read_form(b"a" + bracket.encode() * DEEPEST)


# The reverse, for signatures


class Written(str):
    """A number as it was written."""

    __slots__ = ()

    def __str__(self):
        return "".join(self)


def test_json_is_flattened_to_bracket_keys():
    said = {
        "application_id": 1,
        "timestamp": Written("1.50"),
        "user": {"login": "john", "password": "p@ss w+rd&1", "guest": True, "x": None, "y": False},
        "list": ["a", {"b": 2}, []],
        "none": {},
    }
    assert list(flat(said)) == [
        ("application_id", "1"),
        ("timestamp", "1.50"),
        ("user[login]", "john"),
        ("user[password]", "p@ss w+rd&1"),
        ("user[guest]", "true"),
        ("user[x]", "null"),
        ("user[y]", "false"),
        ("list[]", "a"),
        ("list[][b]", "2"),
    ]
    assert all(type(value) is str for _, value in flat(said))


@pytest.mark.parametrize(
    ("user", "signature"),
    [
        ({}, "e28137aeebbad8ba03f1721cc5b70f4ac527f7ad"),
        (
            {"user": {"login": "john", "password": "p@ss w+rd&1"}},
            "d2bf6789799baa7827a3165b11128fbd92cb7561",
        ),
    ],
)
def test_the_vendors_signatures_come_out(user, signature):
    said = {
        "application_id": 1,
        "auth_key": "testkey",
        "timestamp": 1544010993,
        "nonce": 33432,
        **user,
    }
    for read in (said, read_form(urlencode(list(flat(said))).encode())):
        text = "&".join(sorted(f"{key}={value}" for key, value in flat(read)))
        assert hmac.new(b"testsecret", text.encode(), hashlib.sha1).hexdigest() == signature


def test_json_nested_deeper_than_a_key_is_refused():
    value: object = 1
    for _ in range(DEEPEST - 1):
        value = {"a": value}
    assert len(list(flat({"a": value}))) == 1
    for _ in range(2000):
        value = [value]
    with pytest.raises(Unreadable, match="levels"):
        list(flat({"a": value}))


names = st.text(st.characters(codec="utf-8", exclude_characters="\0[]"), min_size=1, max_size=4)
said_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
objects = st.recursive(
    said_texts | st.lists(said_texts, min_size=1, max_size=3),
    lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, objects, max_size=3))
def test_what_was_flattened_is_read_back(said):
    pairs = list(flat(said))
    assert read_pairs(pairs) == said
    for escape in (quote, quote_plus):
        form = "&".join(f"{escape(key)}={escape(value)}" for key, value in pairs)
        assert read_form(form.encode()) == said
        assert read_query(form) == said


def texts_only(value: object) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and texts_only(inner) for key, inner in value.items())
    return all(map(texts_only, value)) if isinstance(value, list) else type(value) is str


def attempt(read, what) -> None:
    try:
        found = read(what)
    except Unreadable as refused:
        assert str(refused)  # noqa: PT017 - it is one of two good ends
        return
    assert type(found) is dict
    assert texts_only(found)
    assert len(list(flat(found))) <= MOST_PAIRS


pieces = st.sampled_from(["a", "b", "[", "]", "[]", "[a]", "[b]", "=", "&", "%5B", "%", "%00", "+"])


@settings(max_examples=500)
@given(
    st.binary(max_size=60) | st.lists(pieces, max_size=25).map(lambda some: "".join(some).encode())
)
def test_any_bytes_are_a_form_or_refused(body):
    attempt(read_form, body)


@given(st.binary(max_size=40))
def test_escaped_bytes_are_what_they_were(some):
    escaped = {quote(some), quote_plus(some), "".join(f"%{byte:02x}" for byte in some)}
    try:
        text = some.decode()
    except UnicodeDecodeError:
        text = None
    for form in escaped:
        if text is None or "\0" in text:
            attempt(read_form, b"a=" + form.encode())
        else:
            assert read_form(b"a=" + form.encode()) == {"a": text}


@given(st.text(max_size=60) | st.lists(pieces, max_size=25).map("".join))
def test_any_text_is_a_query_or_refused(text):
    attempt(read_query, text)


@given(st.lists(st.tuples(st.text(max_size=8) | st.sampled_from(["a", "a[]", "a[b]"]), st.text())))
def test_any_pairs_are_read_or_refused(pairs):
    attempt(read_pairs, pairs)


SIZE = 8_000_000


@pytest.mark.parametrize(
    "body",
    [
        b"[" * SIZE,
        b"]" * SIZE,
        b"a" + b"[" * SIZE,
        b"a" + b"[]" * (SIZE // 2),
        b"a" + b"[a]" * (SIZE // 3),
        b"a" * SIZE + b"[",
        b"a[" + b"b" * SIZE,
        b"%" * SIZE,
        b"%5B" * (SIZE // 3),
        b"a=" + b"%41" * (SIZE // 3),
        b"a=" + b"%C3%BC" * (SIZE // 6),
        b"=" * SIZE,
        b"&" * SIZE,
        b"&".join([b"a[][b]=1"] * 4999),
        b"&".join([b"a" + b"[][a]" * 7 + b"=1"] * 4999),
        b"&".join([b"a" + b"[]" * 15] * 4999),
        b"&".join([b"a=" + b"x" * 1600] * 4999),
        bytes(SIZE),
    ],
    ids=range(18),
)
def test_hostile_bodies_cost_bounded_time(body):
    started = time.process_time()
    attempt(read_form, body)
    assert time.process_time() - started < 2
