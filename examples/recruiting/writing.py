"""Writes a draft as a PDF, a Word document or a text, in three layouts; and writes the broken files.

Dates in files and archives are fixed, so that the same draft gives the same bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import docx
from docx.document import Document as WordDocument
from docx.table import _Cell
from fpdf import FPDF
from fpdf.enums import EncryptionMethod
from PIL import Image, ImageDraw

from examples.recruiting.knowledge import Kind

MADE_AT = datetime(2024, 2, 29, 12, tzinfo=UTC)
AUTHOR = "mlmetrics example"
SCAN_PIXELS = (620, 300)


@dataclass
class Draft:
    """A document before it is laid out: a title, lines beneath it, headed sections, and what a parser should find."""

    kind: Kind
    language: str
    role: str
    title: str
    contact: list[str] = field(default_factory=list)
    sections: list[tuple[str, list[str]]] = field(default_factory=list)
    truth: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The draft as plain text."""
        blocks = [[self.title, *self.contact], *([heading, *lines] for heading, lines in self.sections)]
        return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def write_txt(draft: Draft, layout: str) -> bytes:
    """Lay a draft out as text; French files of the `columns` layout are in the old Windows encoding."""
    text = draft.text
    if layout == "capitals":
        for heading, _ in draft.sections:
            text = text.replace(f"\n{heading}\n", f"\n{heading.upper()}\n")
    return text.encode("cp1252" if layout == "columns" and draft.language == "fr" else "utf-8")


def write_pdf(draft: Draft, layout: str) -> bytes:
    """Lay a draft out as PDF."""
    pdf = _new_pdf()
    _write_block(pdf, draft.title, "B", 18)
    _write_block(pdf, "\n".join(draft.contact), "", 10)
    if layout == "columns":
        _write_columns(pdf, draft.sections)
    else:
        for heading, lines in draft.sections:
            pdf.ln(4)
            _write_block(pdf, heading.upper() if layout == "capitals" else heading, "B", 13)
            _write_block(pdf, "\n".join(lines), "", 11)
    return bytes(pdf.output())


def _write_block(pdf: FPDF, text: str, style: str, size: int) -> None:
    pdf.set_font("Helvetica", style, size)
    pdf.multi_cell(0, size / 2, text, new_x="LMARGIN", new_y="NEXT")


def _write_columns(pdf: FPDF, sections: list[tuple[str, list[str]]]) -> None:
    with pdf.text_columns(ncols=2, gutter=8) as columns:
        for heading, lines in sections:
            pdf.set_font("Times", "B", 13)
            columns.write(f"\n{heading}\n")
            pdf.set_font("Times", "", 11)
            columns.write("\n".join(lines) + "\n")


def _new_pdf() -> FPDF:
    pdf = FPDF()
    pdf.set_creation_date(MADE_AT)
    pdf.set_author(AUTHOR)
    pdf.add_page()
    return pdf


def write_docx(draft: Draft, layout: str) -> bytes:
    """Lay a draft out as a Word document; the `columns` layout puts its sections into a table."""
    document = docx.Document()
    document.core_properties.author = AUTHOR
    document.core_properties.created = document.core_properties.modified = MADE_AT
    document.add_heading(draft.title, level=0)
    for line in draft.contact:
        document.add_paragraph(line)
    middle = len(draft.sections) // 2
    if layout == "columns":
        left, right = document.add_table(rows=1, cols=2).rows[0].cells
        _fill(left, draft.sections[:middle])
        _fill(right, draft.sections[middle:])
    else:
        _fill(document, draft.sections, capitals=layout == "capitals")
    packed = BytesIO()
    document.save(packed)
    return _repack(packed)


def _fill(place: WordDocument | _Cell, sections: list[tuple[str, list[str]]], *, capitals: bool = False) -> None:
    for heading, lines in sections:
        place.add_paragraph(heading.upper() if capitals else heading, style="Heading 1")
        for line in lines:
            place.add_paragraph(line)


def _repack(packed: BytesIO) -> bytes:
    """Pack an archive again with a fixed date for every member."""
    repacked = BytesIO()
    with ZipFile(packed) as source, ZipFile(repacked, "w") as target:
        for name in source.namelist():
            target.writestr(ZipInfo(name, MADE_AT.timetuple()[:6]), source.read(name), ZIP_DEFLATED, 9)
    return repacked.getvalue()


WRITERS: dict[str, Callable[[Draft, str], bytes]] = {"pdf": write_pdf, "docx": write_docx, "txt": write_txt}


def write_broken(folder: Path) -> None:
    """Write the files that a parser must refuse into `folder/broken`."""
    broken = folder / "broken"
    broken.mkdir(exist_ok=True)
    whole = min(folder.glob("*.pdf")).read_bytes()
    word = min(folder.glob("*.docx")).read_bytes()
    (broken / "truncated.pdf").write_bytes(whole[: len(whole) // 2])
    (broken / "truncated.docx").write_bytes(word[: len(word) // 2])
    (broken / "encrypted.pdf").write_bytes(_encrypted_pdf())
    (broken / "image-only.pdf").write_bytes(_scanned_pdf())
    (broken / "empty.pdf").write_bytes(b"")
    (broken / "word-inside.pdf").write_bytes(word)
    (broken / "cv.odt").write_bytes(b"A text under the name of another format.\n")


def _encrypted_pdf() -> bytes:
    pdf = _new_pdf()
    pdf.set_font("Helvetica", "", 12)
    pdf.multi_cell(0, 8, "Nobody reads this curriculum vitae without the password.")
    pdf.set_encryption("owner", "user", EncryptionMethod.RC4)
    return bytes(pdf.output())


def _scanned_pdf() -> bytes:
    scan = Image.new("L", SCAN_PIXELS, 255)
    ImageDraw.Draw(scan).text((30, 30), "A curriculum vitae that was scanned,\nso it is a picture and no text.", 0)
    pdf = _new_pdf()
    pdf.image(scan, w=170)
    return bytes(pdf.output())
