"""Whether a message fits is asked for each send, so most are let through without rendering them."""

from hypothesis import given
from hypothesis import strategies as st

from delivery.message import Badge, BadgeChange, Button, Message
from delivery.providers.fitness import SMALL, is_small, refusal_of, refusal_of_rendered

# characters of one to four bytes, those JSON escapes, and halves of characters
LETTERS = st.sampled_from('aé€😀"\\\n\x00\ud83d')
TEXTS = st.builds(
    lambda letters, times: letters * times,
    st.text(LETTERS, min_size=1, max_size=8),
    st.integers(0, SMALL // 4),
)
MESSAGES = st.builds(
    Message,
    title=TEXTS,
    body=TEXTS,
    url=st.none() | TEXTS,
    data=st.none() | st.dictionaries(TEXTS, TEXTS, max_size=3),
    background=st.booleans(),
    badge=st.none() | st.builds(Badge, change=st.sampled_from(BadgeChange), count=st.integers()),
    sound=st.none() | TEXTS,
    high_priority=st.booleans(),
    image=st.none() | TEXTS,
    buttons=st.lists(st.builds(Button, id=TEXTS, text=TEXTS), max_size=3).map(tuple),
)


@given(MESSAGES)
def test_no_small_message_is_refused_by_a_provider(message):
    assert not (is_small(message) and refusal_of_rendered(message))


@given(MESSAGES)
def test_what_is_not_small_is_judged_as_it_would_be_sent(message):
    assert refusal_of(message) == refusal_of_rendered(message)


def test_the_largest_small_message_has_room_to_spare():
    message = Message(title="", body="a" * (SMALL - len('{"title":"","body":""}')))
    assert is_small(message)
    assert refusal_of_rendered(message) is None
    assert not is_small(Message(title="a", body=message.body))
