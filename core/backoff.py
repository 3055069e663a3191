"""How long to wait before the next try: a generator of delays, and nothing that waits.

The first delay is anything between nothing and `initial_s`, so that many clients that lost one server do not come back
in step. From then on the ceiling doubles up to `cap_s`, and each delay lies in the upper half below its ceiling: until
the cap is reached every delay is at least as long as the one before.
"""

import random
from collections.abc import Iterator


def backoff(initial_s: float, cap_s: float, rng: random.Random) -> Iterator[float]:
    """Yield delays in seconds for ever. None is negative, none is longer than the cap."""
    if not 0 < initial_s <= cap_s:
        raise ValueError(f"backoff from {initial_s} s to {cap_s} s: must grow, and start above nothing")
    yield rng.uniform(0, initial_s)
    ceiling = initial_s
    while True:
        ceiling = min(ceiling * 2, cap_s)
        yield rng.uniform(ceiling / 2, ceiling)
