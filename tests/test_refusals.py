"""Every refusal a program can be told has a test that names it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What delivery and store code says no with: the first text among its arguments is the contract's error code.
SAYS_NO = re.compile(r"(Problem|Refusing|Refused|\w*Refusal|error_reply)")
CODE = re.compile(r"[a-z]+(_[a-z]+)*")


def codes() -> dict[str, str]:
    """Every error code the source names, with where."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and SAYS_NO.fullmatch(_name(node.func)):
                texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                if texts and CODE.fullmatch(texts[0]):
                    found[texts[0]] = f"{file.relative_to(ROOT)}:{node.lineno}"
    return found


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def test_there_are_refusals_to_look_for() -> None:
    assert {"no_qr_found", "not_grouped", "too_many", "trial_expired", "forbidden"} <= codes().keys()


@pytest.mark.parametrize("code", sorted(codes()))
def test_every_error_code_is_named_by_a_test(code: str) -> None:
    tests = (file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    assert any(f'"{code}"' in text for text in tests), f"{codes()[code]} says {code}, and no test does"
