"""Every document by the command that prints it with `--json`."""

from moexbar.report.chips import ChipReport, ChipsReport
from moexbar.report.compiled import Report
from moexbar.report.examples import ExampleReport, LargeExampleReport
from moexbar.report.executed import VerifyReport
from moexbar.report.plain import Document
from moexbar.report.reproduced import ReproduceReport

DOCUMENTS: dict[str, tuple[type[Document], ...]] = {
    "compile": (Report,),
    "verify": (VerifyReport,),
    "example": (ExampleReport, LargeExampleReport),
    "reproduce": (ReproduceReport,),
    "chips": (ChipsReport, ChipReport),
}
