#!/usr/bin/env python3
"""Runs the cases of the benchmark one after the other and writes what they found. scripts/bench builds and calls it.

Nothing here judges by exit code: a goal that is missed is said, and the exit code is 0. It is 1 where a case fails to
run.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import tempfile

import failure
import link
import peer
from results import line, skipped, table

ROOT = pathlib.Path(__file__).resolve().parent.parent
MPIRUN = [str(ROOT / "scripts/mpirun")]
CASES = ["emulated", "deep", "order", "compute-bound", "overhead-bound", "peer", "transport", "failure"]
LINK_RATE = "1gbit"  # 4 MiB in 34 ms, a third of an emulated stage's time


class Runner:
    def __init__(self, arguments):
        self.program = str(arguments.program.resolve())
        self.quick = arguments.quick
        self.realtime = arguments.realtime
        self.samples = 1 if arguments.quick else arguments.samples
        self.peer_environment = arguments.peer_environment

    def ours(self, prefix, case, *options, environment=None, timeout=300, samples=None):
        """The results of one call of pipedream_bench."""
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "results.json"
            command = ["timeout", "-k", "10", str(timeout), *prefix, self.program, case, *options,
                       "--samples", str(samples or self.samples), "--json", str(file)]
            command += ["--quick"] * self.quick + ["--realtime"] * self.realtime
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL,
                           env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})})
            return json.loads(file.read_text())

    def threads(self, case, workers, *options, **more):
        return self.ours([], case, "--threads", str(workers), *options, **more)

    def ranks(self, case, workers, *options, mca=(), within=(), **more):
        settings = [word for setting in mca for word in ("--mca", *setting)]
        return self.ours([*within, *MPIRUN, "-n", str(workers), "--bind-to", "none", *settings], case, *options, **more)

    def emulated(self):
        yield from self.threads("emulated", 2)
        variant = "2 workers, MPI, 1 Gbit/s"
        reason = link.why_impossible()
        if reason:
            yield skipped("emulated", variant, reason)
            return
        with link.ShapedLoopback(LINK_RATE) as shaped:
            yield from self.ranks("emulated", 2, "--label", "1 Gbit/s", within=shaped.command([]),
                                  environment=shaped.environment())

    def deep(self):
        two = ["--algorithms", "1f1b-flush,pipedream"]
        for workers in (8,) if self.quick else (8, 16):
            yield from self.threads("deep", workers, timeout=600)
            yield from self.deep_ranks(workers, "yielding", "1", *(two if self.quick else []))
            yield from self.deep_ranks(workers, "not yielding", "0", *two)
            yield from self.threads("links", workers)

    def deep_ranks(self, workers, word, value, *options):
        return self.ranks("deep", workers, "--label", f"mpirun {word}", *options,
                          mca=[("mpi_yield_when_idle", value)], timeout=600)

    def order(self):
        yield from self.threads("order", 2, "--pin")
        yield from self.ranks("order", 2, "--pin")
        for workers in () if self.quick else (3, 4):
            yield from self.threads("order", workers, timeout=600)

    def on_two_cores(self, case):
        yield from self.threads(case, 2, "--pin")
        yield from self.ranks(case, 2, "--pin")

    def compute_bound(self):
        yield from self.on_two_cores("compute-bound")

    def overhead_bound(self):
        yield from self.on_two_cores("overhead-bound")

    def peer(self):
        if not self.peer_environment:
            yield skipped("peer", "torch.distributed.pipelining", "no --peer-environment was given")
            return
        environment = {**os.environ, **json.loads(self.peer_environment.read_text())}
        yield from peer.measure(lambda case: self.ranks(case, 2, "--pin", samples=1)[0], environment, self.samples,
                                self.quick)

    def transport(self):
        yield from self.ranks("transport", 2, "--pin")

    def failure(self):
        yield from failure.measure(MPIRUN, self.program, self.samples)


def first_line_with(file, start):
    for text in pathlib.Path(file).read_text().splitlines():
        if text.startswith(start):
            return text.partition(":")[2].strip()
    return "unknown"


def describe_machine():
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"],
                            capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    return {"cpu": first_line_with("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
            "kernel": f"{platform.system()} {platform.release()}",
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "commit": commit,
            "load_before": round(os.getloadavg()[0], 2)}


def write(path, text):
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(text)
    unfinished.replace(path)


BEGIN = "<!-- scripts/bench writes from here -->"
END = "<!-- to here -->"


def sections(text):
    """case -> what stands below its heading"""
    parts = re.split(r"^### (.+)\n", text, flags=re.MULTILINE)
    return {case: body.strip() for case, body in zip(parts[1::2], parts[2::2])}


def write_document(path, machine, results):
    """Writes the sections of the cases that ran; those of the others stay, with the machine of their own."""
    before, begin, rest = path.read_text().partition(BEGIN)
    old, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{path}: the lines '{BEGIN}' and '{END}' are not there")
    priority = ", at real-time priority" if machine["realtime"] else ""
    head = (f"{machine['cpu']}, {machine['cores']} cores, {machine['kernel']}; load average before the run "
            f"{machine['load_before']}{priority}. Commit {machine['commit']}, {machine['date']}.")
    written = sections(old)
    for case in dict.fromkeys(one["case"] for one in results):
        written[case] = f"{head}\n\n{table([one for one in results if one['case'] == case])}"
    text = "\n\n".join(f"### {case}\n\n{written[case]}" for case in CASES if case in written)
    write(path, f"{before}{BEGIN}\n{text}\n{END}{after}")


def run_case(runner, case, results):
    """Appends what the case finds as it comes; whether it ran to its end."""
    try:
        for one in getattr(runner, case.replace("-", "_"))():
            print(line(one), flush=True)
            results.append(one)
        return True
    except (subprocess.CalledProcessError, RuntimeError) as error:
        print(f"{case}: failed: {error}", file=sys.stderr)
        results.append(skipped(case, "the rest", f"failed: {error}"))
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--program", type=pathlib.Path, required=True, help="pipedream_bench")
    parser.add_argument("--results", type=pathlib.Path, required=True, help="JSON file to write")
    parser.add_argument("--document", type=pathlib.Path, help="Markdown file whose tables of these cases to write")
    parser.add_argument("--peer-environment", type=pathlib.Path, help="JSON object of environment variables")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one short sample of everything: shows that it runs")
    parser.add_argument("--realtime", action="store_true",
                        help="at real-time priority, for a machine that others use meanwhile (needs the right to it)")
    arguments = parser.parse_args()
    unknown = set(arguments.cases) - set(CASES)
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    # Ended from outside, the namespaces are still removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    machine = {**describe_machine(), "realtime": arguments.realtime}
    runner = Runner(arguments)
    results = []
    complete = [run_case(runner, case, results) for case in arguments.cases or CASES]
    write(arguments.results, json.dumps({"machine": machine, "results": results}, indent=2) + "\n")
    if arguments.document:
        write_document(arguments.document, machine, results)
    return 0 if all(complete) else 1


if __name__ == "__main__":
    sys.exit(main())
