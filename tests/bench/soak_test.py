#!/usr/bin/env python3
"""The soak's judgement can fail: runs that are flat, and runs that leak, as samples."""
import random
import unittest

import flat

STEADY = {"anonymous MB": 8, "file-backed MB": 12, "buffer file MB": 6, "data_dir on disk MB": 6, "descriptors": 24,
          "threads": 6, "log lines a minute": 5}


def life(leak=None, minutes=15, seed=1, warm=True):
    """Samples of an agent, each 3 s: noise, faults that lift figures for a while, and one figure that leaks so
    much a minute."""
    rng, samples = random.Random(seed), []
    for at in range(0, int(minutes * 60), 3):
        values = {}
        for figure, level in STEADY.items():
            warmth = min(1, 0.6 + at / (minutes * 60)) if warm else 1
            fault = 1.5 if at % 60 < 12 and figure != "threads" else 1
            noise = 1 if figure == "threads" else rng.uniform(0.98, 1.02)
            values[figure] = level * (1 if figure == "threads" else warmth) * fault * noise
        for figure, each_minute in (leak or {}).items():
            values[figure] += each_minute * at / 60
        samples.append((1000.0 + at, values))
    return samples


def grown(samples):
    return [row.figure for row in flat.judged(samples) if not row.flat]


class Bench(unittest.TestCase):
    def test_soak_flat_lives_pass(self):
        for seed in range(20):
            self.assertEqual(grown(life(seed=seed, warm=False)), [])

    def test_soak_getting_warm_is_no_leak(self):
        """All that it grows it grows in the first half of the time."""
        self.assertEqual(grown(life(minutes=60)), [])

    def test_soak_sees_each_leak(self):
        for figure, each_minute in (("anonymous MB", 0.25), ("file-backed MB", 1), ("buffer file MB", 1),
                                    ("data_dir on disk MB", 1), ("descriptors", 1), ("threads", 0.2),
                                    ("log lines a minute", 3)):
            self.assertEqual(grown(life({figure: each_minute}, warm=False)), [figure])

    def test_soak_longer_runs_see_smaller_leaks(self):
        leak = {"anonymous MB": 0.01}
        self.assertEqual(grown(life(leak, minutes=15, warm=False)), [])
        self.assertEqual(grown(life(leak, minutes=240, warm=False)), ["anonymous MB"])

    def test_soak_what_shrinks_is_flat(self):
        self.assertEqual(grown(life({"buffer file MB": -0.2}, warm=False)), [])

    def test_soak_too_few_samples_are_no_verdict(self):
        for samples in ([], life(minutes=1)):
            self.assertRaises(ValueError, flat.judged, samples)


if __name__ == "__main__":
    unittest.main(verbosity=0)
