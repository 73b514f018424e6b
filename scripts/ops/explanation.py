"""How `explain` looks in a terminal."""

from scripts.tables import console, plain, show_table
from worker.explaining.explanation import Explanation
from worker.explaining.picture import relative


def show_explanation(explanation: Explanation) -> None:
    """Print an explanation: the sentence, the facts, and what happened in order of time."""
    console.print(f"{plain(explanation.sentence)}\n", soft_wrap=True)
    facts = [{"fact": name, "value": value} for name, value in explanation.facts.items()]
    show_table(f"{explanation.job_table} {explanation.job_id}", facts, ["fact", "value"])
    history = [
        {"when": e.at, "ago": relative(e.at, explanation.at), "what": e.kind, "how": e.text}
        for e in explanation.history
    ]
    show_table("History (UTC)", history, ["when", "ago", "what", "how"])
