"""One HTTP/2 connection made for many small POSTs, and a pool of them; knows no provider.

Requests cross as `Request`, results as `Answer`, `Unsent` or `Uncertain`; nothing is raised for
what a server or a network does.
"""

from .exchange import Answer, GoAway, Request, Result, Uncertain, Unsent
from .literals import encode_literal
from .policy import Endpoint, Policy
from .pool import Pool
from .stats import Stats

__all__ = [
    "Answer",
    "Endpoint",
    "GoAway",
    "Policy",
    "Pool",
    "Request",
    "Result",
    "Stats",
    "Uncertain",
    "Unsent",
    "encode_literal",
]
