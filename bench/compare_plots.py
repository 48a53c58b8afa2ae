"""The drawings of scripts/compare-algorithms. The same figures give the same bytes: no date, no random names, text as
text (the viewer's own sans serif)."""
import io
import re
import statistics

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "pipedream", "svg.fonttype": "none", "font.family": "sans-serif",
                            "font.sans-serif": ["DejaVu Sans"], "font.size": 9, "path.simplify": False})

from matplotlib import pyplot  # noqa: E402  (after the settings)

STYLES = ["-", "--", "-.", ":"]
SMOOTHED_POINTS = 3


def to_svg(figure):
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    pyplot.close(figure)
    # A tenth of a point is enough.
    short = re.sub(r"(\d\.\d)\d{4,}", r"\1", text.getvalue())
    return "\n".join(line.strip() for line in short.splitlines()) + "\n"


def median_curve(curves):
    """Of several runs with the same samples."""
    points = list(zip(*curves))
    return [alike[0][0] for alike in points], [statistics.median(loss for _, loss in alike) for alike in points]


def smoothed(values):
    half = SMOOTHED_POINTS // 2
    return [statistics.fmean(values[max(0, i - half):i + half + 1]) for i in range(len(values))]


def draw(axes, curves_of):
    """curves_of: label -> the curves of its runs. Those that are equal share a line."""
    labels_of = {}
    for label, curves in curves_of.items():
        labels_of.setdefault(repr(curves), []).append(label)
    for i, labels in enumerate(labels_of.values()):
        samples, losses = median_curve(curves_of[labels[0]])
        axes.plot(samples, smoothed(losses), STYLES[i % len(STYLES)], color=f"C{i}", label=",\n".join(labels),
                  linewidth=1.4)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.grid(True, linewidth=0.3)
    axes.set_xlabel("samples")


def algorithms(curves_of, title):
    figure, axes = pyplot.subplots(figsize=(7, 4))
    draw(axes, curves_of)
    axes.set_ylabel("training loss")
    axes.set_title(title)
    axes.legend(fontsize=7)
    return to_svg(figure)


def corrections(curves_of_rate, title):
    """curves_of_rate: learning rate -> label -> curves; one panel a rate."""
    figure, panels = pyplot.subplots(1, len(curves_of_rate), figsize=(2.6 * len(curves_of_rate), 3.2), sharey=True,
                                     squeeze=False)
    for axes, (rate, curves_of) in zip(panels[0], curves_of_rate.items()):
        draw(axes, curves_of)
        axes.set_title(f"learning rate {rate}", fontsize=9)
    panels[0][0].set_ylabel("training loss")
    figure.legend(*panels[0][0].get_legend_handles_labels(), fontsize=7, loc="upper center", ncol=6,
                  bbox_to_anchor=(0.5, 0))
    figure.suptitle(title, fontsize=10)
    return to_svg(figure)
