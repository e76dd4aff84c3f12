"""Wrong values on the command line: one sentence and exit status 2, in this process."""

import shutil
from pathlib import Path

import pytest
from wrong import wrong

import rdml
from report import RESULTS
from training import Images, Recipe, Result, Source, compare, from_datasets, standard_variants, train
from training.data import open_source, split
from training.networks import build_model

SHORT = "--epochs 1 --subset 64 --jobs 1 --folder run"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("theory --only A1 --seed -1", "seed not negative"),
        ("theory --only A1 --seconds nan", "seconds must be positive"),
        ("theory --only A1 --search x.py", "give one of them"),
        ("theory --only= --seconds 1", "there is no theorem"),
        ("theory --json taken/x.json", "cannot use taken"),
        ("simulate noise_floor --eta nan", "eta must be positive and finite"),
        ("simulate noise_floor --eta 0", "eta must be positive and finite"),
        ("simulate noise_floor --seed -1", "seed must be a whole number"),
        ("simulate noise_floor --replicas 0", "replicas must be a whole number, at least 2"),
        ("report --seconds inf", "seconds must be positive and finite"),
        ("study --out taken", "cannot write into taken"),
        (f"train --augment crop --crop-padding 1000000 {SHORT}", "crop_padding must be 1 to 4096"),
        (f"train --first-seed -1 {SHORT}", "first_seed must be"),
        ("measure --data digits --folder run", "got 5000; without --subset, that of the named recipe counts"),
        ("train --data npz --data-root no.npz --epochs 1", "a folder of one, got no.npz, which does not exist"),
        ("train --data npz --data-root . --epochs 1", "a folder of one, got . with 0 of them"),
        ("train --data npz --epochs 1", "a folder of one, got none"),
        (
            "train --subset 3 --epochs 1 --folder run",
            "subset must hold 10 to 948 of 958 images, some of",
        ),
    ],
)
def test_a_wrong_value_is_one_sentence(arguments: str, sentence: str, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setattr("sys.argv", ["rdml", *arguments.split()])
    assert rdml.main() == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "null", "[]", "{}", '{"cells": []}'])
def test_a_damaged_study_of_the_advice_names_its_file(content: str, tmp_path: Path, monkeypatch, capsys):
    shutil.copytree(RESULTS, tmp_path / "results", ignore=shutil.ignore_patterns("*.svg", "report*"))
    (tmp_path / "results" / "advise" / "advise.json").write_text(content)
    monkeypatch.setattr("sys.argv", ["rdml", "study", "--results", str(tmp_path / "results")])
    assert rdml.main() == 2
    assert "advise.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "call",
    [
        lambda: train(wrong(3)),
        lambda: train(Recipe(), seed=wrong(1.5)),
        lambda: train(Recipe(), source=wrong(3)),
        lambda: Recipe(epochs=wrong(1.5)),
        lambda: Recipe(amp=wrong("x")),
        lambda: Recipe(topology=wrong(3)),
        lambda: Images(wrong([]), wrong(None), 4),
        lambda: compare(Recipe(), {}),
        lambda: compare(Recipe(), wrong({"a": 3})),
        lambda: compare(wrong(3), {"a": Recipe()}),
        lambda: compare(Recipe(), jobs=wrong(1.5)),
        lambda: train(Recipe(), folder=wrong(3)),
        lambda: train(Recipe(), resume=wrong("no")),
        lambda: train(Recipe(), seed=wrong(True)),
        lambda: Recipe(temperature=wrong("x")),
        lambda: Recipe(momentum=wrong(None)),
        lambda: Recipe(augment=wrong("flip")),
        lambda: Recipe(data_root=wrong(3)),
        lambda: Recipe(epochs=10**400),
        lambda: Source(train=wrong(3), test=wrong(None)),
        lambda: open_source(wrong(3)),
        lambda: split(wrong(3), wrong(None)),
        lambda: standard_variants(Recipe(), wrong("12")),
        lambda: standard_variants(wrong(3)),
        lambda: build_model("mlp", (8, 8, 0), 2),
        lambda: from_datasets(wrong(3), wrong(3)),
        lambda: Result(0, test=wrong({"ensemble": 3}), validation={}, train={}, images={}),
    ],
)
def test_what_has_another_type_is_refused(call):
    with pytest.raises(ValueError, match="must be"):
        call()
