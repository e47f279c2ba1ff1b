"""Tiny models of transformers, randomly initialised, and a tokenizer of a few words: nothing is downloaded."""

from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

PAD, UNKNOWN, EOS = "[PAD]", "[UNK]", "[EOS]"
WORDS = (PAD, UNKNOWN, EOS, "good", "bad", "day", "night", "a", "the", "is")
PADDING, END = 0, 2


def tokenizer() -> Any:
    """Return a tokenizer whose tokens are words."""
    words = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token=UNKNOWN))
    words.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token=PAD, unk_token=UNKNOWN, eos_token=EOS, padding_side="left"
    )


def generator() -> Any:
    """Return a model that goes on with a text."""
    torch.manual_seed(1)
    size = len(WORDS)
    config = GPT2Config(
        vocab_size=size, n_positions=64, n_embd=8, n_layer=2, n_head=2, bos_token_id=END, eos_token_id=END
    )
    return GPT2LMHeadModel(config).eval()


def translator() -> Any:
    """Return a model with an encoder and a decoder."""
    torch.manual_seed(1)
    config = T5Config(
        vocab_size=len(WORDS), d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, decoder_start_token_id=PADDING
    )
    return T5ForConditionalGeneration(config).eval()


def classifier(labels: int = 2) -> Any:
    """Return a model that classifies texts as good or bad, or scores them with one label."""
    torch.manual_seed(1)
    names = dict(enumerate(("good", "bad")[:labels]))
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=32,
        id2label=names,
        label2id={name: number for number, name in names.items()},
    )
    return BertForSequenceClassification(config).eval()
