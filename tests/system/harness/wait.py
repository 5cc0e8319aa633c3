"""Waiting for what is announced by nobody."""
import time

DEADLINE = 20.0  # seconds; far beyond what anything here takes, so that only a failure ever meets it


def eventually(probe, what="the condition", deadline=DEADLINE):
    """Asks probe() again and again until it says something true, and returns that."""
    end = time.monotonic() + deadline
    pause = 0.002
    while True:
        got = probe()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come about in {deadline:g} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
