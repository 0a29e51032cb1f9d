"""One file a task: it turns a raw file of MATWRIGHT_DATA into a `TaskTable`."""

from __future__ import annotations

from collections.abc import Callable

from tasks import aflow, elastic, estm, jarvis, layers, matbench, obelix, qm9, steel_fatigue, superalloys
from tasks.table import TaskTable

TASKS: dict[str, Callable[[], TaskTable]] = {
    "superalloys": superalloys.load,
    "steel_fatigue": steel_fatigue.load,
    "estm": estm.load,
    "obelix": obelix.load,
    "matbench_steels": matbench.steels,
    "matbench_expt_gap": matbench.expt_gap,
    "expt_gap_fidelities": matbench.fidelities,
    "aflow": aflow.load,
    "2dmatpedia": layers.load,
    "jarvis": jarvis.load,
    "qm9": qm9.load,
    "elastic": elastic.load,
}
