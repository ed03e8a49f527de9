import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def nobody_tried_before():
    """Forget the attempts of other tests: they are counted for all processes, for minutes."""
    forget_attempts()


def forget_attempts():
    store = cache._cache.get_client()
    for key in store.scan_iter("gateway:*allauth*"):
        store.delete(key)
