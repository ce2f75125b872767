"""Waiting for what is true soon, where there is no event to wait for."""

import time

TRUE_WITHIN_S = 20


def eventually(is_true, what: str):
    """Asks until the answer is truthy, and returns it."""
    deadline = time.monotonic() + TRUE_WITHIN_S
    while not (answer := is_true()):
        assert time.monotonic() < deadline, f"not within {TRUE_WITHIN_S} s: {what}"
        time.sleep(0.01)
    return answer
