"""The matcher of patterns over topics: promises T2 and T5 of the protocol, the same words as the server's.

Which patterns are valid (T3, T4) is for the bridge to say: it answers with `WS_INVALID_TOPIC`.
"""

from __future__ import annotations

__all__ = ["glob_match"]


def glob_match(pattern: str, topic: str) -> bool:
    """Tell whether the topic matches: `*` is any run of characters, `?` exactly one, all else stands for itself.

    Greedy with one step back: at most len(pattern) * len(topic) comparisons, whatever the pattern.
    """
    p = t = 0
    star, resume = -1, 0
    while t < len(topic):
        if p < len(pattern) and pattern[p] == "*":
            star, resume = p, t
            p += 1
        elif p < len(pattern) and pattern[p] in ("?", topic[t]):
            p += 1
            t += 1
        elif star >= 0:
            resume += 1
            p, t = star + 1, resume
        else:
            return False
    return pattern[p:].strip("*") == ""
