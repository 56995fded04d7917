"""The exercises of every chapter with their right answers, as data: a file a chapter.

Chapter and checks read the same records; the sums behind the values are in the tests.
"""

from __future__ import annotations

from labkit.book.answers import ch07, ch08, ch09, ch10
from labkit.book.exercises import AnyExercise
from labkit.errors import ConfigError

__all__ = ["EXERCISES", "exercise", "exercises_of"]

EXERCISES: tuple[AnyExercise, ...] = (
    *ch07.EXERCISES,
    *ch08.EXERCISES,
    *ch09.EXERCISES,
    *ch10.EXERCISES,
)


def exercise(name: object) -> AnyExercise:
    """The exercise called `name`; for another name `ConfigError` says which there are.

    Only the exercises of the same chapter are named, where the chapter has any.
    """
    known = {one.name: one for one in EXERCISES}
    if isinstance(name, str) and name in known:
        return known[name]
    chapter = str(name).partition(".")[0]
    near = [one for one in known if one.partition(".")[0] == chapter] or list(known)
    raise ConfigError(
        f"there is no exercise {name!r}; the exercises are {', '.join(near)}"
    )


def exercises_of(chapter: object) -> tuple[AnyExercise, ...]:
    """The exercises of one chapter, in their order; none for another part."""
    return tuple(e for e in EXERCISES if e.name.partition(".")[0] == str(chapter))
