"""What is found out about students from a few images: lazy weights, sizes, softmaxes, and what can't be trained."""

import dataclasses

import numpy as np
import pytest
import torch
from own_networks import Spare
from PIL import Image

from training import Recipe, from_tensors, train
from training.data.loader import Loader
from training.data.sources import digits
from training.run.cohort import build_cohort
from training.run.first_batch import initialise

CPU = torch.device("cpu")
SHORT = Recipe(epochs=2, subset=100, students=("own_networks:small", "mlp"))
DIGITS = digits(SHORT).train()


def with_student(name, **change):
    return dataclasses.replace(SHORT, students=("mlp", f"own_networks:{name}"), **change)


def test_lazy_weights_are_made_from_the_seed_before_the_optimisers_and_resume_to_the_same_bits(tmp_path):
    recipe = with_student("lazy")
    first, again = (build_cohort(recipe, 0, DIGITS, CPU).students[1].state_dict() for _ in range(2))
    assert first["4.weight"].shape == (10, 144)
    assert first["1.num_batches_tracked"] == 0
    assert all(torch.equal(first[name], again[name]) for name in first)
    whole = train(recipe, 0, tmp_path)
    (tmp_path / "result.json").unlink()
    newest = max((tmp_path / "checkpoints").iterdir())
    newest.unlink()
    assert train(recipe, 0, tmp_path, resume=True) == whole


def test_a_lazy_weight_that_no_image_reaches_is_named():
    with pytest.raises(
        ValueError, match=r"student 1 has lazy weights that no image reaches \(spare.weight, spare.bias\)"
    ):
        initialise(Spare(), torch.zeros(2, 1, 8, 8), "student 1")


REFUSED = {
    "softmax": r"student 2 \(own_networks:softmax\) ends in a softmax: the logits are probabilities",
    "training_softmax": r"student 2 \(own_networks:training_softmax\) ends in a softmax",
    "fixed_size": r"\(own_networks:fixed_size\) cannot take images of 8x8x1 .*Input height .*; pass --image-size 12$",
    "empty": "student 2 has no weights to train",
    "frozen": "student 2 has no weights to train",
    "meta": "student 2 has weights without numbers",
    "detached": r"student 2 \(own_networks:detached\) gives logits that have no gradient in its weights",
    "sparse": r"must give 10 logits, .* got torch.sparse_coo of torch.float32 \(4, 10\)",
    "of_1000": r"student 2 \(own_networks:of_1000\) must give 10 logits, one a class, .* got torch.float32 \(4, 1000\)",
    "maps": r"must give 10 logits, .* got torch.float32 \(4, 10, 6, 6\)",
    "two_heads": "gives a tuple of 0: .*name the field or position with --output",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_student_that_cannot_be_trained_is_refused_before_anything_is_written(name, tmp_path):
    with pytest.raises(ValueError, match=REFUSED[name]):
        train(with_student(name), 0, tmp_path)
    assert not list(tmp_path.glob("*.jsonl"))
    assert not (tmp_path / "checkpoints").exists()


def test_students_that_share_weights_are_refused():
    recipe = dataclasses.replace(SHORT, students=("own_networks:always_the_same",) * 2)
    with pytest.raises(ValueError, match="student 2 shares weights with another: make a new network each time"):
        train(recipe)


def test_looking_at_the_first_images_changes_neither_students_nor_random_numbers():
    recipe = dataclasses.replace(SHORT, students=("own_networks:normalised", "mlp"))
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    cohort = build_cohort(recipe, 0, DIGITS, CPU)
    assert torch.equal(torch.rand(4), expected)
    assert all(module.training for student in cohort.students for module in student.modules())
    assert {int(x) for name, x in cohort.students[0].state_dict().items() if name.endswith("tracked")} == {0}


def test_image_size_resizes_batches_as_pillow_does_and_keeps_the_bytes():
    for side in (5, 20):
        loader = Loader(DIGITS, dataclasses.replace(SHORT, image_size=side), 0, CPU)
        pixels, _ = next(loader.sweep(DIGITS))
        levels = pixels / loader._scale + loader._mean
        for index in range(0, 60, 7):
            picture = Image.fromarray(DIGITS.pixels[index, ..., 0].numpy())
            wanted = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR)).astype(float)
            assert abs(levels[index, 0].numpy() - wanted).max() < 1.01  # Pillow rounds twice
        assert loader._pixels.dtype == torch.uint8
        assert loader._pixels.shape[2:] == (8, 8)


def test_a_network_of_one_size_learns_from_images_that_are_resized():
    found = train(with_student("fixed_size", image_size=12, augment=("crop", "flip", "cutout"), crop_padding=1))
    assert found.test["student 2"]["accuracy"] > 0.15


def test_with_an_image_size_the_parts_may_have_sizes_of_their_own():
    pixels, labels = torch.randint(256, (40, 8, 8, 1), dtype=torch.uint8), torch.arange(40) % 2
    larger = torch.randint(256, (10, 9, 11, 1), dtype=torch.uint8)
    source = from_tensors(pixels, labels, larger, labels[:10])
    recipe = Recipe(data="tensors", epochs=1, batch_size=8)
    with pytest.raises(ValueError, match=r"test images must be 8x8x1 .* got 9x11x1; resize them \(--image-size\)"):
        train(recipe, source=source)
    assert train(dataclasses.replace(recipe, image_size=10), source=source).images["test"] == 10


def test_large_pictures_are_scored_in_small_batches():
    black, labels = torch.zeros(90, 8, 8, 1, dtype=torch.uint8), torch.arange(90) % 2
    pictures = from_tensors(black, labels, black[:2], labels[:2]).train()
    loader = Loader(pictures, dataclasses.replace(SHORT, image_size=224), 0, CPU)
    assert [len(labels) for _, labels in loader.sweep(pictures)] == [81, 9]
