"""What a kernel has stays; what it lacks comes in the pinned version."""

from __future__ import annotations

from scripts.colab import constraints

PINS = ["# pins", "torch==2.13.0", "numpy==2.4.6", "ipywidgets==8.1.9", "nh3==0.3.8"]


def test_torch_and_numpy_stay_to_the_digit() -> None:
    installed = {"torch": "2.11.0+cu130", "numpy": "2.0.2"}
    made = constraints(PINS, installed)
    assert "torch==2.11.0+cu130" in made
    assert "numpy==2.0.2" in made
    assert "torch==2.13.0" not in made


def test_other_packages_that_are_there_are_left_to_pip() -> None:
    made = constraints(PINS, {"ipywidgets": "7.7.1"})
    assert not any(pin.startswith("ipywidgets") for pin in made)


def test_what_is_missing_is_pinned_as_everywhere_else() -> None:
    assert constraints(PINS, {}) == PINS[1:]


def test_names_are_compared_as_pypi_does() -> None:
    assert constraints(["Markdown_It.py==4.3.0"], {"markdown-it-py": "3"}) == []
