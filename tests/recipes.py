"""Execute a document's steps in a service: edits at a place in a file, and commands.

A step is a sentence that ends with a colon, and a block of code: "In `FILE`, above `LINE`:", "In `FILE`, below `LINE`:",
"In `FILE`, instead of `VARIABLE`:", "At the end of `FILE`:" or "In a new file, `FILE`:". Imports go to the file's other
imports. Commands are in console blocks.
"""

import ast
import re
import subprocess
from pathlib import Path

from support import Service

CHECKS = ("uv run poe check",)


def sections(document: str, level: int) -> dict[str, str]:
    """Return a document's sections of one heading level, by title."""
    ticks = "#" * level
    parts = re.split(rf"^(?=#{{1,{level}}} )", without_code(document), flags=re.MULTILINE)
    found, start = {}, 0
    for part in parts:
        text, start = document[start : start + len(part)], start + len(part)
        if text.startswith(f"{ticks} "):
            title, _, body = text.partition("\n")
            found[title.removeprefix(f"{ticks} ")] = body
    return found


def recipes_of(service: Service) -> dict[str, str]:
    """Return the recipes in a service's docs/development.md, by heading."""
    return sections((service.folder / "docs/development.md").read_text(encoding="utf-8"), 2)


def without_code(document: str) -> str:
    """Replace code blocks with spaces, because # is not a heading there; positions don't change."""
    return re.sub(r"^( *)```.*?^\1```$", lambda block: " " * len(block[0]), document, flags=re.MULTILINE | re.DOTALL)


def follow(text: str, service: Service, **env: str) -> list[str]:
    """Execute a text step by step; return the steps, for messages."""
    done = []
    blocks = re.finditer(r"^( *)```(\w+)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    for block in blocks:
        indent, language, code = block.groups()
        code = re.sub(f"^{indent}", "", code, flags=re.MULTILINE)
        if language == "console":
            for command in commands(code):
                run(command, service, **env)
                done.append(command)
        else:
            before = text[: block.start()].rstrip().rpartition("\n\n")[2]
            done.append(edit_file(" ".join(before.split()), code, service.folder))
    assert done, f"no step: {text}"
    return done


def commands(code: str) -> list[str]:
    """Return the commands in a console block, without output; a backslash continues a command in the next line."""
    return [command.removeprefix("$ ") for command in re.findall(r"^\$ (?:.*\\\n)*.*$", code, re.MULTILINE)]


def run(command: str, service: Service, **env: str) -> str:
    """Run a shell command in the service's folder and return its output. Exported variables are kept for later ones."""
    result = subprocess.run(
        ["bash", "-ec", command],
        cwd=service.folder,
        env={**service.env, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}"
    if command.startswith("export "):
        service.env = {**service.env, **dict(re.findall(r"(\w+)=(\S+)", command))}
    return result.stdout


def edit_file(sentence: str, code: str, folder: Path) -> str:
    """Insert code at the place that the end of a sentence describes; return this part of the sentence."""
    place = re.search(
        r"(?:[Ii]n `(?P<file>[^`]+)`,(?: in [^,]+,)? (?P<side>above|below|instead of) `(?P<line>[^`]+)`"
        r"|[Aa]t the end of `(?P<end>[^`]+)`(?:, as [^:]+)?"
        r"|[Ii]n a new file, `(?P<new>[^`]+)`):$",
        sentence,
    )
    assert place, f"where to put this? {sentence}\n{code}"
    path = folder / (place["file"] or place["end"] or place["new"])
    if place["new"]:
        assert not path.exists(), f"{path} exists"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
        return place[0]
    text = path.read_text(encoding="utf-8")
    apart = ""  # separates this code from the next
    if path.suffix == ".py":
        imports, code = split_imports(code)
        text = add_imports(text, imports)
        apart = "\n"
    if place["end"]:
        text = f"{text}{code}" if code[0] == " " else f"{text}{2 * apart}{code}"
    elif place["side"] == "instead of":
        assignment = next(
            node
            for node in ast.parse(text).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == place["line"]
        )
        lines = text.splitlines(keepends=True)
        lines[assignment.lineno - 1 : assignment.end_lineno] = [code]
        text = "".join(lines)
    else:
        lines = text.splitlines(keepends=True)
        found = [number for number, line in enumerate(lines) if line.strip().removesuffix(" \\") == place["line"]]
        assert len(found) == 1, f"{path} has {len(found)} lines {place['line']}"
        lines.insert(found[0] + (place["side"] == "below"), code if place["side"] == "below" else f"{code}{apart}")
        text = "".join(lines)
    path.write_text(text, encoding="utf-8")
    return place[0]


def split_imports(code: str) -> tuple[str, str]:
    """Split code into the imports at its beginning and the rest."""
    imports = re.match(r"(?:(?:(?:import|from) .*)?\n)*", code)[0]
    return imports, code[len(imports) :]


def add_imports(text: str, imports: str) -> str:
    """Insert imports below the last one at the top of a module."""
    last = max(node.end_lineno for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom))
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:last], imports, *lines[last:]])
