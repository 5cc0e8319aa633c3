"""The table of cases by family and outcome at the end of a run."""
from collections import Counter

from . import CASES

OUTCOMES = ("refused", "answered", "closed", "bad gateway", "cut", "served")


def lines(failed):
    """failed: ids of cases. Two deliveries of each case were judged as one."""
    table = {}
    for c in CASES:
        table.setdefault(c.family, Counter())["failed" if c.id in failed else c.outcome] += 1
    table["all"] = sum(table.values(), Counter())
    columns = [*OUTCOMES, "failed"] if failed else OUTCOMES
    wide = max(map(len, table))
    yield " ".join(["family".ljust(wide), "cases", *columns])
    for name, row in table.items():
        yield " ".join([name.ljust(wide), f"{sum(row.values()):5}",
                        *(str(row[o] or ".").rjust(len(o)) for o in columns)])


def write(reporter):
    """What pytest prints when all cases of the corpus were in a run."""
    def ids(kind):
        return {r.nodeid.split("test_case[", 1)[1][:-1] for r in reporter.stats.get(kind, ())
                if "test_corpus.py::test_case[" in r.nodeid and r.when == "call"}
    passed, failed = ids("passed"), ids("failed")
    if len(passed) + len(failed) == len(CASES):
        reporter.section("corpus")
        for line in lines(failed):
            reporter.line(line)


if __name__ == "__main__":
    print("\n".join(lines(())))
