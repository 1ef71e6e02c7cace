"""The results as people read them: a table with ratios, and what was to be reached."""

from dataclasses import dataclass

Results = dict[str, dict[str, dict]]  # case → who → summary


@dataclass(frozen=True)
class Goal:
    """Killick's median is to be at most `factor` × the other's, and `extra` seconds."""

    other: str | None
    factor: float = 0.0
    extra: float = 0.0

    def limit(self, case: dict[str, dict]) -> float | None:
        if self.other is None:
            return self.extra
        found = case.get(self.other)
        return None if found is None else found["wall"] * self.factor + self.extra

    def __str__(self) -> str:
        words = [] if self.other is None else [f"{self.factor:g} × {self.other}"]
        words += [f"{self.extra:g} s"] if self.extra else []
        return " + ".join(words)


GOALS = {
    "pull": (Goal("crane", 1.0), Goal("skopeo", 0.5)),
    "push": (Goal("crane", 1.0),),
    "pull again": (Goal("crane digest", 1.0, 0.1),),
    "start": (Goal("python -c pass", 4.0),),
    "images": (Goal(None, extra=0.5),),
}
MOST_MEMORY = 128  # MiB, whatever the image


def table(results: Results) -> str:
    """A Markdown table: medians of seconds, and Killick's part of the other's."""
    lines = [
        "| work | who | seconds | processor s | memory MiB | killick is |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for case, everybody in results.items():
        ours = everybody["killick"] if "killick" in everybody else everybody["killick version"]
        for who, found in everybody.items():
            ratio = "" if found is ours else f"{ours['wall'] / found['wall']:.2f} ×"
            cells = [case, who, f"{found['wall']:.3f}", _figure(found["cpu"], 2)]
            lines.append("| " + " | ".join([*cells, _figure(found["memory"], 0), ratio]) + " |")
    return "\n".join(lines)


def verdicts(results: Results) -> list[dict]:
    """Each goal that could be measured, and whether it was reached."""
    found = []
    for case, everybody in results.items():
        ours = everybody["killick"] if "killick" in everybody else everybody["killick version"]
        for goal in GOALS[case.split(":")[0]]:
            limit = goal.limit(everybody)
            if limit is not None:
                found.append(_verdict(case, str(goal), limit, ours["wall"], "s"))
        if case.startswith(("pull", "push")):
            found.append(_verdict(case, "memory", MOST_MEMORY, ours["memory"], "MiB"))
    return found


def _verdict(case: str, goal: str, limit: float, measured: float, unit: str) -> dict:
    return {
        "case": case,
        "goal": goal,
        "limit": limit,
        "measured": measured,
        "unit": unit,
        "reached": measured <= limit,
    }


def _figure(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:.{places}f}"
