"""What tests of data sets and encoders share: where the real data are, and a small tokenizer."""

import os
from collections.abc import Sequence
from typing import Any

import pytest

from w2sjax.sets import rows

DATA = pytest.mark.skipif(
    not os.environ.get(rows.DATA), reason=f"{rows.DATA} names no folder of real data sets"
)


def word_tokenizer(words: Sequence[str]) -> Any:
    """Return a tokenizer of whole words, numbered as they stand, with [CLS] and [SEP] around where they are words."""
    pytest.importorskip("tokenizers", reason="encoders need safetensors and tokenizers")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    found = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    found.pre_tokenizer = pre_tokenizers.Whitespace()
    if "[CLS]" in words:
        ends = [(word, words.index(word)) for word in ("[SEP]", "[CLS]")]
        found.post_processor = processors.BertProcessing(*ends)
    return found
