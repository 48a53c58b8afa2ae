#!/usr/bin/env python3
"""Holds what the planner expects of the models of PipeDream's paper against what the paper measured of them.
scripts/headline builds and calls it.

  headline.py --bin build/planning/bin --profiles FOLDER [--document docs/headline.md]

FOLDER has the artifact's profiles as MODEL/graph.txt. A model without one has no line of figures, and the table says so.
"""
import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile

BEGIN = "<!-- scripts/headline writes from here -->"
END = "<!-- to here -->"

CLOSED_FORM = ("--cost-model", "pipedream")
STRAIGHT = "straight"
DATA_PARALLEL = "data parallel"


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    model: str
    cluster: str
    counts: tuple  # workers in a server, servers
    plan: str  # the paper's
    measured: float  # speed-up of an epoch's time over data parallelism

    def shape(self):
        return f"{self.counts[1]} x {self.counts[0]} ({self.cluster})"

    def worker_count(self):
        return self.counts[0] * self.counts[1]


# Table 1 of the paper.
PAPER = [
    Case("VGG-16", "vgg16", "A", (4, 4), "15-1", 5.28),
    Case("VGG-16", "vgg16", "B", (8, 2), "15-1", 2.98),
    Case("ResNet-50", "resnet50", "A", (4, 4), DATA_PARALLEL, 1.0),
    Case("ResNet-50", "resnet50", "B", (8, 2), DATA_PARALLEL, 1.0),
    Case("AlexNet", "alexnet", "A", (4, 4), "15-1", 4.92),
    Case("AlexNet", "alexnet", "B", (8, 2), "15-1", 2.04),
    Case("GNMT-8", "gnmt", "A", (4, 1), STRAIGHT, 1.5),
    Case("GNMT-8", "gnmt", "A", (4, 3), STRAIGHT, 2.95),
    Case("GNMT-8", "gnmt", "B", (8, 2), DATA_PARALLEL, 1.0),
]

# Bytes per second of one link in one direction, inside a server and between servers.
LINKS = {"A": (10e9, 10e9 / 8), "B": (25e9, 25e9 / 8)}


class Planner:
    def __init__(self, binaries, folder):
        self.program = binaries / "pipedream"
        self.folder = folder

    def call(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stderr.strip())
        return done.stdout

    def profile(self, model, graph):
        path = self.folder / f"{model}.json"
        self.call("import", graph, "-o", path)
        return path

    def planned(self, profile, case, *options):
        """The plan, and its simulation on the same links."""
        path = self.folder / "plan.json"
        self.call("plan", profile, "--topology", self.topology(case), "-o", path, *options)
        plan = json.loads(path.read_text(encoding="utf-8"))
        return plan, self.simulated(plan, profile, case)

    def simulated(self, plan, profile, case):
        path = self.folder / "simulated.json"
        path.write_text(json.dumps(plan), encoding="utf-8")
        return json.loads(self.call("simulate", path, "--profile", profile, "--topology", self.topology(case), "--json"))

    def topology(self, case):
        path = self.folder / "topology.json"
        levels = [{"name": name, "count": count, "bandwidth_bytes_per_s": rate, "latency_us": 0,
                   "allreduce_bytes_per_s": 0}
                  for name, count, rate in zip(("gpu", "server"), case.counts, LINKS[case.cluster])]
        path.write_text(json.dumps({"format": "pipedream-topology", "version": 1, "memory_bytes_per_worker": 0,
                                    "levels": levels}), encoding="ascii")
        return path


def in_short(plan):
    """Replicas by stage, as the paper writes them."""
    replicas = [len(stage["workers"]) for stage in plan["stages"]]
    if len(replicas) > 1 and set(replicas) == {1}:
        return f"straight, {len(replicas)} stages"
    return "-".join(map(str, replicas))


def two_stages(layers, cut, replicas):
    """By hand, with the planner's default depths; replicas of a stage among several reduce with a delay."""
    workers = list(range(sum(replicas)))
    stages = [{"layers": layers[:cut], "workers": workers[:replicas[0]], "reduce_delay": int(replicas[0] > 1)},
              {"layers": layers[cut:], "workers": workers[replicas[0]:], "reduce_delay": int(replicas[1] > 1)}]
    return {"format": "pipedream-plan", "version": 1, "algorithm": "pipedream", "stages": stages}


def papers_plan_us(planner, profile, case, together_us):
    """Per microbatch, simulated. The paper says how many workers its stages have, not which layers: the best cut."""
    if case.plan == DATA_PARALLEL:
        return together_us
    if case.plan == STRAIGHT:
        return planner.planned(profile, case, "--straight")[1]["microbatch_us"]
    layers = [layer["name"] for layer in json.loads(profile.read_text(encoding="utf-8"))["layers"]]
    replicas = [int(count) for count in case.plan.split("-")]
    return min(planner.simulated(two_stages(layers, cut, replicas), profile, case)["microbatch_us"]
               for cut in range(1, len(layers)))


def explaining_rate(profile, case, plan_us):
    """Bytes per second at which a ring of all workers would have to reduce, if the paper's plan takes as long as
    simulated and data parallelism as much longer as the paper measured."""
    if case.plan == DATA_PARALLEL:
        return None
    layers = json.loads(profile.read_text(encoding="utf-8"))["layers"]
    compute_us = sum(layer["forward_us"] + layer["backward_us"] for layer in layers)
    workers = case.worker_count()
    reduce_us = case.measured * plan_us * workers - compute_us
    return 2 * (workers - 1) / workers * sum(layer["parameter_bytes"] for layer in layers) / reduce_us * 1e6


def headline(planner, profiles, case):
    head = [case.name, case.shape()]
    graph = profiles / case.model / "graph.txt"
    if not graph.exists():
        return [*head, "no profile", "-", "-", "-", "-", case.plan, "-", f"{case.measured:g}", "-"]
    profile = planner.profile(case.model, graph)
    plan, ours = planner.planned(profile, case)
    closed_plan, _ = planner.planned(profile, case, *CLOSED_FORM)
    _, deep = planner.planned(profile, case, *CLOSED_FORM, "--depths", "simulated")
    together_plan, together = planner.planned(profile, case, "--algorithm", "data-parallel", *CLOSED_FORM)
    closed = [one["prediction"]["microbatch_us"] for one in (together_plan, closed_plan)]
    together_us = together["microbatch_us"]
    papers_us = papers_plan_us(planner, profile, case, together_us)
    rate = explaining_rate(profile, case, papers_us)
    return [*head, in_short(plan), f"{together_us / ours['microbatch_us']:.2f}", in_short(closed_plan),
            f"{closed[0] / closed[1]:.2f}", f"{together_us / deep['microbatch_us']:.2f}", case.plan, f"{together_us / papers_us:.2f}", f"{case.measured:g}", f"{rate / 1e9:.2f} GB/s" if rate else "-"]


def table(rows):
    head = ["model", "servers x GPUs", "our plan", "simulated", "plan by closed form", "closed form", "simulated", "the paper's plan", "simulated",
            "measured", "all-reduce that would explain it"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def write(document, text):
    before, begin, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{document}: the lines '{BEGIN}' and '{END}' are not there")
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--profiles", type=pathlib.Path, required=True)
    parser.add_argument("--document", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        planner = Planner(arguments.bin, pathlib.Path(folder))
        text = table([headline(planner, arguments.profiles, case) for case in PAPER])
    print(text)
    if arguments.document:
        write(arguments.document, text)


if __name__ == "__main__":
    main()
