"""Every document by the command that prints it with `--json`."""

from moexbar.report.chips import ChipReport, ChipsReport
from moexbar.report.compiled import Report
from moexbar.report.executed import VerifyReport
from moexbar.report.plain import Document

DOCUMENTS: dict[str, tuple[type[Document], ...]] = {
    "compile": (Report,),
    "verify": (VerifyReport,),
    "chips": (ChipsReport, ChipReport),
}
