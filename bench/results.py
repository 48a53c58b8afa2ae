"""The results of all cases in one form: what pipedream_bench writes with --json."""
import statistics


def goal(figure, sign, limit):
    return {"figure": figure, "at_least": sign == ">=", "limit": limit}


def result(case, variant, setting, figures, its_goal=None):
    """figures: name -> (unit, samples)"""
    made = {"case": case, "variant": variant, "setting": setting, "figures": [
        {"name": name, "unit": unit, "median": statistics.median(samples), "min": min(samples), "max": max(samples),
         "samples": samples} for name, (unit, samples) in figures.items()]}
    if its_goal:
        value = next(f["median"] for f in made["figures"] if f["name"] == its_goal["figure"])
        met = value >= its_goal["limit"] if its_goal["at_least"] else value <= its_goal["limit"]
        made["goal"] = {**its_goal, "met": met}
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
    if "goal" not in one:
        return "", ""
    sign = "≥" if one["goal"]["at_least"] else "≤"
    return f"{one['goal']['figure']} {sign} {one['goal']['limit']:g}", "yes" if one["goal"]["met"] else "**no**"


def line(one):
    if "skipped" in one:
        return f"{one['case']} [{one['variant']}]: skipped: {one['skipped']}"
    text = f"{one['case']} [{one['variant']}]: "
    text += ", ".join(f"{f['name']} {spread(f)}{' ' + f['unit'] if f['unit'] else ''}" for f in one["figures"])
    wanted, met = goal_text(one)
    return f"{text}; goal {wanted}: {'met' if met == 'yes' else 'MISSED'}" if wanted else text


def table(results):
    """Markdown, one table a case."""
    blocks = []
    for case in dict.fromkeys(one["case"] for one in results):
        mine = [one for one in results if one["case"] == case]
        measured = [one for one in mine if "figures" in one]
        text = [f"### {case}", ""]
        if measured:
            figures = measured[0]["figures"]
            text += [measured[0]["setting"] + ".", "",
                     "| | " + " | ".join(f["name"] + (f", {f['unit']}" if f["unit"] else "") for f in figures) +
                     " | goal | met |", "|---" * (len(figures) + 3) + "|"]
            for one in measured:
                text.append(f"| {one['variant']} | " + " | ".join(map(spread, one["figures"])) +
                            " | {} | {} |".format(*goal_text(one)))
        text += [f"{one['variant']}: not measured, {one['skipped']}." for one in mine if "skipped" in one]
        blocks.append("\n".join(text))
    return "\n\n".join(blocks)
