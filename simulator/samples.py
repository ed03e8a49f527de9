"""The tokens `facts.json` advertises by name, known to the simulator from the start."""

import time

from simulator.identity.material import PROJECT, TOPIC
from simulator.tokens import HOUR, TokenBook, apns_token, fcm_token

OTHER_TOPIC = "com.example.other"
OTHER_PROJECT = "another-project"


def plant_samples(book: TokenBook, seed: str) -> dict[str, str]:
    """Make the book know the sample tokens and return them by name.

    They come from the seed, so that they outlive a restart.
    """
    gone_at = time.time() - HOUR
    apns = {name: apns_token(f"{seed} {name}") for name in ("ok", "gone", "other_topic")}
    fcm = {name: fcm_token(f"{seed} {name}") for name in ("ok", "gone", "foreign")}
    book.issue("apns", TOPIC, value=apns["ok"])
    book.issue("apns", TOPIC, value=apns["gone"], gone_at=gone_at)
    book.issue("apns", OTHER_TOPIC, value=apns["other_topic"])
    book.issue("fcm", PROJECT, value=fcm["ok"])
    book.issue("fcm", PROJECT, value=fcm["gone"], gone_at=gone_at)
    book.issue("fcm", OTHER_PROJECT, value=fcm["foreign"])
    named = {f"apns_{name}": value for name, value in apns.items()}
    return named | {f"fcm_{name}": value for name, value in fcm.items()}
