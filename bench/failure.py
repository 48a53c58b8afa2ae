"""How soon a job ends when one of its ranks is killed, or stalls. The goals are in bench/README.md."""
import os
import pathlib
import signal
import subprocess
import tempfile
import time

from results import goal, result

RANKS = 4
VICTIM = 1
DEADLINE_S = 3.0
PATIENCE_S = 60


def alive(process):
    try:
        state = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def wait_for(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"failure: waited {PATIENCE_S} s for {what}")
        time.sleep(0.005)


def one_failure(mpirun, program, sent_signal):
    """Seconds to the exit of the last rank that was not hit."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        launcher = subprocess.Popen(
            [*mpirun, "-n", str(RANKS), "--bind-to", "none", program, "victim", "--pid-folder", name, "--deadline-ms",
             str(int(DEADLINE_S * 1000))], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ranks = []
        try:
            wait_for(lambda: (folder / "ready").exists() or launcher.poll() is not None, "the first microbatches")
            if launcher.poll() is not None:
                raise RuntimeError(f"failure: the job ended by itself, exit code {launcher.returncode}")
            ranks = [int((folder / str(rank)).read_text()) for rank in range(RANKS)]
            start = time.monotonic()
            os.kill(ranks[VICTIM], sent_signal)
            survivors = [process for rank, process in enumerate(ranks) if rank != VICTIM]
            wait_for(lambda: not any(map(alive, survivors)), "the survivors to end")
            return time.monotonic() - start
        finally:
            for process in [*ranks, launcher.pid]:
                if alive(process):
                    os.kill(process, signal.SIGKILL)
            launcher.wait()


def measure(mpirun, program, samples):
    results = []
    for name, sent_signal, limit in (("killed (SIGKILL)", signal.SIGKILL, 5),
                                     ("stalled (SIGSTOP)", signal.SIGSTOP, DEADLINE_S + 2)):
        times = [one_failure(mpirun, program, sent_signal) for _ in range(samples)]
        results.append(result(
            "failure", name, f"{RANKS} ranks, deadline {DEADLINE_S:g} s, rank {VICTIM}",
            {"survivors": ("s", times)}, goal("survivors", "<=", limit)))
    return results
