"""The report while it grows: a page of what is known that says what is missing, and in the end every file."""

import json
import platform
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from training.run.files.environment import environment
from training.run.files.run_folder import write_atomically

from . import page
from .picture import Picture, picture

SELDOM = 2.0
"""Seconds between two writings of the page: one takes up to half a second."""


@dataclass(frozen=True)
class Section:
    """One chapter's numbers (JSON), its new figures by file name, and in words what is missing of it, "" for none."""

    data: Any
    figures: dict[str, Figure]
    passed: bool
    missing: str = ""


class Draft:
    """What is known of the report.

    Attributes:
        missing: words for each section that is not there, or not wholly.
        passed: whether every verdict so far is good.
    """

    def __init__(self, folder: Path, stages: Mapping[str, str]) -> None:
        self.folder, self.missing, self.passed = folder, dict(stages), True
        self._data: dict[str, Any] = dict.fromkeys(stages) | {"simulations": {}}
        self._verdicts: dict[str, bool] = {}
        self._pictures: dict[str, Picture] = {}
        self._started, self._shown = time.perf_counter(), -SELDOM

    def add(self, name: str, section: Section) -> None:
        """Take a section in, in place of what was known of it."""
        self._data[name] = section.data
        self._verdicts[name] = section.passed
        self.passed = all(self._verdicts.values())
        self._pictures |= {key: picture(figure) for key, figure in section.figures.items()}
        if section.missing:
            self.missing[name] = section.missing
        else:
            self.missing.pop(name, None)

    def show(self, ended: str | None = None) -> None:
        """Write the page, not too often; `ended` says why nothing follows. A full disk is told in the end only."""
        now = time.perf_counter()
        if ended is None and self.missing and now - self._shown < SELDOM:
            return
        with suppress(OSError):
            first = self._shown < 0
            write_atomically(self.folder / "index.html", self._page(ended).encode())
            self._shown = now
            if first:
                print(
                    f"rdml report: {self.folder / 'index.html'} shows what is known, more every few seconds", flush=True
                )

    def finish(self) -> Path:
        """Write everything and return the folder.

        Raises:
            OSError: if it cannot be written; it names the folder where the report is instead.
        """
        try:
            self._write(self.folder)
        except OSError as error:
            rescue = Path(tempfile.mkdtemp(prefix="rdml-report-"))
            self._write(rescue)
            why = f"cannot write into {self.folder} ({error.strerror}); the finished report is in {rescue}"
            raise OSError(why) from error
        return self.folder

    def _write(self, out: Path) -> None:
        data = self._data | {"about": self._about()}
        (out / "report.json").write_text(json.dumps(data, indent=1) + "\n")
        page.write(out, data, self._pictures)

    def _page(self, ended: str | None) -> str:
        left = page.Missing(list(self.missing.values()), ended) if self.missing else None
        return page.render(self._data | {"about": self._about()}, self._pictures, left)

    def _about(self) -> dict[str, Any]:
        """When, how long, on what, with which versions."""
        import torch

        return {
            "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "seconds": round(time.perf_counter() - self._started, 1),
            "system": platform.system(),
            **environment(torch.device("cpu")),
        }
