"""The data of tuning: data sets by `kind:ROOT[:split]`, with photographs to train on and others to validate on.

Test splits are never used for training or selection. A validation split of the data set is used if it has one; otherwise a
tenth of the training split is set aside, chosen by a hash of its names, so that it is the same in every run and on every
machine.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from basam.errors import BasamError
from basam.files import digest_of
from basam.lab.data import Dataset, DatasetError, Sample, Source, splits_of

SHARE = 0.1


class OverlapError(BasamError, ValueError):
    """The same photograph is trained on and validated on; the message names both files."""


@dataclass(frozen=True, eq=False)
class Portion:
    """One data set in use. `validated_on` describes where `val` comes from."""

    name: str
    title: str
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    validated_on: str


def fingerprint(portions: Sequence[Portion]) -> str:
    """SHA-256 of the photographs that are trained and validated on, wherever they are: names and sizes of their files."""
    digest = hashlib.sha256()
    for portion in portions:
        for samples in (portion.train, portion.val):
            rows = [f"{sample.id} {sample.image_path.stat().st_size}" for sample in samples]
            digest.update("\n".join([*rows, ""]).encode())
    return digest.hexdigest()


def open_portions(
    sources: Sequence[Source], validation: Sequence[Source] = (), mask_values: str | None = None
) -> list[Portion]:
    """Open all data sets, with validation photographs of their own, or those of `validation` instead.

    `mask_values`: the meaning of mask values in data of kind `folder`; see `basam.lab.data.open_dataset`.

    Raises:
        DatasetError: no source, one that cannot be opened or is too small to be cut, a test split, or one given twice.
        OverlapError: see `check_apart`.
    """
    if not sources:
        raise DatasetError("no data: give at least one data set")
    twice = sorted({str(source) for source in sources if list(sources).count(source) > 1})
    if twice:
        raise DatasetError(f"data {', '.join(twice)} is given twice")
    portions = [open_portion(source, not validation, mask_values) for source in sources]
    if validation:
        given = [open_split(source, "validation", mask_values) for source in validation]
        portions += [Portion(one.name, one.title, (), one.samples, one.title) for one in given]
    check_apart(
        [sample for portion in portions for sample in portion.train],
        [sample for portion in portions for sample in portion.val],
    )
    return portions


def open_portion(source: Source, cut: bool, mask_values: str | None) -> Portion:
    dataset = open_split(source, "training", mask_values)
    if not cut:
        return Portion(dataset.name, dataset.title, dataset.samples, (), "")
    own = validation_split(source, dataset, mask_values)
    if own is not None:
        return Portion(dataset.name, dataset.title, dataset.samples, own.samples, own.title)
    train, val = set_aside(dataset)
    return Portion(dataset.name, dataset.title, train, val, f"set aside of {dataset.split}")


def open_split(source: Source, purpose: str, mask_values: str | None) -> Dataset:
    split = source.split
    if split is None and len(splits_of(source.kind, source.root)) > 1:
        split = "train" if purpose == "training" else "val"
    dataset = source.open(split, mask_values)
    if dataset.is_test:
        raise DatasetError(
            f"{source}: {dataset.title} is a test split, so it is not used for {purpose}: a figure reported on it would be "
            f"worthless. Name another split (present are {', '.join(splits_of(source.kind, source.root))})"
        )
    return dataset


def validation_split(source: Source, training: Dataset, mask_values: str | None) -> Dataset | None:
    """The data set's own validation split, where it has one that is not trained on."""
    try:
        validation = source.open("val", mask_values)
    except DatasetError:
        return None
    return validation if validation.role == "val" and validation.split != training.split else None


def set_aside(dataset: Dataset, share: float = SHARE) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Training and validation photographs of a split that has to give both, in the order of their names.

    Raises:
        DatasetError: there are fewer than two.
    """
    if len(dataset) < 2:
        raise DatasetError(f"{dataset.title} has {len(dataset)} photograph: at least 2 are needed to train and to validate")
    count = max(1, round(share * len(dataset)))
    ranked = sorted(dataset, key=lambda sample: hashlib.sha256(sample.id.encode()).hexdigest())
    chosen = {sample.id for sample in ranked[:count]}
    train = tuple(sample for sample in dataset if sample.id not in chosen)
    return train, tuple(sample for sample in dataset if sample.id in chosen)


def check_apart(train: Iterable[Sample], val: Iterable[Sample]) -> None:
    """Reject photographs that are in both, be it under another name or as a copy of the file.

    Raises:
        OverlapError: naming the first such pair.
        OSError: a file cannot be read.
    """
    by_bytes: dict[int, list[Path]] = defaultdict(list)
    for sample in train:
        by_bytes[sample.image_path.stat().st_size].append(sample.image_path)
    for sample in val:
        path = sample.image_path
        same_size = by_bytes.get(path.stat().st_size, [])
        if not same_size:
            continue
        digest = digest_of(path)
        for other in same_size:
            if other.resolve() == path.resolve() or digest_of(other) == digest:
                raise OverlapError(
                    f"{other} is trained on, and {path} is validated on: they are the same photograph. Take one of them out"
                )
