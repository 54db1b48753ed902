"""What a work product of each type should look like. The rules only warn; they refuse nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from taskcopilot.tools.text import utf16_length

__all__ = ["Flag", "check", "feedback"]

_TITLE: Final = re.compile(r"^#[ \t]+\w", re.MULTILINE)
_HEADING: Final = re.compile(r"^#{1,3}[ \t]+(\S.*)$", re.MULTILINE)
_SECTION: Final = re.compile(r"^##[ \t]+", re.MULTILINE)
_TABLE_LINE: Final = re.compile(r"\|.+\|")

_FENCE: Final = "```"
_FENCES_PER_BLOCK: Final = 2

_LINES_PER_TABLE: Final = 3
"""A header, a separator and one row."""

_CHARACTERS_PER_TOKEN: Final = 4

Problem = tuple[str, str]
"""What is wrong, and what helps."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A named check; `look` returns the problem that it finds, or None."""

    id: str
    name: str
    look: Callable[[str], Problem | None]


@dataclass(frozen=True, slots=True)
class Flag:
    """A rule that a work product does not keep."""

    rule: Rule
    message: str
    suggestion: str

    def as_metadata(self) -> dict[str, Any]:
        """Return the flag as it is kept with the work product."""
        return {
            "ruleId": self.rule.id,
            "ruleName": self.rule.name,
            "severity": "warn",
            "message": self.message,
            "suggestion": self.suggestion,
        }


def check(content: str, kind: str) -> list[Flag]:
    """Return the rules that content of this type does not keep, in the order of the rules."""
    return list(_flags(content, (*_FOR_ALL, *_BY_TYPE[kind])))


def feedback(flags: list[Flag]) -> str:
    """Return the flags as text for the agent that wrote the work product."""
    lines = [f"- [WARN] {flag.message}\n  Suggestion: {flag.suggestion}" for flag in flags]
    return "\n".join(["Validation issues detected:", *lines])


def _flags(content: str, rules: tuple[Rule, ...]) -> Iterator[Flag]:
    for rule in rules:
        if problem := rule.look(content):
            yield Flag(rule, *problem)


def _size(most: int, least: int = 0) -> Callable[[str], Problem | None]:
    def look(content: str) -> Problem | None:
        length = utf16_length(content)
        if length > most:
            tokens = -(-length // _CHARACTERS_PER_TOKEN)
            message = f"Content exceeds {most} characters ({length} characters, about {tokens} tokens)"
            return message, "Split it into smaller work products or leave out what is not essential"
        if length < least:
            return f"Content is below the minimum ({length} of {least} characters)", "Add what is missing"
        return None

    return look


def _title(content: str) -> Problem | None:
    return None if _TITLE.search(content) else ("No heading found", "Begin with a heading such as `# Title`")


def _headings(*wanted: str) -> Callable[[str], Problem | None]:
    def look(content: str) -> Problem | None:
        headings = [heading.lower() for heading in _HEADING.findall(content)]
        missing = [word for word in wanted if not any(word.lower() in heading for heading in headings)]
        if not missing:
            return None
        return f'Missing required section: "{missing[0]}"', f'Add a heading that contains "{missing[0]}"'

    return look


def _at_least(least: int, what: str, count: Callable[[str], int], suggestion: str) -> Callable[[str], Problem | None]:
    def look(content: str) -> Problem | None:
        found = count(content)
        return None if found >= least else (f"Only {found} {what} found (minimum: {least})", suggestion)

    return look


def _count_sections(content: str) -> int:
    return len(_SECTION.findall(content))


def _count_code_blocks(content: str) -> int:
    return content.count(_FENCE) // _FENCES_PER_BLOCK


def _count_tables(content: str) -> int:
    return len(_TABLE_LINE.findall(content)) // _LINES_PER_TABLE


_SECTIONS: Final = _at_least(3, "sections", _count_sections, "Cover the topic in more sections (`## ...`)")
_CODE: Final = _at_least(1, "code blocks", _count_code_blocks, "Show code in a fenced block")
_TABLES: Final = _at_least(1, "tables", _count_tables, "Put what can be compared into a table")

_FOR_ALL: Final = (
    Rule("size-max-global", "Maximum Content Size", _size(50_000, least=100)),
    Rule("structure-has-heading", "Has Title/Header", _title),
)

_BY_TYPE: Final = {
    "architecture": (
        Rule("arch-sections", "Architecture Required Sections", _headings("Overview", "Components")),
        Rule("arch-size", "Architecture Size Limit", _size(30_000)),
    ),
    "technical_design": (
        Rule("td-size", "Technical Design Size", _size(25_000)),
        Rule("td-completeness", "Technical Design Completeness", _SECTIONS),
    ),
    "implementation": (
        Rule("impl-code-blocks", "Implementation Has Code", _CODE),
        Rule("impl-size", "Implementation Size", _size(20_000)),
    ),
    "test_plan": (
        Rule("test-tables", "Test Plan Has Test Cases", _TABLES),
        Rule("test-sections", "Test Plan Structure", _headings("Scope", "Test")),
    ),
    "security_review": (
        Rule("sec-findings", "Security Has Findings", _headings("Finding", "Summary")),
        Rule("sec-tables", "Security Uses Tables", _TABLES),
    ),
    "documentation": (
        Rule("doc-examples", "Documentation Has Examples", _CODE),
        Rule("doc-size", "Documentation Size", _size(30_000)),
    ),
    "other": (Rule("other-size", "Generic Size Limit", _size(25_000)),),
}
