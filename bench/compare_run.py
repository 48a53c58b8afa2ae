"""One training run of an example, and what is known of it afterwards."""
import csv
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CURVE_POINTS = 60


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def curve(losses):
    """(samples, mean training loss since the point before), about CURVE_POINTS of them."""
    width = max(1, len(losses) // CURVE_POINTS)
    points, samples = [], 0
    for start in range(0, len(losses) - width + 1, width):
        part = losses[start:start + width]
        weights = [int(row["samples"]) for row in part]
        samples += sum(weights)
        mean = sum(w * float(row["loss"]) for w, row in zip(weights, part)) / sum(weights)
        points.append((samples, float(f"{mean:.5g}")))
    return points


def figures(output, folder):
    test = re.search(r"^test: loss (\S+), accuracy (\S+) ", output, re.MULTILINE)
    trained = re.search(r"^trained .* samples in (\S+) s: (\S+) samples/s; loss (\S+) over", output, re.MULTILINE)
    staleness = read_csv(folder / "staleness.csv")
    delays = [int(row["delay"]) for row in staleness]
    return {
        "accuracy": float(test.group(2)),
        "test_loss": float(test.group(1)),
        "training_loss": float(trained.group(3)),
        "seconds": float(trained.group(1)),
        "samples_per_second": float(trained.group(2).replace(",", "")),
        "updates": 1 + max(int(row["newest"]) for row in staleness),
        "staleness": statistics.fmean(delays),
        "greatest_staleness": max(delays),
        "weight_copies": [0],
        "peak_bytes": [0],
        "curve": curve(read_csv(folder / "losses.csv")),
    }


def train(binaries, program, plan, workers, options, timeout=900):
    """The figures of `program train` under the plan (text) in as many threads as it has workers. Raises where it fails."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        (folder / "plan.json").write_text(plan)
        command = [binaries / program, "train", "--plan", folder / "plan.json", "--workers", workers,
                   "--losses", folder / "losses.csv", "--staleness", folder / "staleness.csv", *options]
        command = [str(word) for word in command]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False,
                                env={**os.environ, "OMP_NUM_THREADS": "1"})
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed with {result.returncode}:\n{result.stdout}{result.stderr}")
        return figures(result.stdout, folder)
