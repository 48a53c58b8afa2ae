"""Tables of what bench/compare.py found, and where they go in a Markdown file."""
import math
import statistics


def begin(part):
    return f"<!-- scripts/compare-algorithms writes {part} from here -->"


def end(part):
    return f"<!-- {part} to here -->"


def replace(document, part, text):
    """The document with `text` between the part's marks. Raises where they are not there."""
    before, first, rest = document.partition(begin(part))
    _, last, after = rest.partition(end(part))
    if not first or not last:
        raise RuntimeError(f"the lines '{begin(part)}' and '{end(part)}' are not there")
    return f"{before}{first}\n{text}\n{last}{after}"


def of_seeds(values, form):
    """Median, least and greatest."""
    if not all(map(math.isfinite, values)):
        finite = [value for value in values if math.isfinite(value)]
        return f"diverged ({len(values) - len(finite)} of {len(values)})"
    median = form.format(statistics.median(values))
    if len(values) == 1:
        return median
    return f"{median} ({form.format(min(values))}..{form.format(max(values))})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def algorithms_table(runs_of):
    """runs_of: algorithm -> its runs, one a seed. What the seed does not change is taken from the first."""
    head = ["algorithm", "test accuracy", "test loss", "updates", "staleness", "weight copies", "memory, MiB",
            "samples/s"]
    rows = []
    for algorithm, runs in runs_of.items():
        first = runs[0]
        rows.append([
            f"`{algorithm}`",
            of_seeds([run["accuracy"] for run in runs], "{:.4f}"),
            of_seeds([run["test_loss"] for run in runs], "{:.3f}"),
            f"{first['updates']:,}",
            f"{first['staleness']:.2f}, at most {first['greatest_staleness']}" if first["greatest_staleness"] else "0",
            ", ".join(f"{copies:g}" for copies in first["weight_copies"]),
            ", ".join(f"{peak / 2**20:.1f}" for peak in first["peak_bytes"]),
            f"{statistics.median(run['samples_per_second'] for run in runs):,.0f}",
        ])
    return table(head, rows)


def corrections_table(runs_of_rate):
    """runs_of_rate: learning rate -> variant -> runs"""
    rates = list(runs_of_rate)
    rows = []
    for variant in runs_of_rate[rates[0]]:
        cells = []
        for rate in rates:
            runs = runs_of_rate[rate][variant]
            accuracy = of_seeds([run["accuracy"] for run in runs], "{:.3f}")
            loss = of_seeds([run["training_loss"] for run in runs], "{:.3f}").partition(" (")[0]
            cells.append(f"{accuracy}; {loss}")
        rows.append([variant, *cells])
    return table(["", *(f"learning rate {rate}" for rate in rates)], rows)


def tables(results):
    """part -> Markdown"""
    made = {part: algorithms_table(found) for part, found in results.items() if part != "corrections"}
    for momentum, runs_of_rate in results.get("corrections", {}).items():
        made[f"momentum {momentum}"] = corrections_table(runs_of_rate)
    return made


def blank(results):
    """A document with nothing but the marks."""
    return "".join(f"{begin(part)}\n{end(part)}\n" for part in tables(results))


def with_tables(document, results):
    for part, text in tables(results).items():
        document = replace(document, part, text)
    return document
