"""The results of all cases in one form: what pipedream_bench writes with --json."""
import statistics

SIGNS = {">=": "≥ ", "<=": "≤ ", "within": "within ±"}


def goal(figure, sign, limit):
    """sign: ">=", "<=" or "within", which is for the magnitude"""
    return {"figure": figure, "sign": sign, "limit": limit}


def is_met(its_goal, value):
    if its_goal["sign"] == ">=":
        return value >= its_goal["limit"]
    return (abs(value) if its_goal["sign"] == "within" else value) <= its_goal["limit"]


def result(case, variant, setting, figures, *goals):
    """figures: name -> (unit, samples)"""
    made = {"case": case, "variant": variant, "setting": setting, "figures": [
        {"name": name, "unit": unit, "median": statistics.median(samples), "min": min(samples), "max": max(samples),
         "samples": samples} for name, (unit, samples) in figures.items()]}
    medians = {f["name"]: f["median"] for f in made["figures"]}
    made["goals"] = [{**one, "met": is_met(one, medians[one["figure"]])} for one in goals]
    return made


def skipped(case, variant, reason):
    return {"case": case, "variant": variant, "skipped": reason}


def number(value, unit):
    if unit == "us":
        return f"{value:,.1f}"
    return f"{value:.2f}" if unit else f"{value:.3f}"


def spread(figure):
    median, least, greatest = (number(figure[key], figure["unit"]) for key in ("median", "min", "max"))
    return f"{median} ({least}..{greatest})"


def goal_text(one):
    return f"{one['figure']} {SIGNS[one['sign']]}{one['limit']:g}"


def line(one):
    if "skipped" in one:
        return f"{one['case']} [{one['variant']}]: skipped: {one['skipped']}"
    text = f"{one['case']} [{one['variant']}]: "
    text += ", ".join(f"{f['name']} {spread(f)}{' ' + f['unit'] if f['unit'] else ''}" for f in one["figures"])
    return text + "".join(f"; goal {goal_text(g)}: {'met' if g['met'] else 'MISSED'}" for g in one["goals"])


def row(one):
    cells = [one["variant"], *map(spread, one["figures"]), ", ".join(map(goal_text, one["goals"])),
             ", ".join("yes" if g["met"] else "**no**" for g in one["goals"])]
    return "| " + " | ".join(cells) + " |"


def table(results):
    """Markdown of one case: a table for each setting."""
    measured = [one for one in results if "figures" in one]
    blocks = []
    for setting in dict.fromkeys(one["setting"] for one in measured):
        mine = [one for one in measured if one["setting"] == setting]
        heads = [f["name"] + (f", {f['unit']}" if f["unit"] else "") for f in mine[0]["figures"]]
        heads = ["", *heads, "goal", "met"]
        blocks.append("\n".join([f"{setting}.", "", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|",
                                 *map(row, mine)]))
    blocks += [f"{one['variant']}: not measured, {one['skipped']}." for one in results if "skipped" in one]
    return "\n\n".join(blocks)
