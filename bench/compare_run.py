"""One training run of an example, and what is known of it afterwards."""
import csv
import hashlib
import json
import math
import os
import pathlib
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CURVE_POINTS = 50
DEADLINE_S = 3600  # a machine that others use may stand still for a while


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


def number(value):
    """Of a report, where null stands for what is not finite."""
    return math.nan if value is None else value


def figures(folder):
    report = json.loads((folder / "report.json").read_text())
    scores = {score["name"]: number(score["value"]) for score in report["scores"]}
    workers = report["workers"]
    hosted = [sum(w in stage["workers"] for stage in report["plan"]["stages"]) for w in range(len(workers))]
    delays = [int(row["delay"]) for row in read_csv(folder / "staleness.csv")]
    return {
        "accuracy": scores["test accuracy"],
        "test_loss": scores["test loss"],
        "training_loss": scores["loss"],
        "seconds": report["seconds"],
        "samples_per_second": report["samples"] / report["seconds"],
        "updates": workers[0]["updates"] // hosted[0],
        "staleness": statistics.fmean(delays),
        "greatest_staleness": max(delays),
        "weight_copies": [worker["peak_versions"] / stages for worker, stages in zip(workers, hosted)],
        "peak_bytes": report["measured"]["peak_bytes"],
        "curve": curve(read_csv(folder / "losses.csv")),
        "losses_hash": hashlib.sha256((folder / "losses.csv").read_bytes()).hexdigest(),
    }


def train(binaries, program, plan, workers, options, timeout=7200):
    """The figures of `program train` under the plan (text), each worker a thread. Raises where it fails."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        (folder / "plan.json").write_text(plan)
        command = [binaries / program, "train", "--plan", folder / "plan.json", "--workers", workers,
                   "--losses", folder / "losses.csv", "--staleness", folder / "staleness.csv",
                   "--report", folder / "report.json", "--deadline", DEADLINE_S, *options]
        command = [str(word) for word in command]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False,
                                env={**os.environ, "OMP_NUM_THREADS": "1"})
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed with {result.returncode}:\n{result.stdout}{result.stderr}")
        return figures(folder)
