#!/usr/bin/env python3
"""Trains the same under every algorithm, and writes tables and drawings of it. scripts/compare-algorithms builds and
calls it.

Parts: `digits` and `char_transformer`, on four workers under every algorithm, the same samples, seeds and optimizer;
`corrections`: eight stages that update after each microbatch, with and without PipeMare's corrections, at several
learning rates. All workers are threads.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys

import compare_document as document
import compare_tasks as tasks
from compare_run import ROOT, train

CORRECTIONS = "corrections"
PARTS = (*tasks.TASKS, CORRECTIONS)


def registry(binaries):
    """All algorithms, as the library lists them."""
    refused = subprocess.run([binaries / "pipedream", "schedule", "--algorithm", "?", "--workers", "1"],
                             capture_output=True, text=True, check=False)
    return set(re.search(r"\(known: (.*)\)", refused.stderr).group(1).split(", "))


def check_registry(binaries):
    missing = registry(binaries) ^ set(tasks.PLANS)
    if missing:
        sys.exit(f"bench/compare_tasks.py: PLANS and the library's algorithms differ by {', '.join(sorted(missing))}")


def check_same(task, runs_of):
    """Algorithms that flush compute the same where an update covers the same microbatches: every loss is equal."""
    losses = {algorithm: [run["losses_hash"] for run in runs_of[algorithm]] for algorithm in tasks.SAME}
    different = [algorithm for algorithm, hashes in losses.items() if hashes != losses[tasks.SAME[0]]]
    if different:
        sys.exit(f"{task}: the losses of {', '.join(different)} are not those of {tasks.SAME[0]}")


class Comparison:
    def __init__(self, arguments):
        self.binaries = arguments.bin.resolve()
        self.quick = arguments.quick
        self.text = arguments.text

    def seeds(self, count):
        return range(1, 2 if self.quick else count + 1)

    def run(self, label, program, plan, workers, options, seed):
        result = train(self.binaries, program, plan, workers, [*options, "--seed", seed])
        print(f"{label}, seed {seed}: accuracy {result['accuracy']:.4f}, test loss {result['test_loss']:.4f}, "
              f"{result['seconds']:.1f} s", file=sys.stderr, flush=True)
        return result

    def algorithms(self, task):
        """algorithm -> runs"""
        options = list(task.quick if self.quick else task.options)
        if task.reads_text:
            options += ["--text", self.text]
        runs_of = {}
        for seed in self.seeds(task.seeds):
            for algorithm, make in tasks.PLANS.items():
                runs_of.setdefault(algorithm, []).append(
                    self.run(f"{task.name}, {algorithm}", task.program, make(task, algorithm), tasks.WORKERS, options,
                             seed))
        check_same(task.name, runs_of)
        return runs_of

    def corrections(self):
        """momentum -> learning rate -> variant -> runs"""
        found = {}
        for momentum, rates in {"0": ["0.5"]}.items() if self.quick else tasks.DEEP_RATES.items():
            of_rate = found.setdefault(momentum, {})
            for rate in rates:
                of_label = of_rate.setdefault(rate, {})
                for label, (algorithm, extra) in tasks.DEEP_VARIANTS.items():
                    options = [*(tasks.DEEP_QUICK if self.quick else tasks.DEEP_OPTIONS), "--momentum", momentum,
                               "--learning-rate", rate, *extra]
                    of_label[label] = [
                        self.run(f"momentum {momentum}, rate {rate}, {label}", tasks.DEEP_PROGRAM,
                                 tasks.deep(algorithm), len(tasks.DEEP_STAGES), options, seed)
                        for seed in self.seeds(tasks.DEEP_SEEDS)
                    ]
        return found

    def part(self, name):
        return self.corrections() if name == CORRECTIONS else self.algorithms(tasks.TASKS[name])


def write(path, text):
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(text)
    unfinished.replace(path)


def draw(results, folder, quick):
    try:
        import compare_plots
    except ModuleNotFoundError as error:
        if not quick:
            raise
        print(f"no drawings: {error}", file=sys.stderr)
        return
    for task in tasks.TASKS.values():
        curves = {algorithm: [run["curve"] for run in runs] for algorithm, runs in results.get(task.name, {}).items()}
        if curves:
            write(folder / f"{task.name}.svg", compare_plots.algorithms(curves, task.title))
    for momentum, of_rate in results.get(CORRECTIONS, {}).items():
        curves = {rate: {label: [run["curve"] for run in runs] for label, runs in of_label.items()}
                  for rate, of_label in of_rate.items()}
        write(folder / f"momentum-{momentum}.svg",
              compare_plots.corrections(curves, f"Eight stages, SGD with momentum {momentum}"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all unless told")
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the built programs")
    parser.add_argument("--results", type=pathlib.Path, required=True, help="JSON file of all figures; parts that are "
                        "not run are kept")
    parser.add_argument("--text", type=pathlib.Path, default=ROOT / ".deps/text/kjv.txt")
    parser.add_argument("--document", type=pathlib.Path, help="Markdown file whose tables to write")
    parser.add_argument("--pictures", type=pathlib.Path, help="folder for the drawings")
    parser.add_argument("--no-runs", action="store_true", help="write again from the results that are there")
    parser.add_argument("--quick", action="store_true", help="a few steps of everything: shows that it runs")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")

    check_registry(arguments.bin)
    results = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
    comparison = Comparison(arguments)
    for part in [] if arguments.no_runs else arguments.parts or PARTS:
        results[part] = comparison.part(part)
        write(arguments.results, json.dumps(results, indent=1) + "\n")
    page = arguments.document.read_text() if arguments.document else document.blank(results)
    page = document.with_tables(page, results)
    if arguments.document:
        write(arguments.document, page)
    else:
        print(page)
    if arguments.pictures:
        draw(results, arguments.pictures, arguments.quick)


if __name__ == "__main__":
    main()
