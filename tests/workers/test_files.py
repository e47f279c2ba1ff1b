"""The files that a worker writes: where values go, how files are named, and what happens without room."""

import os
import re
import struct
from pathlib import Path

import pytest
from prometheus_client.samples import Exemplar

from mlmetrics.workers import mapped
from mlmetrics.workers.directory import is_held, start_of, tag_of
from mlmetrics.workers.exemplars import record, records
from mlmetrics.workers.files import SCRATCH
from mlmetrics.workers.mapped import MappedFile
from mlmetrics.workers.reaper import reap
from mlmetrics.workers.records import header
from tests.interruption import Interruption, points
from tests.workers.shared import SERVICE, Totals, Worker, client_totals, sample

WRITING = ("/workers/files.py", "/workers/mapped.py", "/workers/records.py", "/workers/directory.py")


class TestWorkerFiles:
    """`WorkerFiles` gives places in mapped files of the client's format."""

    def test_makes_nothing_yet(self, tmp_path: Path) -> None:
        """Before the first value has a place there is no file, and the views lead to private memory."""
        worker = Worker(tmp_path)
        worker.files.views.counter[SCRATCH] += 1.0
        assert [] == os.listdir(tmp_path)

    def test_names(self, tmp_path: Path) -> None:
        """A file's name has its kind, the pid, the start of the process and the tag of the service."""
        worker = Worker(tmp_path)
        worker.add("counter", "calls_total")
        worker.add("gauge_livesum", "in_progress")
        ending = f"{os.getpid()}-{start_of(os.getpid())}-{tag_of(SERVICE)}-ml.db"
        assert [f"counter_{ending}", f"gauge_livesum_{ending}"] == sorted(os.listdir(tmp_path))

    def test_the_client_reads_them(self, tmp_path: Path) -> None:
        """The client's collector finds every value, also those of keys that are not ASCII."""
        worker = Worker(tmp_path)
        worker.add("counter", "calls_total", 2.0, model="mødel \U0001f600")
        worker.add("histogram", "seconds_bucket", 3.0, le="+Inf")
        worker.add("gauge_livesum", "in_progress", 4.0)
        worker.set("loaded", 5.0, 1.0)
        expected = {
            sample("calls_total", model="mødel \U0001f600"): 2.0,
            sample("seconds_bucket", le="+Inf"): 3.0,
            sample("in_progress"): 4.0,
            sample("loaded"): 5.0,
        }
        assert expected == client_totals(tmp_path)

    @pytest.mark.parametrize("length", range(8))
    def test_values_are_aligned(self, tmp_path: Path, length: int) -> None:
        """Whatever the length of its key, a value stands at a multiple of 8 bytes, where it is written whole."""
        worker = Worker(tmp_path)
        worker.add("counter", "calls_total", 7.0, model="x" * length)
        assert {sample("calls_total", model="x" * length): 7.0} == client_totals(tmp_path)

    def test_place_is_kept(self, tmp_path: Path) -> None:
        """The same key has the same place; another label value has another one."""
        worker = Worker(tmp_path)
        first = worker.place("counter", "calls_total", model="a")
        assert first == worker.place("counter", "calls_total", model="a")
        assert first != worker.place("counter", "calls_total", model="b")

    def test_growth(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that grows keeps its places, in the same `Views`, and an old view still writes to it."""
        monkeypatch.setattr(mapped, "FIRST_BYTES", 256)
        worker = Worker(tmp_path)
        first, views = worker.place("counter", "calls_total", model="0"), worker.files.views
        old = views.counter
        for number in range(1, 50):
            worker.add("counter", "calls_total", model=str(number))
        old[first] += 1.0
        assert views is worker.files.views
        assert len(old) < len(views.counter)
        assert {sample("calls_total", model=str(number)): 1.0 for number in range(50)} == client_totals(tmp_path)

    def test_spare_words_stay_free(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """However full a file is, numbers without a place change no value in it."""
        monkeypatch.setattr(mapped, "FIRST_BYTES", 256)
        worker = Worker(tmp_path)
        for number in range(50):
            worker.add("counter", "calls_total", 1.0, model="x" * number)
            worker.files.views.counter[SCRATCH] += 1000.0
            worker.files.views.counter[SCRATCH + 1] += 1000.0
        assert {1.0} == set(client_totals(tmp_path).values())
        assert 50 == len(client_totals(tmp_path))

    def test_two_in_one_process(self, tmp_path: Path) -> None:
        """Two registries of one service have files of their own, whose numbers are added."""
        for _ in range(2):
            Worker(tmp_path).add("counter", "calls_total")
        assert {sample("calls_total"): 2.0} == Totals(tmp_path).read() == client_totals(tmp_path)

    def test_a_file_is_never_larger_than_the_client_can_say(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Bytes in use are an integer of 4 bytes: a file that would need more is full."""
        monkeypatch.setattr(mapped, "FIRST_BYTES", 256)
        monkeypatch.setattr(mapped, "MOST_BYTES", 256)
        worker = Worker(tmp_path)
        places = [worker.place("counter", "calls_total", model=str(number)) for number in range(10)]
        assert [SCRATCH] * 8 == places[2:]
        assert ["workers"] == [where for where, _ in worker.failures]

    def test_what_no_file_system_does(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without `posix_fallocate`, as on macOS, files are made longer by `ftruncate`."""
        monkeypatch.delattr(os, "posix_fallocate")
        worker = Worker(tmp_path)
        worker.add("counter", "calls_total")
        assert {sample("calls_total"): 1.0} == client_totals(tmp_path)

    def test_locks_are_given_back(self, tmp_path: Path) -> None:
        """A file whose worker is gone from this process is held by nobody."""
        file = MappedFile(str(tmp_path), "counter", 1, 1, tag_of(SERVICE))
        (name,) = os.listdir(tmp_path)
        assert is_held(str(tmp_path / name))
        del file
        assert not is_held(str(tmp_path / name))


class TestWithoutRoom:
    """A directory that is missing or not writable: one report for each kind, and the program goes on."""

    def test_missing(self, tmp_path: Path) -> None:
        """Every value of a kind gets the spare words, and one report is made."""
        worker = Worker(tmp_path / "missing")
        for number in range(3):
            worker.add("counter", "calls_total", model=str(number))
            worker.set("loaded", 1.0, 1.0, model=str(number))
            worker.files.mark("seconds", ("a",), "1.0", Exemplar({"trace_id": "1"}, 0.5, 1.0))
        assert ["workers"] * 3 == [where for where, _ in worker.failures]
        assert re.search("no room for counter in .*missing", worker.failures[0][1])

    def test_recovers(self, tmp_path: Path) -> None:
        """Once the directory is there, a value that had no place gets one when it is asked for again."""
        worker = Worker(tmp_path / "late")
        assert SCRATCH == worker.place("counter", "calls_total")
        (tmp_path / "late").mkdir()
        worker.add("counter", "calls_total")
        assert {sample("calls_total"): 1.0} == client_totals(tmp_path / "late")

    def test_reports_outside_of_the_lock(self, tmp_path: Path) -> None:
        """What is told of a failure may take a lock of its own, in another thread too."""
        free: list[bool] = []
        worker = Worker(tmp_path / "missing")
        worker.files._failed = lambda _where, _problem: free.append(not worker.files.lock._is_owned())  # type: ignore[attr-defined]
        worker.place("counter", "calls_total")
        assert [True] == free


def test_a_signal_handler_that_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a handler raises while a place is made reaches the program, and the place is right when asked for again."""
    monkeypatch.setattr(mapped, "FIRST_BYTES", 256)

    def fresh(name: str) -> Worker:
        (tmp_path / name).mkdir(exist_ok=True)
        worker = Worker(tmp_path / name)
        worker.add("counter", "calls_total", model="0")
        return worker

    def places(worker: Worker) -> list[int]:
        return [worker.place("counter", "calls_total", model=str(number)) for number in range(4)]

    for at in points(lambda: lambda: places(fresh("counted")), *WRITING):
        worker = fresh(str(at))
        Interruption(at, *WRITING).during(lambda worker=worker: places(worker))  # type: ignore[misc]  # bound now
        for place in places(worker):
            worker.files.views.counter[place] += 1.0
        expected = {sample("calls_total", model=str(number)): 1.0 + (number == 0) for number in range(4)}
        assert expected == client_totals(tmp_path / str(at)) == Totals(tmp_path / str(at)).read()
        assert [] == worker.failures


class TestExemplars:
    """The newest exemplar of each bucket is kept in a file that the client does not read."""

    def test_newest(self, tmp_path: Path) -> None:
        """A bucket has the exemplar that was marked last, shorter or longer than the one before."""
        worker, totals = Worker(tmp_path), Totals(tmp_path)
        for length in (4, 1, 20, 400, 2):
            exemplar = Exemplar({"trace_id": "x" * length}, float(length), 5.0)
            worker.files.mark("seconds", ("a", "b"), "0.5", exemplar)
            assert {("seconds", "a", "b", "0.5"): exemplar} == totals.reader.exemplars()
        assert [] == list(tmp_path.glob("*.db"))

    def test_of_all_workers(self, tmp_path: Path) -> None:
        """Of several workers, living and dead, the one with the latest timestamp counts."""
        early, late = Exemplar({"t": "1"}, 0.1, 1.0), Exemplar({"t": "2"}, 0.2, 2.0)
        living, dead, totals = Worker(tmp_path), Worker(tmp_path, dead=True), Totals(tmp_path)
        living.files.mark("seconds", ("a",), "0.5", late)
        living.files.mark("seconds", ("b",), "0.5", early)
        dead.files.mark("seconds", ("a",), "0.5", early)
        dead.files.mark("seconds", ("b",), "0.5", late)
        del dead
        expected = {("seconds", "a", "0.5"): late, ("seconds", "b", "0.5"): late}
        assert expected == totals.reader.exemplars()
        totals.read()
        assert expected == totals.reader.exemplars()
        assert 1 == len(list(tmp_path.glob("exemplars_dead-*"))) == len(list(tmp_path.glob("exemplars_[0-9]*")))
        dead = Worker(tmp_path, dead=True)
        dead.files.mark("seconds", ("a",), "0.5", early)
        del dead
        assert 1 == reap(str(tmp_path), SERVICE)
        assert expected == totals.reader.exemplars()

    def test_torn(self, tmp_path: Path) -> None:
        """A record that is half written is left out, and those beside it are not."""
        worker, totals = Worker(tmp_path), Totals(tmp_path)
        for label in ("a", "b"):
            worker.files.mark("seconds", (label,), "0.5", Exemplar({"t": "1"}, 0.1, 1.0))
        (path,) = tmp_path.glob("exemplars_*")
        data = bytearray(path.read_bytes())
        first = next(records(data))
        data[first.position + 20] ^= 1
        path.write_bytes(data)
        assert [("seconds", "b", "0.5")] == list(totals.reader.exemplars())
        assert [] == totals.failures

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x10\x00",
            b"\xff" * 64,
            header(16) + bytes(8),  # no room for a record
            header(32) + struct.pack("IIII", 64, 2, 0, 0) + bytes(8),  # a record that says it is longer
            header(8 + len(record(b"[1]"))) + record(b"[1]"),
            header(8 + len(record(b"["))) + record(b"["),
        ],
    )
    def test_unreadable(self, tmp_path: Path, data: bytes) -> None:
        """A file that is no file of exemplars is reported once."""
        Worker(tmp_path).files.mark("seconds", ("a",), "0.5", Exemplar({"t": "1"}, 0.1, 1.0))
        (path,) = tmp_path.glob("exemplars_*")
        path.write_bytes(data)
        totals = Totals(tmp_path)
        assert {} == totals.reader.exemplars() == totals.reader.exemplars()
        assert ["workers"] == [where for where, _ in totals.failures]
