"""`Stack`: runs at the same step, from their next step to their results."""

import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from training.data.images import Images
from training.data.loader import Loader
from training.measure.scores import Report, Result
from training.run.step import objective_at
from training.run.stopping import Interrupt

from .batches import Batches
from .cohorts import Cohorts, Rates
from .member import Member
from .objective import Objectives
from .scores import reports

PAUSE = 10.0
"""Seconds that lie at least between two checkpoints of a stack: a kill loses no more than that."""


class Stack:
    """Runs at the same step, which go on together."""

    def __init__(self, members: Sequence[Member], loader: Loader, interrupt: Interrupt) -> None:
        self.members, self.loader, self.interrupt = members, loader, interrupt
        self.recipe, self.device = members[0].recipe, members[0].cohort.device
        self.cohorts = Cohorts([member.cohort for member in members])
        images, seeds = members[0].splits.train, [member.seed for member in members]
        self.batches = Batches(loader, images, self.recipe, seeds, self.device)
        self.losses = torch.stack([member.state.losses for member in members])
        self.epoch, self.step = members[0].state.epoch, members[0].state.step
        self._stored, self._due = time.monotonic(), False

    def fit(self, progress: bool) -> None:
        """Train all epochs that are left."""
        epochs, runs = self.recipe.epochs, len(self.members)
        with tqdm(total=epochs, initial=self.epoch, unit="epoch", disable=not progress, leave=False) as bar:
            bar.set_description(f"{runs} runs")
            while self.epoch < epochs:
                self._epoch()
                bar.update()

    def _epoch(self) -> None:
        began, steps = time.perf_counter(), len(self.loader)
        objectives = Objectives.of([objective_at(one.recipe, self.epoch) for one in self.members], self.device)
        labels = torch.stack([member.splits.train.labels for member in self.members]).to(self.device)
        for pixels, answers in self.batches.epoch(self.epoch, labels, self.step):
            losses = self.cohorts.step(pixels, answers, objectives, self._rates(self.epoch * steps + self.step))
            self.losses += losses
            self.step += 1
            self._look_at(losses)
            self._between_steps()
        self._place()
        found = self._reports("validation", self.epoch + 1, [member.splits.validation for member in self.members])
        seconds = (time.perf_counter() - began) / len(self.members)
        for member, report in zip(self.members, found, strict=True):
            member.end_epoch(report, seconds)
        self.epoch, self.step = self.epoch + 1, 0
        self.losses.zero_()
        self._due |= self.epoch % self.recipe.checkpoint_epochs == 0
        self._store_if_due(at_once=self.epoch == self.recipe.epochs)

    def _rates(self, step: int) -> Rates:
        """The rates of a step of the run: a number if they are the same."""
        rates = self._each_rate(step)
        return rates[0] if len(set(rates)) == 1 else torch.tensor(rates, dtype=torch.float64, device=self.device)

    def _each_rate(self, step: int) -> list[float]:
        known = {member.recipe.lr: member.rate for member in self.members}
        values = {spec: rate(step, len(self.loader)) for spec, rate in known.items()}
        return [values[member.recipe.lr] for member in self.members]

    def _look_at(self, losses: Tensor) -> None:
        """Let a member whose loss is not finite or too large say so, once the others are stored."""
        bad = ~(losses <= self.recipe.max_loss)
        if not bad.any():
            return
        failed = bad.any(1).tolist()
        self._store([member for member, bad in zip(self.members, failed, strict=True) if not bad])
        first = failed.index(True)
        self.members[first].guard().watch(self.epoch * len(self.loader) + self.step - 1, losses[first])

    def _between_steps(self) -> None:
        every = self.recipe.checkpoint_steps
        self._due |= every is not None and self.step % every == 0
        if self.step < len(self.loader):
            self._store_if_due()
        if self.interrupt.requested:
            self._store(self.members)
            raise KeyboardInterrupt

    def _store_if_due(self, at_once: bool = False) -> None:
        if at_once or (self._due and time.monotonic() - self._stored > PAUSE):
            self._store(self.members)

    def _store(self, members: Sequence[Member]) -> None:
        """Write a checkpoint of each member."""
        self._place()
        self.cohorts.store(self._each_rate(max(0, self.epoch * len(self.loader) + self.step - 1)))
        for member in members:
            member.store()
        self._stored, self._due = time.monotonic(), False

    def _place(self) -> None:
        """Tell the members where they are."""
        for member, losses in zip(self.members, self.losses, strict=True):
            member.state.epoch, member.state.step, member.state.losses = self.epoch, self.step, losses.clone()

    @torch.no_grad()
    def predict(self, images: Sequence[Images], heed: bool = False) -> tuple[Tensor, Tensor]:
        """Logits (R, K, C, n) and labels (R, n) of images that are the same for all, up to their labels."""
        self.cohorts.train(False)
        parts = []
        for pixels in self.batches.sweep(images[0], self.recipe.batch_size):
            if heed and self.interrupt.requested:
                raise KeyboardInterrupt
            parts.append(self.cohorts.forward(pixels))
        self.cohorts.train(True)
        return torch.cat(parts, 3), torch.stack([one.labels for one in images])

    def _reports(self, part: str, epoch: int, images: Sequence[Images], heed: bool = False) -> list[Report]:
        """The report of each member on its images, once who watches has seen the answers."""
        logits, labels = self.predict(images, heed)
        for member, own, right in zip(self.members, logits.mT, labels, strict=True):
            member.show(part, epoch, own, right)
        return reports(logits, labels)

    def finish(self) -> Iterator[tuple[Member, Result]]:
        """Read the test set and write the result of each member.

        Raises:
            KeyboardInterrupt: when asked to stop; the last checkpoints have the trained students already.
        """
        test = self.members[0].splits.test()
        parts = [{"train": m.splits.train, "validation": m.splits.validation, "test": test} for m in self.members]
        found = {name: self._reports(name, self.epoch, [one[name] for one in parts], True) for name in parts[0]}
        for k, member in enumerate(self.members):
            yield member, member.conclude(parts[k], {name: each[k] for name, each in found.items()})
