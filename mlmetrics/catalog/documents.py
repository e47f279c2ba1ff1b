"""Parsing and matching of documents."""

from mlmetrics.catalog.metric import ACCURACY_BUCKETS, SCORE_BUCKETS, SIZE_BUCKETS_BYTES, Metric
from mlmetrics.catalog.operation import SCORE, Operation

SIZE = "size"
FILE_SIZE = Metric(
    "file_processing_size_bytes",
    "histogram",
    "Size of the files that were processed.",
    ("service", "file_type"),
    "bytes",
    SIZE_BUCKETS_BYTES,
    SIZE,
)

PARSING = Operation(
    "parsing",
    ("parser", "doc_type"),
    "doc_type",
    score=Metric(
        "parsing_accuracy_score",
        "histogram",
        "Accuracy (confidence) of parsed documents, 0 to 1.",
        ("service", "parser", "doc_type"),
        "",
        ACCURACY_BUCKETS,
        SCORE,
    ),
    more=(FILE_SIZE,),
)
MATCHING = Operation(
    "matching",
    ("matcher",),
    "matcher",
    score=Metric(
        "matching_score_distribution",
        "histogram",
        "Scores given by the matcher, 0 to 1.",
        ("service", "matcher"),
        "",
        SCORE_BUCKETS,
        SCORE,
    ),
)
