from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st

from delivery.providers.wire.field_table import FieldTable
from delivery.providers.wire.literals import path_head

PSEUDO = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"localhost")]
FIELD = st.tuples(
    st.sampled_from([b"apns-topic", b"apns-priority", b"content-type", b"long"]),
    st.one_of(
        st.integers(0, 40).map(lambda n: b"value-%d" % n),
        st.integers(0, 3).map(lambda n: b"%d" % n * 1500),
        st.just(b"v" * 5000),
    ),
)
STEP = st.one_of(
    st.lists(FIELD, max_size=5).map(tuple),
    st.sampled_from([0, 40, 100, 500, 2000, 4096, 10_000]),
)


def decode(decoder, before, after):
    block = before + path_head(2) + b"/x" + after
    fields = [(bytes(n), bytes(v)) for n, v in decoder.decode(block, raw=True)]
    assert fields[:4] == [*PSEUDO, (b":path", b"/x")]
    return tuple(fields[4:])


@given(st.lists(STEP, max_size=60), st.sampled_from([1, 700, 5000]))
def test_whatever_happens_the_other_side_reads_the_same_fields(steps, pace):
    ours, theirs = FieldTable(b"localhost"), Decoder()
    for number, step in enumerate(steps):
        if isinstance(step, int):
            ours.resize(step)
            theirs.max_allowed_table_size = step  # what a server does once we have acknowledged
        else:
            before, after, _ = ours.encode(step, number * pace)
            assert decode(theirs, before, after) == step


def test_repeated_fields_cost_a_byte_each_from_the_second_time_on():
    table, theirs = FieldTable(b"localhost"), Decoder()
    fields = tuple((b"name-%d" % n, b"value" * 5) for n in range(10))
    first = table.encode(fields, 0)
    assert not first[2], "a block that fills the table may not be repeated"
    before, after, lasting = table.encode(fields, 1)
    assert lasting
    assert (len(before), len(after)) == (3, 10)
    assert decode(theirs, *first[:2]) == decode(theirs, before, after) == fields


def test_a_full_table_stays_as_it_is_until_newcomers_have_been_patient():
    table, theirs = FieldTable(b"localhost"), Decoder()

    def size_of(name, size, started):
        fields = ((name, b"x" * size),)
        before, after, lasting = table.encode(fields, started)
        assert decode(theirs, before, after) == fields
        return len(after), lasting

    for n in range(11):
        size_of(b"old-%d" % n, 300, 0)
    size_of(b"new-1", 500, 1)  # the first newcomer may push others out
    assert size_of(b"new-1", 500, 2)[0] == 1
    assert size_of(b"new-2", 500, 3)[0] > 500
    assert size_of(b"new-2", 500, 4)[1], "a literal may be repeated"
    size_of(b"new-3", 500, 5000)
    assert size_of(b"new-3", 500, 5001)[0] == 1


def test_a_smaller_table_is_announced_before_it_is_used():
    table = FieldTable(b"localhost")
    table.encode(((b"a", b"b"),), 0)
    table.resize(0)
    table.resize(100)
    before, _, _ = table.encode(((b"a", b"b"),), 1)
    assert before.startswith(b"\x20\x3f\x45"), "0 first, for what was lost in between, then 100"


def test_many_tuples_do_not_pile_up():
    table = FieldTable(b"localhost")
    for n in range(3000):
        table.encode(((b"apns-topic", b"app-%d" % n),), n)
    assert len(table._known) <= 512
    assert table._size <= 4096
