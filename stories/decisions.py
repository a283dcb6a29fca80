"""Decision requests in the forms that others use: MADR in Markdown, and Wikitech's template."""

from collections.abc import Iterable, Mapping
from typing import Any


def to_madr(snapshot: Mapping[str, Any]) -> str:
    """A decision as a Markdown Architectural Decision Record, without empty sections."""
    fields = snapshot["fields"]
    parts = [_front(snapshot), f"# {snapshot['title']}"]
    parts += _part("## Context and Problem Statement", fields["problem"])
    parts += _part("## Decision Drivers", _bullets([*fields["goals"], *fields["constraints"]]))
    parts += _part("## Considered Options", _bullets(row["name"] for row in fields["options"]))
    if fields["chosen_option"]:
        parts += _part("## Decision Outcome", _outcome(fields))
    parts += _part("### Consequences", _bullets(f"Bad, because {risk}" for risk in fields["risks"]))
    if fields["options"]:
        parts.append("## Pros and Cons of the Options")
    return "\n\n".join([*parts, *(_option(row) for row in fields["options"])]) + "\n"


def _front(snapshot: Mapping[str, Any]) -> str:
    fields = snapshot["fields"]
    values = {
        "status": snapshot["status"],
        "date": fields["decided_on"],
        "decision-makers": ", ".join(fields["deciders"]),
        "consulted": ", ".join(fields["consulted"]),
        "informed": ", ".join(fields["informed"]),
    }
    lines = [f"{name}: {value}" for name, value in values.items() if value]
    return "\n".join(["---", *lines, "---"])


def _outcome(fields: Mapping[str, Any]) -> str:
    why = fields["decision_rationale"]
    chosen = f'Chosen option: "{fields["chosen_option"]}"' + (f", because {why}" if why else ".")
    return f"{chosen}\n\n{fields['decision_text']}".strip()


def _option(row: Mapping[str, Any]) -> str:
    points = [f"Good, because {each}" for each in row["pros"]]
    points += [f"Bad, because {each}" for each in row["cons"]]
    text = "\n\n".join(each for each in (row["description"], _bullets(points)) if each)
    return f"### {row['name']}\n\n{text}".strip()


def _part(heading: str, text: str) -> list[str]:
    return [f"{heading}\n\n{text}"] if text else []


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)


def to_wikitext(snapshot: Mapping[str, Any]) -> str:
    """A decision in the sections of the decision request template on Wikitech."""
    fields = snapshot["fields"]
    parts = ["== Problem ==", _plain(fields["problem"])]
    parts += ["=== Constraints and risks ==="]
    parts += [f"* {_plain(line)}" for line in [*fields["constraints"], *fields["risks"]]]
    parts += ["== Decision record ==", _plain(fields["decision_text"]) or "In progress."]
    if fields["decision_rationale"]:
        parts += ["=== Rationale ===", _plain(fields["decision_rationale"])]
    if fields["phabricator"]:
        parts.append(f"[[phab:{_plain(fields['phabricator'])}]]")
    parts.append("== Options ==")
    for row in fields["options"]:
        parts += [f"=== {_plain(row['name'])} ===", _plain(row["description"])]
        parts += ["'''Pros:'''", *(f"* {_plain(line)}" for line in row["pros"])]
        parts += ["'''Cons:'''", *(f"* {_plain(line)}" for line in row["cons"])]
    return "\n".join(part for part in parts if part) + "\n"


def _plain(text: str) -> str:
    """Text that the wiki shows as it is."""
    for mark in ("<", "[[", "{{", "~~~"):
        text = text.replace(mark, f"<nowiki>{mark}</nowiki>")
    return text
