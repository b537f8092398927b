"""Two programs measured in turn, so that a busy machine is busy for both: what compare.py and peers.py share."""
import statistics


def in_turn(count, names, measure):
    """`count` pairs of what `measure(name)` gives, each pair in the order of `names`; each second time the
    other one goes first, as the first of two finds the caches colder."""
    pairs = []
    for turn in range(count):
        order = names if turn % 2 == 0 else names[::-1]
        rows = {name: measure(name) for name in order}
        pairs.append(tuple(rows[name] for name in names))
    return pairs


def ratio(first, second):
    """Pair by pair: the median, the least, the greatest. Nothing where a second one is nothing."""
    if not all(second):
        return ""
    ratios = [a / b for a, b in zip(first, second)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def table(names, pairs, print=print):
    """A row for each figure of the pairs' dictionaries: medians, and the pairs' ratios."""
    print(f"| | {' | '.join(names)} | ratio |\n|---|---|---|---|")
    for figure in pairs[0][0]:
        first, second = ([pair[i][figure] for pair in pairs] for i in (0, 1))
        print(f"| {figure} | {statistics.median(first):.3g} | {statistics.median(second):.3g} | {ratio(first, second)} |")
