"""What grew in a long run: pure judgement of samples, without a clock, a file or a process.

A sample is (seconds, {figure: value}). The second and the last quarter of the run are compared: the first is for
getting warm, and with faults all the way what both have in common is only that nothing may have gathered between
them. Medians, as a fault lifts a few samples; of rates the mean, as lines come in bursts."""
import statistics
from typing import NamedTuple

LEAST = 8  # samples in a quarter


class Tolerance(NamedTuple):
    """What a figure may grow from quarter to quarter: the larger of the two."""
    absolute: float
    relative: float
    of: callable = statistics.median

    def allowed(self, before):
        return max(self.absolute, self.relative * before)


TOLERANCES = {
    "anonymous MB": Tolerance(1, 0.1),
    # Pages of the buffer's file that the kernel has mapped, as many as a backlog made.
    "file-backed MB": Tolerance(4, 0.25),
    # The file keeps what its largest backlog took; a part of it is given back now and then.
    "buffer file MB": Tolerance(4, 0.25),
    "data_dir on disk MB": Tolerance(4, 0.25),
    "descriptors": Tolerance(4, 0),
    "threads": Tolerance(0, 0),
    "log lines a minute": Tolerance(10, 0.5, statistics.fmean),
}


class Row(NamedTuple):
    figure: str
    before: float
    after: float
    allowed: float

    @property
    def flat(self):
        return self.after - self.before <= self.allowed


def quarters(samples):
    """Those of the second and of the last one."""
    begin, end = samples[0][0], samples[-1][0]
    part = (end - begin) / 4
    second = [values for at, values in samples if begin + part <= at < begin + 2 * part]
    last = [values for at, values in samples if at >= end - part]
    return second, last


def judged(samples, tolerances=TOLERANCES):
    """A Row for each figure. ValueError where there are too few samples to tell."""
    second, last = quarters(samples) if samples else ([], [])
    if min(len(second), len(last)) < LEAST:
        raise ValueError(f"{len(samples)} samples are too few: each quarter needs {LEAST}")
    rows = []
    for figure, tolerance in tolerances.items():
        before, after = (tolerance.of([values[figure] for values in quarter]) for quarter in (second, last))
        rows.append(Row(figure, before, after, tolerance.allowed(before)))
    return rows
