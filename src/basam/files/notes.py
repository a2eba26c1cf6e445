"""What a user should know about a photograph: notes on one that was read, the error of one that was not."""

from __future__ import annotations

from dataclasses import dataclass

from basam.errors import InputError

NOTE_KINDS = {
    "several-pictures": "a choice among several pictures",
    "chosen-range": "a range of values that the file does not state",
    "hidden": "an alpha channel that hides the picture",
    "other": "something else that a file of its kind does not always have",
}


@dataclass(frozen=True)
class PhotoNote:
    """One note: `kind` is a key of `NOTE_KINDS`, `text` a sentence about the photograph, which it calls "it"."""

    kind: str
    text: str

    def __str__(self) -> str:
        return self.text


class UnsupportedImageError(InputError):
    """A file whose content is understood but not supported; the message continues after its name: "holds no picture"."""


def several(text: str) -> PhotoNote:
    return PhotoNote("several-pictures", text)


def ranged(text: str) -> PhotoNote:
    return PhotoNote("chosen-range", text)


def hidden(text: str) -> PhotoNote:
    return PhotoNote("hidden", text)


def remark(text: str) -> PhotoNote:
    return PhotoNote("other", text)
