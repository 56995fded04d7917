"""Grades an answer to an exercise: right, wrong with a reason, or still open.

It never raises, whatever the answer does, and tells three kinds of wrong apart: no
number at all, a number that was only rounded otherwise, and a wrong number.
"""

from __future__ import annotations

import dis
import inspect
import math
from collections.abc import Callable
from typing import Any, Final

from labkit.book.exercises import (
    AnyExercise,
    Exercise,
    Grade,
    OpenExercise,
    Requirement,
    State,
)

__all__ = ["grade"]

# Right but for a unit: what the answer was multiplied by, and the question to ask.
_FACTORS: Final = (
    (2, "2 times the right value: is something counted twice?"),
    (1 / 2, "half of the right value: is something counted once that comes twice?"),
    (8, "8 times the right value: are these bits instead of bytes?"),
    (1 / 8, "an eighth of the right value: are these bytes instead of bits?"),
    (1e3, "1,000 times the right value: check the units"),
    (1e-3, "a thousandth of the right value: check the units"),
    (100, "100 times the right value: is it in percent?"),
    (1 / 100, "a hundredth of the right value: should it be in percent?"),
)
_EMPTY: Final = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}


def grade(exercise: AnyExercise, answer: object) -> Grade:
    """Check `answer`, whatever it is."""
    if answer is None or answer is ... or _is_unwritten(answer):
        return Grade(State.OPEN, f"{exercise.name} is open: {exercise.task}")
    if isinstance(exercise, OpenExercise):
        return _grade_open(exercise, answer)
    if callable(answer):
        return _grade_function(exercise, answer)
    problem = _problem(exercise, answer, exercise.value)
    if problem is None:
        right = f"{exercise.value:,g} {exercise.unit}"
        return Grade(State.RIGHT, f"{exercise.name}: {right} is right.")
    return _wrong(exercise, _short(answer), problem)


def _grade_function(exercise: Exercise, function: Callable[..., object]) -> Grade:
    name = getattr(function, "__name__", "your function")
    for case in exercise.cases:
        call = f"{name}({', '.join(map(_short, case.args))})"
        try:
            found = function(*case.args)
        except NotImplementedError:
            return Grade(State.OPEN, f"{exercise.name} is open: {exercise.task}")
        except Exception as error:  # whatever a reader's code may raise
            problem = f" raised {type(error).__name__}: {error}."
            return _wrong(exercise, call, problem)
        if found is None or found is ...:
            return Grade(State.OPEN, f"{exercise.name} is open: {call} returns nothing")
        problem = _problem(exercise, found, case.want) or ""
        if problem:
            gave = f"{call} gave {_short(found)}, expected {case.want:,g}:"
            return _wrong(exercise, gave, problem)
    count = len(exercise.cases)
    return Grade(State.RIGHT, f"{exercise.name}: {name} is right on {count} cases.")


def _grade_open(exercise: OpenExercise, answer: object) -> Grade:
    """One line for each requirement, so that the reader sees what is kept already."""
    try:
        problems = [_missed(one, answer) for one in exercise.requirements]
    except NotImplementedError:
        return Grade(State.OPEN, f"{exercise.name} is open: {exercise.task}")
    pairs = list(zip(exercise.requirements, problems, strict=True))
    lines = [
        f"  {State.WRONG if why else State.RIGHT} {r.text}{why}" for r, why in pairs
    ]
    kept, count = sum(not why for why in problems), len(problems)
    told = f"{exercise.name}: your answer keeps {kept} of {count} requirements."
    if kept == count:
        return Grade(State.RIGHT, "\n".join([told, *lines]))
    made = [m.hint for m in exercise.mistakes if m.is_made(answer)]
    lines.append(f"  {made[0]}" if made else f"  {_ask_for_hint(exercise)}")
    return Grade(State.WRONG, "\n".join([told, *lines]))


def _missed(requirement: Requirement, answer: object) -> str:
    """Why the requirement is not kept, with a colon in front; "" if it is."""
    try:
        requirement.test(answer)
    except NotImplementedError:
        raise
    except AssertionError as error:
        return f": {str(error) or 'it does not'}"
    except Exception as error:  # whatever a reader's code may raise
        return f": your code raised {type(error).__name__}: {error}"
    return ""


def _problem(exercise: Exercise, found: object, want: float) -> str | None:
    """What is wrong with one value, as the end of a sentence; None if nothing is."""
    number = _number(found)
    if number is None:
        return _no_number(found)
    if math.isclose(number, want, rel_tol=1e-6, abs_tol=exercise.tolerance):
        return None
    rounding = _rounding(exercise, number, want)
    if rounding:
        return rounding
    for mistake in exercise.mistakes:
        if mistake.is_made(number, want, exercise.value):
            return f" is not right. {mistake.hint}"
    for factor, question in _FACTORS:
        if want and math.isclose(number, want * factor, rel_tol=1e-6):
            return f" is exactly {question}"
    return f" is not right. {_ask_for_hint(exercise)}"


def _rounding(exercise: Exercise, number: float, want: float) -> str:
    """What to say of a number that is right but for its rounding; "" for another."""
    places = exercise.places
    if places is None or not math.isfinite(number):
        return ""
    to = f"{places} decimal places" if places else "a whole number"
    nearest = round(number, places)
    if math.isclose(number, nearest, rel_tol=1e-9):
        is_next = math.isclose(abs(number - want), 10.0**-places, rel_tol=1e-6)
        off = f" is off by one in the last place: round to the nearest, to {to}."
        return off if is_next else ""
    is_same = math.isclose(nearest, want, rel_tol=1e-9)
    return f" is right before rounding: round it to {to}." if is_same else ""


def _number(found: object) -> float | None:
    """`found` as a number; None for text, yes or no, and what has no one value."""
    if isinstance(found, bool | str | bytes):
        return None
    try:
        return float(found)  # type: ignore[arg-type]  # what is no number raises
    except Exception:  # a reader's own class may raise anything
        return None


def _no_number(found: object) -> str:
    if isinstance(found, str):
        plain = found.replace(",", "").replace("_", "").strip()
        number = _number_in(plain)
        without = f" ({plain}, without quotes)" if number is not None else ""
        return f" is text: give a number, not text{without}."
    kind = type(found).__name__
    return (
        f" is no number but a {kind}: give one number, or a function that returns it."
    )


def _number_in(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _wrong(exercise: Exercise, what: str, problem: str) -> Grade:
    return Grade(State.WRONG, f"{exercise.name}: {what}{problem}")


def _ask_for_hint(exercise: AnyExercise) -> str:
    return f'For a hint run lab.hint("{exercise.name}").'


def _is_unwritten(answer: object) -> bool:
    """Whether it is a function with nothing in it, or a class of such methods."""
    if inspect.isclass(answer):
        own = [one for name, one in vars(answer).items() if not name.startswith("_")]
        methods = [one for one in own if inspect.isfunction(one)]
        return bool(methods) and all(map(_is_empty, methods))
    return inspect.isfunction(answer) and _is_empty(answer)


def _is_empty(function: Any) -> bool:
    """A body of `...` or `pass`, with or without a docstring: it only returns None."""
    steps = list(dis.get_instructions(function))
    values = [s.argval for s in steps if s.opname in ("LOAD_CONST", "RETURN_CONST")]
    return {s.opname for s in steps} <= _EMPTY and all(v is None for v in values)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
