"""Two small BERTs that learn from each other in transformers' Trainer: `python examples/transformers_trainer.py`.

They are built from a configuration, so nothing is downloaded. The texts are docstrings of scipy and the classes five of
its sub-packages (see `training.data.docstrings`); always to guess the most frequent one is right for 29 % of the test
half. Needs `pip install 'rdml[clients]'`.
"""

from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from training.data.docstrings import CLASSES, corpus
from training.data.texts import word_numbers
from training.loss import mutual_loss

WORDS, BUCKETS = 48, 2**12


class Pair(nn.Module):
    """Several classifiers as one model of the Trainer; its logits are (B, K, C), batch first."""

    def __init__(self, *students: nn.Module) -> None:
        super().__init__()
        self.students = nn.ModuleList(students)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """What every student says; the labels are for the loss, which the Trainer computes."""
        outputs = [student(input_ids=input_ids, attention_mask=attention_mask) for student in self.students]
        return {"logits": torch.stack([output.logits for output in outputs], 1)}


class MutualTrainer(Trainer):
    """A Trainer whose students also learn from each other.

    Args:
        order: of the divergence from the peer, in [0, inf].
        lam: its weight beside the cross-entropy.
        rest: as for `Trainer`.
    """

    def __init__(self, *, order: float, lam: float, **rest: Any) -> None:
        super().__init__(**rest)
        self.order, self.lam = order, lam

    def compute_loss(
        self, model: nn.Module, inputs: dict, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The sum of the students' losses; peers are detached, so each student gets the gradient of its own."""
        outputs = model(**inputs)
        loss = mutual_loss(outputs["logits"].unbind(1), inputs["labels"], self.order, self.lam).sum()
        return (loss, outputs) if return_outputs else loss


class Texts(Dataset):
    """Docstrings as the inputs of a BERT: numbers of their words, 0 behind the last."""

    def __init__(self, labelled: list[tuple[str, str]]) -> None:
        self.numbers = word_numbers((text for text, _ in labelled), WORDS, BUCKETS).long()
        self.labels = torch.tensor([CLASSES.index(name) for _, name in labelled])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        row = self.numbers[index]
        return {"input_ids": row, "attention_mask": (row > 0).long(), "labels": self.labels[index]}


def student(seed: int) -> nn.Module:
    """A BERT of one layer, with random weights."""
    torch.manual_seed(seed)
    configuration = BertConfig(
        vocab_size=BUCKETS,
        max_position_embeddings=WORDS,
        id2label=dict(enumerate(CLASSES)),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return BertForSequenceClassification(configuration)


def main(epochs: int = 6) -> list[float]:
    """Train, and return each student's accuracy on the test half."""
    train, test = corpus()
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=16,
            per_device_eval_batch_size=64,
            learning_rate=5e-3,
            seed=0,
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        trainer = MutualTrainer(
            model=Pair(student(0), student(1)), args=arguments, train_dataset=Texts(train), order=1.5, lam=1.0
        )
        trainer.train()
        found = trainer.predict(Texts(test))
    guesses, labels = torch.from_numpy(found.predictions).argmax(2), torch.from_numpy(found.label_ids)
    return (guesses == labels[:, None]).float().mean(0).tolist()


if __name__ == "__main__":
    for number, accuracy in enumerate(main(), 1):
        print(f"student {number} at order 1.5, lam 1: {accuracy:.1%} of the test half")
