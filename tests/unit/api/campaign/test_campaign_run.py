"""The loop from its file: it learns, stops by its rules, pauses, and survives being killed at any moment."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from campaign_parts import store_address
from campaign_toys import write_campaign, write_table
from sqlalchemy.exc import DatabaseError

from matwright.api.campaign import load_campaign, run_campaign
from matwright.api.campaign.ledger import ROUND, Ledger
from matwright.api.campaign.run import pause_campaign
from matwright.api.campaign.status import status_lines, status_of, summarise
from matwright.api.predict import load_predictor
from matwright.campaign.evaluators.table import ValueTable
from matwright.campaign.store.schema import events
from matwright.campaign.store.store import Store
from matwright.cli import main
from matwright.errors import InputError

pytest.importorskip("sklearn")
TWO_RUNGS = """
[[evaluator]]
kind = "lookup"
name = "hull"
table = "hull.csv"
gate = ["e_above_hull<=0.05 eV/atom"]

[[evaluator]]
kind = "lookup"
name = "moduli"
table = "known.csv"
"""


def story(path: Path) -> list[tuple[object, ...]]:
    """What a campaign did, without times: rounds, and every candidate with its records in their order."""
    with Store.open(path.with_suffix(".db")) as store:
        ledger = Ledger.read(store, path.stem)
        rounds = [tuple(sorted(event.data.items(), key=str)) for event in ledger.chosen_rounds]
        told = [
            (one.member.structure, one.member.round_number, str(one.member.provenance), one.stopped,
             *((record.key, str(record.values)) for record in one.records))
            for one in ledger.standings
        ]  # fmt: skip
        assert store.records.count() == ledger.n_evaluations
    return [*map(str, rounds), *told]


def n_rounds(path: Path) -> int:
    """Rounds that a campaign has begun, also while another process runs it."""
    store = path.with_suffix(".db")
    if not store.is_file():
        return 0
    with Store.open(store) as opened:
        if "salts" not in opened.campaign_names():
            return 0
        return sum(event.kind == ROUND for event in opened.events(opened.campaign_id("salts")))


def test_it_finds_more_than_chance_and_says_where_it_stands(tmp_path: Path) -> None:
    path = write_campaign(tmp_path, rounds=5)
    outcome = run_campaign(load_campaign(path))
    ledger = outcome.ledger
    assert outcome.reason == "5 rounds done"
    assert ledger.n_evaluations == len(ledger.standings) == 20
    first = [one for one in ledger.hits if one.member.round_number == 0]
    assert len(ledger.hits) > len(first)
    known = ValueTable.read(tmp_path / "known.csv").rows
    met = [row for row in known.values() if row["bulk_modulus"].value >= 60 and row["e_above_hull"].value <= 0.05]
    chance = len(met) * 20 / len(known)
    assert len(ledger.hits) > 1.5 * chance
    lines = status_lines(status_of(load_campaign(path)))
    assert lines[0] == "salts: ended: 5 rounds done"
    assert "best so far: a hit" in lines[-1]


def test_a_campaign_that_is_killed_at_any_moment_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    paths = [write_campaign(tmp_path / name, rounds=5, ladder=TWO_RUNGS) for name in ("whole", "killed")]
    for path in paths:
        write_table(path.parent / "hull.csv")
    run_campaign(load_campaign(paths[0]))
    rng, kills = np.random.default_rng(0), 0
    for life in range(60):
        child = os.fork()  # what is imported stays, so that the killed time is that of the campaign
        if child == 0:
            os._exit(0 if "rounds done" in run_campaign(load_campaign(paths[1])).reason else 1)
        time.sleep(rng.uniform(0.05, 0.3) * 1.15**life)  # longer and longer, so that some life sees the end
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        kills += os.WIFSIGNALED(status)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            break
    assert kills >= 3
    assert story(paths[1]) == story(paths[0])


def test_a_pause_ends_the_run_and_a_resume_goes_on(tmp_path: Path) -> None:
    path = write_campaign(tmp_path, rounds=2)
    settings = load_campaign(path)
    with pytest.raises(InputError, match="has not been run"):
        pause_campaign(settings)
    run_campaign(settings)
    pause_campaign(settings)
    with pytest.raises(InputError, match="is paused"):
        run_campaign(settings)
    path.write_text(path.read_text().replace("rounds = 2", "rounds = 3"))
    outcome = run_campaign(load_campaign(path), resume=True)
    assert (outcome.reason, outcome.ledger.rounds) == ("3 rounds done", 3)


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("evaluations = 6", "6 evaluations done"),
        ("hits = 1", "hits found"),
        ("no_improvement = 2", "no improvement in 2 rounds"),
    ],
)
def test_each_rule_ends_it(tmp_path: Path, rest: str, reason: str) -> None:
    outcome = run_campaign(load_campaign(write_campaign(tmp_path, rounds=16, rest=rest)))
    assert reason in outcome.reason


def test_an_empty_pool_ends_it(tmp_path: Path) -> None:
    outcome = run_campaign(load_campaign(write_campaign(tmp_path, rounds=30, kind="random")))
    assert outcome.reason == "nothing is left to choose from"
    assert len(outcome.ledger.standings) == 64


def test_a_gate_keeps_the_dear_rung_for_those_that_pass(tmp_path: Path) -> None:
    path = write_campaign(tmp_path, rounds=4, ladder=TWO_RUNGS)
    write_table(tmp_path / "hull.csv", leave_out=5)
    ledger = run_campaign(load_campaign(path)).ledger
    for one in ledger.standings:
        hull = one.records[0].values.get("e_above_hull")
        passed = hull is not None and hull.value <= 0.05
        assert len(one.records) == (2 if passed else 1)
        assert bool(one.stopped) != passed or len(one.records) == 2
    rungs = summarise(ledger, load_campaign(path).stop).rungs
    assert rungs[0].done == 16
    assert rungs[1].done == sum(len(one.records) == 2 for one in ledger.standings)


def test_costs_decide_which_fidelity_is_asked(tmp_path: Path) -> None:
    ladder = "".join(
        f'[[evaluator]]\nkind = "lookup"\nname = "{name}"\ntable = "{name}.csv"\ncost = {cost}\ngate = []\n'
        for name, cost in (("poor", 1.0), ("good", 4.0))
    )
    path = write_campaign(
        tmp_path,
        rounds=14,
        ladder=ladder,
        kind="ucb",
        targets='["maximise bulk_modulus"]',
        acquisition="cost_aware = true",
    )
    write_table(tmp_path / "poor.csv", shift=4.0, hull=False)
    write_table(tmp_path / "good.csv", hull=False)
    ledger = run_campaign(load_campaign(path)).ledger
    cheap, dear = (sum(len(one.records) > place for one in ledger.standings) for place in (0, 1))
    assert 0 < dear < cheap
    risen = [one.records[0].values["bulk_modulus"].value for one in ledger.standings if len(one.records) == 2]
    below = [one.records[0].values["bulk_modulus"].value for one in ledger.standings if len(one.records) == 1]
    assert np.mean(risen) > np.mean(below)  # dear looks go where cheap ones promise most


def test_a_table_of_ones_own_is_looked_up_in(tmp_path: Path) -> None:
    ladder = (
        '[[evaluator]]\nkind = "lookup"\ntable = "own.csv"\nstructure = "crystal"\n'
        'quantities = ["bulk_modulus=K [GPa]"]\n'
    )
    path = write_campaign(tmp_path, rounds=1, kind="random", ladder=ladder, targets='["maximise bulk_modulus"]')
    with (tmp_path / "pool.csv").open(newline="") as pool, (tmp_path / "own.csv").open("w", newline="") as own:
        writer = csv.writer(own)
        writer.writerow(["K", "crystal"])
        writer.writerows(["" if n % 2 else n, row["cif"]] for n, row in enumerate(csv.DictReader(pool)))
    ledger = run_campaign(load_campaign(path)).ledger
    for one in ledger.standings:
        place = int(str(one.member.provenance["id"]).removeprefix("row-")) - 1
        if place % 2:
            assert "has no value" in one.stopped
        else:
            assert one.values["bulk_modulus"].value == place
    path.write_text(path.read_text().replace("=K [GPa]", "=KK [GPa]"))
    with pytest.raises(InputError, match="has no column 'KK'; did you mean 'K'"):
        run_campaign(load_campaign(path))


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path) -> None:
    path = write_campaign(tmp_path, rounds=16)
    path.write_text(path.read_text().replace("trees = 10", "trees = 200"))
    said = tmp_path / "said"
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
        with said.open("w") as file, contextlib.redirect_stderr(file):
            code = main(["campaign", "run", str(path), "--quiet"])
        os._exit(code)
    while n_rounds(path) < 3:
        time.sleep(0.02)
    os.kill(child, signal.SIGINT)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert "the same command goes on" in said.read_text()
    done = n_rounds(path)
    assert 3 <= done < 16
    path.write_text(path.read_text().replace("rounds = 16", f"rounds = {done + 1}"))
    assert run_campaign(load_campaign(path)).ledger.n_evaluations == 4 * (done + 1)


def test_a_pause_reaches_a_running_campaign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_campaign(tmp_path, rounds=16)
    path.write_text(path.read_text().replace("trees = 10", "trees = 200"))
    child = os.fork()
    if child == 0:
        os._exit(0 if run_campaign(load_campaign(path)).reason == "paused" else 1)
    while n_rounds(path) < 2:
        time.sleep(0.02)
    assert main(["campaign", "pause", str(path)]) == 0
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    done = n_rounds(path)
    assert done < 16
    capsys.readouterr()
    assert main(["campaign", "status", str(path), "--watch"]) == 0  # ends, since nothing runs
    assert "salts: paused" in capsys.readouterr().out
    path.write_text(path.read_text().replace("rounds = 16", f"rounds = {done + 1}"))
    assert run_campaign(load_campaign(path), resume=True).reason == f"{done + 1} rounds done"


def test_two_processes_on_one_campaign_do_it_once(tmp_path: Path) -> None:
    alone, both = (write_campaign(tmp_path / name, rounds=5, ladder=TWO_RUNGS) for name in ("alone", "both"))
    for path in (alone, both):
        write_table(path.parent / "hull.csv")
    run_campaign(load_campaign(alone))
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            os._exit(0 if run_campaign(load_campaign(both)).reason == "5 rounds done" else 1)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    assert story(both) == story(alone)


def test_an_experiment_is_waited_for_without_blocking(tmp_path: Path) -> None:
    experiment = (
        '[[evaluator]]\nkind = "lookup"\ntable = "known.csv"\n'
        '[[evaluator]]\nkind = "experiment"\ntable = "asked.csv"\nquantities = ["density [g/cm^3]"]\n'
    )
    path = write_campaign(tmp_path, rounds=2, ladder=experiment)
    outcome = run_campaign(load_campaign(path))
    assert "waits for" in outcome.reason
    assert outcome.ledger.rounds == 2
    asked = ValueTable.read(tmp_path / "asked.csv")
    text = (tmp_path / "asked.csv").read_text().replace(",,\n", ",2.5,\n")
    (tmp_path / "asked.csv").write_text(text)
    again = run_campaign(load_campaign(path))
    assert again.reason == "2 rounds done"
    measured = [one for one in again.ledger.standings if "density" in one.values]
    assert len(measured) == len(asked.rows) > 0


def test_other_settings_need_another_name(tmp_path: Path) -> None:
    path = write_campaign(tmp_path, rounds=1)
    run_campaign(load_campaign(path))
    path.write_text(path.read_text().replace("batch = 4", "batch = 7"))
    with pytest.raises(InputError, match=r"other settings \(acquisition\)"):
        run_campaign(load_campaign(path))


def test_a_server_holds_a_campaign_as_a_file_does(tmp_path: Path) -> None:
    plain, served = (write_campaign(tmp_path / name, rounds=2) for name in ("plain", "served"))
    found = run_campaign(load_campaign(plain)).ledger
    with store_address("postgresql", tmp_path) as address:
        served.write_text(f'store = "{address}"\n{served.read_text()}')
        again = run_campaign(load_campaign(served)).ledger
        assert status_of(load_campaign(served)).stage == "ended: 2 rounds done"
        assert [one.member.structure for one in again.standings] == [one.member.structure for one in found.standings]
        with Store.open(address) as store, pytest.raises(DatabaseError, match="append-only"):
            change_history(store)
    with Store.open(plain.with_suffix(".db")) as store, pytest.raises(DatabaseError, match="append-only"):
        change_history(store)


def change_history(store: Store) -> None:
    """What a journal forbids."""
    with store._database.write() as connection:
        connection.execute(events.update().values(kind="changed"))


def test_workers_find_what_one_process_finds(tmp_path: Path) -> None:
    pytest.importorskip("parsl")
    plain, crowd = (write_campaign(tmp_path / name, rounds=2) for name in ("plain", "crowd"))
    run_campaign(load_campaign(plain))
    crowd.write_text(crowd.read_text() + "\n[engine]\nworkers = 1\n")
    run_campaign(load_campaign(crowd))
    assert story(crowd) == story(plain)


def test_the_kinds_of_a_generator_and_a_model_work_together(tmp_path: Path) -> None:
    path = write_campaign(
        tmp_path,
        rounds=2,
        ladder='[[evaluator]]\nkind = "surrogate"\nmodel = "mp-crystal"\n',
        targets='["bulk_modulus>=100 GPa"]',
        acquisition="start = 6",
    )
    text = path.read_text().replace(
        'pool = "pool.csv"\nstructure = "cif"',
        'generator = "mp-generator"\ncandidates = 40\naround_best = 0.2\nparents = 2',
    )
    text = text.replace("trees = 10", 'trees = 10\nfeatures = ["descriptors", "predictions"]')
    path.write_text(text + '\n[constraints]\nexclude = "Pb"\nmax_atoms = 8\n')
    ledger = run_campaign(load_campaign(path)).ledger
    assert len(ledger.standings) == 10
    assert all(82 not in one.member.crystal.numbers and len(one.member.crystal) <= 8 for one in ledger.standings)
    assert ledger.standings[-1].member.provenance["expected"]["bulk_modulus"]["mean"] > 0


def test_conditions_reach_filter_evaluator_and_surrogate_and_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_campaign(
        tmp_path,
        rounds=2,
        ladder='[[evaluator]]\nkind = "surrogate"\nmodel = "thermoelectric"\n',
        targets='["zt>=0.3"]',
        acquisition="start = 6",
    )
    text = path.read_text().replace(
        'until = "geometry"', 'until = "surrogate"\nmodels = ["thermoelectric", "mp-crystal"]'
    )
    text = text.replace("trees = 10", 'trees = 10\nmodel = "thermoelectric"\nresidual = true')
    stated = 'conditions = ["temperature=700 K"]\n'
    path.write_text(stated + text)
    assert main(["campaign", "run", str(path), "--quiet"]) == 0
    assert "whatever the structure, at temperature = 700 K." in capsys.readouterr().out
    ledger = run_campaign(load_campaign(path)).ledger
    crystals = [one.member.crystal for one in ledger.standings]
    assert len(crystals) == 10
    hot = load_predictor("thermoelectric").predict(crystals, {"temperature": "700 K"})["zt"]
    for place, one in enumerate(ledger.standings):
        (record,) = one.records
        assert record.values["zt"].value == pytest.approx(float(hot.mean[place]), rel=1e-5)
        assert record.evaluator.settings == {"temperature": "700 K"}
        assert hot.upper[place] >= 0.3  # the filter asks at the same temperature
    expected = ledger.standings[-1].member.provenance["expected"]["zt"]
    assert expected["mean"] == pytest.approx(float(hot.mean[-1]), rel=1e-4)  # nothing is left beyond the model
    store = str(path.with_suffix(".db"))
    assert main(["reproduce", ledger.standings[0].member.structure, "surrogate", "--store", store]) == 0
    assert capsys.readouterr().out.rstrip().endswith("equal")
    assert main(["campaign", "report", str(path), "--quiet"]) == 0
    page = path.with_suffix(".html").read_text(encoding="utf-8")
    assert "Under the conditions temperature=700 K." in page
    for other in ('conditions = ["temperature=300 K"]\n', ""):
        path.write_text(other + text)
        with pytest.raises(InputError, match=r"other settings \(conditions\)"):
            run_campaign(load_campaign(path))
