"""pipedream against torch.distributed.pipelining on the same two models, one after the other, again and again."""
import json
import pathlib
import subprocess
import sys

from results import goal, result

PEER = pathlib.Path(__file__).with_name("peer_pipelining.py")

# case of pipedream_bench -> (model of the peer, rows of a microbatch, steps of 8 microbatches in a sample)
MODELS = {"compute-bound": ("mlp", 32, 5), "overhead-bound": ("tiny", 8, 100)}
MICROBATCHES = 8
SCHEDULES = ("gpipe", "1f1b")


def peer_sample(environment, model, schedule, size, steps, timeout):
    done = subprocess.run(
        ["timeout", "-k", "10", str(timeout), sys.executable, str(PEER), "--model", model, "--schedule", schedule,
         "--size", str(size), "--steps", str(steps), "--microbatches", str(MICROBATCHES)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(our_sample, environment, samples, quick):
    """our_sample(case) -> the result of one sample under MPI; environment: of a Python that has PyTorch."""
    results = []
    for case, (model, size, steps) in MODELS.items():
        steps = 2 if quick else steps
        ours, theirs = [], {schedule: [] for schedule in SCHEDULES}
        for _ in range(samples):
            figures = {f["name"]: f["median"] for f in our_sample(case)["figures"]}
            ours.append(figures["microbatch"])
            for schedule in SCHEDULES:
                sample = peer_sample(environment, model, schedule, size, steps, 120)
                theirs[schedule].append(sample["per_microbatch_us"])
        for schedule in SCHEDULES:
            results.append(result(
                "peer", f"{case}, peer's {schedule}",
                f"2 pinned processes of one thread; the peer flushes after {MICROBATCHES} microbatches, "
                "pipedream runs PipeDream over MPI",
                {"ahead": ("", [t / o for t, o in zip(theirs[schedule], ours)]), "microbatch": ("us", ours),
                 "peer": ("us", theirs[schedule])}, goal("ahead", ">=", 1)))
    return results
