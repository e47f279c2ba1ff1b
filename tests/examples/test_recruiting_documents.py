"""The documents of the recruiting example: what is read from each, and why some are refused."""

from io import BytesIO
from pathlib import Path
from statistics import mean
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from sklearn.model_selection import cross_val_score  # type: ignore[import-untyped]  # ships no types

from examples.recruiting import corpus, models
from examples.recruiting.errors import (
    DamagedDocument,
    DocumentError,
    DocumentTooLarge,
    EmptyDocument,
    EncryptedDocument,
    NoTextFound,
    UnsupportedDocument,
    WrongExtension,
)
from examples.recruiting.extraction import CONFIDENCE_WEIGHTS, ParsedDocument, extract
from examples.recruiting.make_documents import drafts, write_documents
from examples.recruiting.reading import MAX_BYTES, MAX_UNPACKED_BYTES, document_type, read_text

BROKEN = {
    "truncated.pdf": DamagedDocument,
    "truncated.docx": DamagedDocument,
    "encrypted.pdf": EncryptedDocument,
    "image-only.pdf": NoTextFound,
    "empty.pdf": EmptyDocument,
    "word-inside.pdf": WrongExtension,
    "cv.odt": UnsupportedDocument,
}


@pytest.fixture(scope="module")
def kinds() -> models.TextClassifier:
    """Train the classifier once."""
    return models.train_kind()


@pytest.fixture(scope="module")
def parsed(kinds: models.TextClassifier) -> list[ParsedDocument]:
    """Parse all documents once."""
    pairs = zip(corpus.documents(), corpus.texts(), strict=True)
    return [extract(text, document.kind, kinds.predict(text).probability) for document, text in pairs]


class TestDocuments:
    """The committed documents."""

    @pytest.mark.parametrize("document", corpus.documents(), ids=lambda document: document.file)
    def test_everything_in_it_is_found(self, document: corpus.Document) -> None:
        """Contact data, sections and skills are those that its maker put there."""
        found = extract(read_text(document.content, document_type(document.file)), document.kind, 1.0)

        assert (document.email, document.phone) == (found.email, found.phone)
        assert set(document.sections) == set(found.sections)
        assert set(document.skills) <= set(found.skills)

    def test_kinds_formats_and_languages(self) -> None:
        """There are at least 60, of both kinds, three formats and two languages in every combination."""
        documents = corpus.documents()

        assert len(documents) >= 60
        assert 12 == len({(each.kind, each.language, document_type(each.file)) for each in documents})

    def test_confidence_differs(self, parsed: list[ParsedDocument]) -> None:
        """Confidence spreads widely, and stays between 0 and 1."""
        scores = [document.confidence for document in parsed]

        assert 0.0 < min(scores) < 0.7
        assert 0.95 < max(scores) <= 1.0
        assert len(set(scores)) > len(scores) / 2

    def test_complete_documents_are_surer(self, parsed: list[ParsedDocument]) -> None:
        """Documents with all five sections are on average surer than those that lack some."""
        complete = [each.confidence for each in parsed if len(each.sections) == 5]
        incomplete = [each.confidence for each in parsed if len(each.sections) < 5]

        assert mean(complete) > mean(incomplete) + 0.1

    def test_weights_add_up(self) -> None:
        """A document that shows everything has a confidence of 1."""
        assert pytest.approx(1.0) == sum(CONFIDENCE_WEIGHTS.values())

    def test_written_twice_the_same(self, tmp_path: Path) -> None:
        """The script that makes the documents writes the same bytes each time."""
        write_documents(tmp_path / "first")
        write_documents(tmp_path / "second")

        names = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.*"))
        assert len(drafts()) + len(BROKEN) + 1 == len(names)
        for name in names:
            assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()

    def test_committed_ones_are_current(self, tmp_path: Path) -> None:
        """The committed index and texts are what the script writes today."""
        write_documents(tmp_path)

        assert (corpus.DOCUMENTS / "index.json").read_text("utf-8") == (tmp_path / "index.json").read_text("utf-8")
        for document, text in zip(corpus.documents(), corpus.texts(), strict=True):
            assert text == read_text((tmp_path / document.file).read_bytes(), document_type(document.file))


class TestBroken:
    """Files that cannot be parsed."""

    def test_all_are_known(self) -> None:
        """Every broken file is expected to fail in some way."""
        assert sorted(BROKEN) == sorted(path.name for path in corpus.BROKEN.iterdir())

    @pytest.mark.parametrize(("name", "error"), BROKEN.items())
    def test_error_type(self, name: str, error: type[DocumentError]) -> None:
        """Each fails with the error that tells what is wrong."""
        with pytest.raises(DocumentError) as raised:
            read_text((corpus.BROKEN / name).read_bytes(), document_type(name))

        assert error is raised.type

    def test_too_large(self) -> None:
        """A file above the limit is refused before anything reads it."""
        with pytest.raises(DocumentTooLarge):
            read_text(bytes(MAX_BYTES + 1), "pdf")

    def test_small_file_that_unpacks_to_a_large_one(self) -> None:
        """A Word document that would fill the memory is refused."""
        packed = BytesIO()
        with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
            archive.writestr("word/document.xml", bytes(MAX_UNPACKED_BYTES + 1))

        with pytest.raises(DocumentTooLarge):
            read_text(packed.getvalue(), "docx")

    @pytest.mark.parametrize("doc_type", ["pdf", "docx"])
    def test_every_cut_is_told(self, doc_type: str) -> None:
        """Wherever a document is cut off, the answer is a document error and nothing else."""
        document = next(each for each in corpus.documents() if each.file.endswith(doc_type))
        whole = document.content

        for length in range(0, len(whole) - 10, len(whole) // 40):
            with pytest.raises(DocumentError):
                read_text(whole[:length], doc_type)

    @pytest.mark.parametrize("filename", [None, "", "cv", "cv.exe", "pdf", ".pdf", "a.b/c", "\ud800.x" + "y" * 500])
    def test_document_type_is_a_closed_set(self, filename: str | None) -> None:
        """Whatever the name of a file, its type is no new label value."""
        assert document_type(filename) == "other"


class TestModels:
    """The models, on documents that they have not seen."""

    def test_kind_of_unseen_documents(self) -> None:
        """Trained on three quarters of the documents, the classifier tells the kind of the others."""
        labels = [document.kind for document in corpus.documents()]
        untrained = models.TextClassifier(corpus.texts(), labels).pipeline

        assert cross_val_score(untrained, corpus.texts(), labels, cv=4).mean() > 0.9

    def test_language(self) -> None:
        """French and English sentences of nobody's CV are told apart."""
        languages = models.train_language()

        assert languages.predict("Le chat dort sur la chaise depuis ce matin.").label == "fr"
        assert languages.predict("The cat has been asleep on the chair since this morning.").label == "en"

    def test_matcher_prefers_the_same_occupation(self) -> None:
        """Of all English CVs, one of the same occupation fits a job ad best."""
        matcher = models.train_matcher()
        rows = list(zip(corpus.documents(), corpus.texts(), strict=True))
        cvs = [(document.role, text) for document, text in rows if (document.kind, document.language) == ("cv", "en")]
        jobs = [(document, text) for document, text in rows if (document.kind, document.language) == ("job", "en")]

        assert len(jobs) > 1
        for job, job_text in jobs:
            best_role, _ = max(cvs, key=lambda cv: matcher.similarity(cv[1], job_text))
            assert job.role == best_role
