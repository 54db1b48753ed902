"""Keep functions and files small: prints their sizes, and fails where one outgrows what a screen explains."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MAX_FUNCTION: Final = 60
MAX_FILE: Final = 400


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield (place, lines without the docstring) of every function in a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            yield f"{path}:{node.lineno} {node.name}", node.end_lineno - first.lineno + 1  # type: ignore[operator]


def main() -> int:
    """Measure the files that git tracks, tests apart."""
    tracked = subprocess.run(["git", "ls-files", "*.py"], capture_output=True, text=True, check=True).stdout.split()
    paths = [Path(name) for name in tracked if not name.startswith("tests/") and Path(name).exists()]
    sizes = dict(found for path in paths for found in functions(path))
    lengths = {str(path): len(path.read_text("utf-8").splitlines()) for path in paths}
    deciles = statistics.quantiles(sizes.values(), n=10)
    print(f"{len(paths)} files, median {statistics.median(lengths.values()):.0f} lines")
    print(f"{len(sizes)} functions, median {statistics.median(sizes.values()):.0f} lines, 90 % below {deciles[-1]:.0f}")
    large = [f"{place}: {lines} lines" for place, lines in sizes.items() if lines > MAX_FUNCTION]
    large += [f"{path}: {lines} lines" for path, lines in lengths.items() if lines > MAX_FILE]
    for line in large:
        print(f"too large: {line}", file=sys.stderr)
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main())
