"""What scripts/compare-algorithms trains: two tasks, and for every algorithm a plan on four workers.

The plans are written here, not measured: a noisy machine must not change the question.
"""
import dataclasses
import json

WORKERS = 4
MICROBATCHES_PER_UPDATE = 4


@dataclasses.dataclass(frozen=True)
class Task:
    name: str
    title: str
    program: str
    options: tuple
    stages: tuple  # of a straight plan: the layers of each
    halves: tuple  # the same with each stage cut in two
    quick: tuple  # instead of what the options say, for a run that only shows that it works
    seeds: int
    reads_text: bool


DIGITS = Task(
    name="digits",
    title="Digits",
    program="digits",
    options=("--epochs", "10", "--schedule", "linear"),
    stages=("conv1 norm1 relu1", "conv2 norm2 relu2 pool2", "conv3 norm3 relu3 pool3",
            "flatten dropout hidden relu4 classifier cross_entropy"),
    halves=("conv1", "norm1 relu1", "conv2", "norm2 relu2 pool2", "conv3", "norm3 relu3 pool3",
            "flatten dropout hidden relu4", "classifier cross_entropy"),
    quick=("--steps", "12"),
    seeds=3,
    reads_text=False,
)


def block(i, half=None):
    first = [f"block{i}_{part}" for part in ("norm1", "qkv", "attention", "project", "add1")]
    second = [f"block{i}_{part}" for part in ("norm2", "widen", "gelu", "narrow", "add2")]
    return " ".join({None: first + second, 0: first, 1: second}[half])


def transformer_stages(halved):
    """A block, or half of one, a stage; what comes before and after goes to the first and the last."""
    stages = [block(i, half) for i in range(WORKERS) for half in ((0, 1) if halved else (None,))]
    return ("embedding position " + stages[0], *stages[1:-1], stages[-1] + " norm head logits cross_entropy")


CHARACTERS = Task(
    name="char_transformer",
    title="Characters",
    program="char_transformer",
    options=("--epochs", "1", "--schedule", "linear"),
    stages=transformer_stages(halved=False),
    halves=transformer_stages(halved=True),
    quick=("--steps", "8", "--microbatch", "2"),
    seeds=1,
    reads_text=True,
)

TASKS = {task.name: task for task in (DIGITS, CHARACTERS)}


def straight(task, algorithm, **fields):
    return plan(algorithm, [(layers, [s]) for s, layers in enumerate(task.stages)], **fields)


def interleaved(task, algorithm):
    stages = [(layers, [s % WORKERS]) for s, layers in enumerate(task.halves)]
    return plan(algorithm, stages, microbatches_per_update=MICROBATCHES_PER_UPDATE)


def replicated(task, algorithm):
    """All layers on every worker."""
    return plan(algorithm, [(" ".join(task.stages), list(range(WORKERS)))],
                microbatches_per_update=MICROBATCHES_PER_UPDATE)


def updating(task, algorithm):
    return straight(task, algorithm, microbatches_per_update=MICROBATCHES_PER_UPDATE)


# Every algorithm; those that leave the update a choice, and need more than a microbatch for it, take four.
PLANS = {
    "model-parallel": straight,
    "data-parallel": replicated,
    "gpipe": updating,
    "1f1b-flush": updating,
    "interleaved-1f1b": interleaved,
    "pipedream": straight,
    "pipedream-vertical-sync": straight,
    "pipedream-2bw": updating,
    "pipemare": straight,
    "naive-asynchronous": straight,
}

# They flush and update by the same microbatches: one result, by four schedules.
SAME = ("gpipe", "1f1b-flush", "interleaved-1f1b", "data-parallel")


def plan(algorithm, stages, **fields):
    return json.dumps({"format": "pipedream-plan", "version": 1, "algorithm": algorithm,
                       "stages": [{"layers": layers.split(), "workers": workers} for layers, workers in stages],
                       **fields}, indent=1) + "\n"

# Where asynchronous updates without correction visibly suffer: eight stages, plain SGD at a high learning rate that
# falls to 0, no warm-up. The network is that of examples/sequential.cpp, without batch norm or dropout.
DEEP_PROGRAM = "sequential"
DEEP_STAGES = ("0", "1", "2", "3", "4", "5", "6", "7 cross_entropy")
DEEP_OPTIONS = ("--optimizer", "sgd", "--schedule", "linear", "--epochs", "10")
DEEP_SEEDS = 5
DEEP_QUICK = ("--optimizer", "sgd", "--schedule", "linear", "--steps", "12")
# momentum -> learning rates, the same for all; with momentum m a gradient moves the weights by 1 / (1 - m) in the end.
DEEP_RATES = {"0": ("0.125", "0.25", "0.5", "1"), "0.9": ("0.0125", "0.025", "0.05", "0.1")}

# label -> algorithm, options. Under model-parallel every microbatch is an update too, with no delay.
DEEP_VARIANTS = {
    "synchronous": ("model-parallel", ()),
    "naive asynchronous": ("naive-asynchronous", ()),
    "naive + T1": ("pipemare", ("--corrections", "t1")),
    "naive + T2": ("pipemare", ("--corrections", "t2")),
    "T1 + T2 (PipeMare)": ("pipemare", ("--corrections", "t1,t2")),
    "weight stashing (PipeDream)": ("pipedream", ()),
}


def deep(algorithm):
    return plan(algorithm, [(layers, [s]) for s, layers in enumerate(DEEP_STAGES)])
