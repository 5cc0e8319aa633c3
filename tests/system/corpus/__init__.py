"""Malformed, ambiguous, smuggling and merely unusual traffic as tables, by family: README.md."""
from . import answers, chunks, framing, good, heads, lines

CASES = [c for module in (framing, chunks, heads, lines, answers, good) for c in module.CASES]
