"""Every document by the command that prints it with `--json`; other JSON files by their name."""

from moexbar.report.chips import ChipReport, ChipsReport
from moexbar.report.compiled import Report
from moexbar.report.designed import DesignReport
from moexbar.report.examples import ExampleReport, LargeExampleReport
from moexbar.report.executed import VerifyReport
from moexbar.report.explored import ExploreReport
from moexbar.report.fronts import ParetoReport
from moexbar.report.limits import LimitsReport
from moexbar.report.mapped import MappingFile
from moexbar.report.models import ModelReport
from moexbar.report.plain import Document
from moexbar.report.programs import InspectReport, SimulateReport
from moexbar.report.quantised import AccuracyReport
from moexbar.report.reproduced import ReproduceReport
from moexbar.report.resident import ResideReport
from moexbar.report.sized import SizeReport
from moexbar.report.traces import (
    CompareReport,
    GroupReport,
    LoadGroupReport,
    ProfileReport,
    ScheduleReport,
)
from moexbar.report.validated import ValidateReport

DOCUMENTS: dict[str, tuple[type[Document], ...]] = {
    "compile": (Report,),
    "explore": (ExploreReport,),
    "pareto": (ParetoReport,),
    "design": (DesignReport,),
    "size": (SizeReport,),
    "profile": (ProfileReport,),
    "model": (ModelReport,),
    "inspect": (InspectReport,),
    "simulate": (SimulateReport,),
    "verify": (VerifyReport,),
    "accuracy": (AccuracyReport,),
    "trace-import": (ProfileReport,),
    "group": (GroupReport, LoadGroupReport),
    "schedule": (ScheduleReport,),
    "compare": (CompareReport,),
    "reside": (ResideReport,),
    "chips": (ChipsReport, ChipReport),
    "limits": (LimitsReport,),
    "example": (ExampleReport, LargeExampleReport),
    "reproduce": (ReproduceReport,),
    "validate": (ValidateReport,),
}
FILES: dict[str, type] = {"mapping": MappingFile}
