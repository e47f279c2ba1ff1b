"""The three small models of the example, trained at start-up on the committed documents."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]  # ships no types
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # ships no types
from sklearn.pipeline import Pipeline, make_pipeline  # type: ignore[import-untyped]  # ships no types

from examples.recruiting import corpus


class Prediction(NamedTuple):
    """A label and its probability."""

    label: str
    probability: float


class TextClassifier:
    """Classifies texts by their words or letters; `pipeline` is the model of scikit-learn."""

    def __init__(self, texts: Sequence[str], labels: Sequence[str], *, by_letters: bool = False) -> None:
        analyzer, ngrams = ("char_wb", (2, 3)) if by_letters else ("word", (1, 2))
        vectorizer = TfidfVectorizer(analyzer=analyzer, ngram_range=ngrams, strip_accents="unicode", sublinear_tf=True)
        self.pipeline: Pipeline = make_pipeline(vectorizer, LogisticRegression(C=10.0, max_iter=1000))
        self.pipeline.fit(texts, labels)

    def predict(self, text: str) -> Prediction:
        """Return the most probable label of a text."""
        probabilities = self.pipeline.predict_proba([text])[0]
        best = probabilities.argmax()
        return Prediction(str(self.pipeline.classes_[best]), float(probabilities[best]))


class Matcher:
    """Compares texts by the words that they share; rare words have more weight."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._vectorizer = TfidfVectorizer(strip_accents="unicode", sublinear_tf=True).fit(texts)

    def similarity(self, left: str, right: str) -> float:
        """Return the cosine of two texts, 0 to 1."""
        cosine = (self._vectorizer.transform([left]) @ self._vectorizer.transform([right]).T).sum()
        return min(max(float(cosine), 0.0), 1.0)

    def closest_lines(self, wanted: str, offered: str) -> Iterator[tuple[str, str, float]]:
        """For each line of `wanted`, find the line of `offered` that answers it best."""
        lines = [line.strip() for line in offered.splitlines() if line.strip()]
        vectors = self._vectorizer.transform(lines)
        for line in filter(str.strip, wanted.splitlines()):
            scores = (vectors @ self._vectorizer.transform([line]).T).toarray().ravel()
            best = scores.argmax()
            yield line.strip(), lines[best], float(scores[best])


def train_kind() -> TextClassifier:
    """Learn to tell CVs from job ads."""
    return TextClassifier(corpus.texts(), [document.kind for document in corpus.documents()])


def train_role() -> TextClassifier:
    """Learn to name the occupation that a document is about."""
    return TextClassifier(corpus.texts(), [document.role for document in corpus.documents()])


def train_language() -> TextClassifier:
    """Learn to tell French from English."""
    return TextClassifier(corpus.texts(), [document.language for document in corpus.documents()], by_letters=True)


def train_matcher() -> Matcher:
    """Learn how rare each word is among the documents."""
    return Matcher(corpus.texts())
