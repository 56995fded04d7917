"""The scheduler step by step, and the same arrivals again under another set-up.

It takes step reports and, to run again, a source with one method; it knows no engine
and no model. The set-up that the page asks for is checked as an `EngineConfig` before
anything runs, and a run that fails leaves the last one standing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol, cast

import traitlets

from labkit.config import POLICIES, EngineConfig, reject_unknown
from labkit.errors import ConfigError, LabError
from labkit.figures.drawings import Gantt
from labkit.figures.schedule import ScheduleRun, gantt, schedule_run
from labkit.records import StepReport
from labkit.widgets.base import LabWidget, Message

__all__ = ["Rerunner", "SchedulerDebugger"]

KNOBS = {  # by the name of a field of EngineConfig, what the page calls it
    "policy": "Policy",
    "max_step_tokens": "Tokens a step (chunk)",
    "max_running": "Sequences at once",
    "num_blocks": "Blocks",
}
MOST = {"max_step_tokens": 65_536, "max_running": 4_096, "num_blocks": 65_536}
SHOWN = ("before", "after")


Messages = Sequence[Mapping[str, str]]


class Rerunner(Protocol):
    """The interface of a source that runs the same arrivals with another config."""

    def rerun(self, config: EngineConfig) -> Sequence[StepReport]:
        """The step reports of one run, to the end of all requests."""
        ...


class Askable(Rerunner, Protocol):
    """A source that can also take a request with a prompt of the reader's own."""

    @property
    def times_s(self) -> Mapping[str, float]:
        """When each request comes, in seconds."""
        ...

    def with_prompt(self, messages: Messages) -> Askable:
        """The same arrivals, and with the last of them one with this prompt."""
        ...


class SchedulerDebugger(
    LabWidget,
    page="scheduler_debugger",
    parts=("schedule_gantt", "schedule_step"),
):
    """`SchedulerDebugger(source, arrivals, config)` runs once, and again when asked.

    `arrivals` says when each request came, in seconds. `rerun(max_step_tokens=64)` is
    the page's button; `keep()` makes the last run the one to compare with.
    """

    runs: traitlets.List[Any] = traitlets.List().tag(sync=True)  # before, after
    title = traitlets.Unicode().tag(sync=True)
    facts: traitlets.List[Any] = traitlets.List().tag(sync=True)
    labels: traitlets.Dict[str, Any] = traitlets.Dict(KNOBS).tag(sync=True)
    knobs: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)  # of the last run
    policies: traitlets.List[Any] = traitlets.List().tag(sync=True)
    shown = traitlets.Unicode("before").tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        source: Rerunner,
        arrivals: Mapping[str, float],
        config: EngineConfig | None = None,
        **unknown: object,
    ) -> None:
        if not arrivals:
            raise ConfigError("SchedulerDebugger(arrivals={}): give at least one")
        self._source = self._first = source  # the first has no prompt of the reader's
        self._arrivals = dict(arrivals)
        self._config = config or EngineConfig()
        self._records: tuple[ScheduleRun, ...] = (self._run(self._config),)
        super().__init__(unknown, policies=list(POLICIES), **self._state())

    @property
    def before(self) -> ScheduleRun:
        """The run to compare with."""
        return self._records[0]

    @property
    def after(self) -> ScheduleRun:
        """The last run; the first one as long as there is no other."""
        return self._records[-1]

    def record(self) -> Gantt:
        """Both runs over time, and their numbers."""
        return gantt(self._records)

    def rerun(self, **knobs: Any) -> ScheduleRun:
        """Run the same arrivals with these knobs changed, and show both runs."""
        reject_unknown(knobs, KNOBS, "SchedulerDebugger.rerun")
        with self._lock:
            config = replace(self._config, **knobs)
            self._show((self.before, self._run(config)), config)
            self.shown = "after"
        return self.after

    def keep(self) -> None:
        """Compare with the last run from now on."""
        with self._lock:
            self._show((self.after,), self._config)

    def ask(self, messages: Messages) -> None:
        """Let a prompt of the reader's own arrive as well, and run again.

        What cannot run is told in `problem`, and the last run stands.
        """
        with self._lock:
            held = self._source, self._arrivals
            try:
                source = self._askable(messages)
                self._source, self._arrivals = source, dict(source.times_s)
                self._show((self._run(self._config),), self._config)
            except LabError as error:
                self._source, self._arrivals = held
                self.problem = str(error)

    def _askable(self, messages: Messages) -> Askable:
        take = getattr(self._first, "with_prompt", None)
        if take is None:
            raise ConfigError(f"{self._first!r} takes no prompt of your own")
        return cast(Askable, take(messages))

    def handle(self, op: str, message: Message) -> None:
        """Buttons of the page; what cannot run is told in `problem`."""
        match op:
            case "rerun":
                try:
                    self.rerun(**checked(message.get("knobs", {})))
                except LabError as error:
                    self.problem = str(error)
                self.tell("done")
            case "keep":
                self.keep()
                self.tell("done")
            case _:
                super().handle(op, message)

    def _run(self, config: EngineConfig) -> ScheduleRun:
        return schedule_run(self._source.rerun(config), self._arrivals, config)

    def _show(self, runs: tuple[ScheduleRun, ...], config: EngineConfig) -> None:
        """Take `runs` as the state; the step shown stays within them."""
        self._records, self._config = runs, config
        with self.hold_sync():
            self.shown, self.step, self.problem = "before", 0, ""
            for name, value in self._state().items():
                setattr(self, name, value)

    def _state(self) -> dict[str, Any]:
        """What the page draws, as plain values; title and numbers as in the still."""
        drawing = self.record()
        return {
            "title": drawing.title,
            "facts": [list(row) for row in drawing.facts],
            "knobs": {name: getattr(self._config, name) for name in KNOBS},
            "runs": [
                {**asdict(run), "gaps": run.longest_gaps} for run in self._records
            ],
        }

    @traitlets.validate("shown")
    def _is_shown(self, proposal: Any) -> str:
        name = str(proposal["value"])
        if name not in SHOWN[: len(self._records)]:
            raise traitlets.TraitError(f"shown={name!r}: there is no such run yet")
        return name

    @traitlets.validate("step")
    def _is_step(self, proposal: Any) -> int:
        run = self._records[SHOWN.index(self.shown)]
        return max(0, min(int(proposal["value"]), len(run.steps) - 1))


def checked(knobs: Mapping[str, Any]) -> Mapping[str, Any]:
    """`knobs` as the page sent them; a number that is none is named by its label."""
    for name in KNOBS.keys() & knobs.keys() - {"policy"}:
        value = knobs[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            said = "it is empty" if value is None else f"not {value}"
            raise ConfigError(f"{KNOBS[name]}: use a whole number above 0, {said}")
        if value > MOST[name]:
            most = f"use at most {MOST[name]:,}, not {value:,}"
            raise ConfigError(f"{KNOBS[name]}: {most}")
    return knobs
