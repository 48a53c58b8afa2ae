"""The drawings of scripts/compare-algorithms. The same figures give the same bytes: no date, no random names, text as
text (the viewer's own sans serif)."""
import io
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
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def median_curve(curves):
    """Of several runs with the same samples."""
    points = list(zip(*curves))
    return [alike[0][0] for alike in points], [statistics.median(loss for _, loss in alike) for alike in points]


def smoothed(values):
    half = SMOOTHED_POINTS // 2
    return [statistics.fmean(values[max(0, i - half):i + half + 1]) for i in range(len(values))]


def draw(axes, curves_of, limits=None):
    """curves_of: label -> the curves of its runs. Lines that lie on each other stay visible by their dashes."""
    for i, (label, curves) in enumerate(curves_of.items()):
        samples, losses = median_curve(curves)
        axes.plot(samples, smoothed(losses), STYLES[i % len(STYLES)], color=f"C{i % 10}", label=label, linewidth=1.4)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    if limits:
        axes.set_ylim(*limits)
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
    figure, panels = pyplot.subplots(1, len(curves_of_rate), figsize=(3 * len(curves_of_rate), 3.2), sharey=True,
                                     squeeze=False)
    for axes, (rate, curves_of) in zip(panels[0], curves_of_rate.items()):
        draw(axes, curves_of)
        axes.set_title(f"learning rate {rate}", fontsize=9)
    panels[0][0].set_ylabel("training loss")
    panels[0][0].legend(fontsize=7)
    figure.suptitle(title, fontsize=10)
    return to_svg(figure)
