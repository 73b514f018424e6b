"""The tree of errors, as its module draws it."""

import re

import pytest

from worker import errors


def drawn() -> dict[str, str | None]:
    """Each class drawn in the module's docstring, with the one it hangs below."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^((?:│   |    |├── |└── )*)([A-Z]\w+)(?:\s{2,}|$)", line):
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            parents[found[2]] = above[depth - 1] if depth else None
    return parents


def classes() -> list[type[Exception]]:
    return [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]


def test_the_tree_that_is_drawn_is_the_tree_there_is():
    there = {each.__name__: None if each is errors.TrawlerError else each.__base__.__name__ for each in classes()}
    assert drawn() == there


def test_every_error_has_a_code_of_its_own():
    codes = [each.code for each in classes()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("each", classes())
def test_every_error_says_when_it_is_raised(each):
    assert each.__doc__
