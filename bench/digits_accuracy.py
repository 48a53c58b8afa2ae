#!/usr/bin/env python3
"""Test accuracy of the digits example: median of several seeds for each algorithm, beside a single process.

  bench/digits_accuracy.py [--seeds 5] [--epochs N] [--bin build/default/bin] [--json FILE]

Prints a Markdown table. The goal: every median at least 98% and within 0.5 points of the single process. The exit code
is 1 where it is missed. Runs the example as a user would: under mpirun, as many processes as the plan has workers.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEAST = 0.98
GREATEST_DISTANCE = 0.005


LAYERS = ("conv1 norm1 relu1 conv2 norm2 relu2 pool2 conv3 norm3 relu3 pool3 flatten dropout hidden relu4 classifier "
          "cross_entropy").split()
CUT = 7  # layers of the first stage: about half of the time


def configurations(folder):
    """Name, workers, options. The plans do not come from a measurement: a noisy machine must not change the question."""
    straight, sequential, replicated = (folder / f"{name}.json" for name in ("straight", "sequential", "replicated"))
    straight.write_text(plan("pipedream", [0], [1]))
    sequential.write_text(plan("model-parallel", [0], [1]))
    replicated.write_text(plan("pipedream", [0, 1], [2], reduce_delay=1))
    return [
        ("single process", 1, []),
        ("pipedream, 2 stages", 2, ["--plan", straight]),
        ("model-parallel, 2 stages", 2, ["--plan", sequential]),
        ("data-parallel, 2 replicas", 2, ["--algorithm", "data-parallel"]),
        ("pipedream, 2 replicas + 1", 3, ["--plan", replicated]),
    ]


def plan(algorithm, first_workers, second_workers, reduce_delay=0):
    return json.dumps({
        "format": "pipedream-plan",
        "version": 1,
        "algorithm": algorithm,
        "stages": [
            {"layers": LAYERS[:CUT], "workers": first_workers, "reduce_delay": reduce_delay},
            {"layers": LAYERS[CUT:], "workers": second_workers},
        ],
    })


def run(command):
    result = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, timeout=600)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


def accuracy(binary, workers, options, seed, epochs):
    launcher = [ROOT / "scripts/mpirun", "-n", workers] if workers > 1 else []
    extra = ["--epochs", epochs] if epochs else []
    output = run([*launcher, binary / "digits", "train", "--seed", seed, *extra, *options])
    return float(re.search(r"^test: .*accuracy ([0-9.]+)", output, re.MULTILINE).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="instead of the example's own number")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/default/bin")
    parser.add_argument("--json", type=pathlib.Path, help="write the accuracies to this file")
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, workers, options in configurations(pathlib.Path(folder)):
            results[name] = [
                accuracy(arguments.bin, workers, options, seed, arguments.epochs)
                for seed in range(1, arguments.seeds + 1)
            ]
            print(f"{name}: {results[name]}", file=sys.stderr, flush=True)
    single = statistics.median(results["single process"])
    print("| run | median accuracy | lowest | highest | against the single process |\n|---|---|---|---|---|")
    met = True
    for name, values in results.items():
        median = statistics.median(values)
        met = met and median >= LEAST and abs(median - single) <= GREATEST_DISTANCE
        print(f"| {name} | {median:.4f} | {min(values):.4f} | {max(values):.4f} | {100 * (median - single):+.2f} points |")
    print(f"\nGoal (median at least {LEAST}, within {100 * GREATEST_DISTANCE} points): {'met' if met else 'missed'}.")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
