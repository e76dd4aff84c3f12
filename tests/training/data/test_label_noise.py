"""Label noise: its share, which images and labels it changes, and which runs share it."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training import Recipe, standard_variants, train
from training.data.images import split
from training.data.labels import noisy_labels
from training.data.sources import open_source
from training.experiment.evaluation import evaluate_run
from training.run.files.run_folder import write_json

NOISY = Recipe(label_noise=0.3, epochs=2, subset=96)
SOURCE = open_source(NOISY)
LABELS = torch.arange(20_000) % 5


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_the_share_of_wrong_labels_is_what_was_asked_for(share):
    wrong = noisy_labels(LABELS, 5, share, seed=0) != LABELS
    error = (share * (1 - share) / len(LABELS)) ** 0.5
    assert abs(wrong.double().mean().item() - share) <= 4 * error


def test_a_wrong_label_is_any_other_class_equally_often():
    noisy = noisy_labels(LABELS, 5, 0.8, seed=1)
    counts = torch.bincount(((noisy - LABELS) % 5)[noisy != LABELS], minlength=5)
    assert counts[0] == 0
    assert (counts[1:] - counts.sum() / 4).abs().max() < 4 * (counts.sum() * 3 / 16) ** 0.5


@given(st.integers(-5, 10**20), st.integers(2, 6), st.floats(0, 0.99))
def test_noise_is_a_function_of_the_seed_and_stays_within_the_classes(seed, classes, share):
    labels = torch.arange(60) % classes
    noisy = noisy_labels(labels, classes, share, seed)
    assert torch.equal(noisy, noisy_labels(labels, classes, share, seed))
    assert noisy.min() >= 0
    assert noisy.max() < classes


def test_more_noise_keeps_what_less_made_wrong():
    little, much = (noisy_labels(LABELS, 5, share, seed=2) for share in (0.1, 0.4))
    wrong = little != LABELS
    assert torch.equal(little[wrong], much[wrong])


@pytest.mark.parametrize(
    ("classes", "share", "sentence"), [(5, 1.0, r"\[0, 1\), got 1.0"), (5, -0.1, "got -0.1"), (1, 0.1, "2 classes")]
)
def test_noise_that_cannot_be_is_refused(classes, share, sentence):
    with pytest.raises(ValueError, match=sentence):
        noisy_labels(torch.zeros(3, dtype=torch.int64), classes, share, 0)


def test_training_and_validation_labels_are_noisy_and_nothing_else_changes():
    clean, noisy = (split(dataclasses.replace(NOISY, label_noise=x, subset=None), SOURCE, 3) for x in (0.0, 0.3))
    for before, after in ((clean.train, noisy.train), (clean.validation, noisy.validation)):
        assert torch.equal(before.pixels, after.pixels)
        assert 0.2 < (before.labels != after.labels).double().mean() < 0.4
    assert torch.equal(clean.test().labels, noisy.test().labels)
    assert torch.equal(SOURCE.train().labels, open_source(NOISY).train().labels)  # noise goes into a copy


def test_each_seed_has_its_own_noise_and_all_variants_share_it():
    variants = [split(recipe, SOURCE, seed=1).train.labels for recipe in standard_variants(NOISY).values()]
    assert all(torch.equal(variants[0], labels) for labels in variants)
    assert not torch.equal(variants[0], split(NOISY, SOURCE, seed=2).train.labels)


def test_a_subset_sees_the_noise_of_the_whole():
    whole, part = (split(dataclasses.replace(NOISY, subset=n), SOURCE, 0).train for n in (None, 96))
    seen = {tuple(x.flatten().tolist()): int(y) for x, y in zip(whole.pixels, whole.labels, strict=True)}
    assert all(seen[tuple(x.flatten().tolist())] == y for x, y in zip(part.pixels, part.labels, strict=True))


def test_an_interrupted_noisy_run_continues_to_the_same_bits(tmp_path):
    whole = train(NOISY, 1, tmp_path / "whole")
    newest = max((tmp_path / "whole" / "checkpoints").glob("*.pt"))
    newest.unlink()
    (tmp_path / "whole" / "result.json").unlink()
    assert train(NOISY, 1, tmp_path / "whole", resume=True) == whole
    assert newest.exists()  # its name holds the digest of its bytes


def test_evaluation_sees_each_seeds_own_noise(tmp_path):
    write_json(tmp_path / "recipe.json", NOISY.to_json())
    results = {seed: train(NOISY, seed, tmp_path / f"seed-{seed}") for seed in (0, 1)}
    found = evaluate_run(tmp_path, "validation")
    assert found == {seed: result.validation for seed, result in results.items()}
