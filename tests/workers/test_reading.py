"""The sums of all workers: equal to the client's, whoever dies meanwhile, whatever else lies in the directory."""

import os
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import mmap_key

from mlmetrics.workers import mapped, reading
from mlmetrics.workers.directory import dead_name, tag_of
from mlmetrics.workers.kinds import MERGED_KINDS
from mlmetrics.workers.records import VERSION, record, used_bytes
from tests.workers.shared import SERVICE, Totals, Worker, client_totals, dead_worker, sample

BOUNDS = (*(str(float(bound)) for bound in range(19)), "+Inf")


def busy(directory: Path, number: int, models: int = 20) -> Worker:
    """Return a worker that has recorded different numbers for each model and bucket."""
    worker = Worker(directory)
    for model in range(models):
        for index, le in enumerate(BOUNDS):
            worker.add("histogram", "seconds_bucket", float(number * index + model), model=f"m{model}", le=le)
        worker.add("histogram", "seconds_sum", number + model / 8, model=f"m{model}")
        worker.add("counter", "calls_total", float(number + model), model=f"m{model}")
        worker.add("gauge_livesum", "in_progress", float(number), model=f"m{model}")
        worker.set("loaded", float(number), float((number * 7 + model) % 5 + 1), model=f"m{model}")
    return worker


class TestReader:
    """`Reader` adds up the files of all workers of a service."""

    def test_equals_the_client(self, tmp_path: Path) -> None:
        """With 3 workers of 20 models, every sample is what the client's collector says; later reads too."""
        workers, totals = [busy(tmp_path, number) for number in (1, 2, 3)], Totals(tmp_path)
        for expected in (20 * 24 - 1, 20 * 24):
            found = totals.read()
            assert client_totals(tmp_path) == found
            assert expected == len(found)
            workers[0].add("counter", "calls_total", 5.0, model="m3")
            workers[1].add("counter", "calls_total", 5.0, model="new")

    def test_asks_once(self, tmp_path: Path) -> None:
        """A slot is asked for once for each key, whichever files have it and however often they are read."""
        workers, totals = [busy(tmp_path, number, 2) for number in (1, 2)], Totals(tmp_path)
        totals.read()
        totals.read()
        assert len(set(totals.asked)) == len(totals.asked) == 2 * 24
        del workers

    def test_a_key_that_is_left_out(self, tmp_path: Path) -> None:
        """A key without a slot goes nowhere, and is no failure."""
        worker, totals = Worker(tmp_path), Totals(tmp_path)
        worker.add("counter", "calls_total", model="a")
        totals.reader._totals._find = lambda *_: None
        assert {} == totals.read() == totals.read()
        assert [] == totals.failures

    def test_a_slot_that_cannot_be_found(self, tmp_path: Path) -> None:
        """Whoever is asked for a slot and raises is reported, and the key goes nowhere."""
        worker, totals = Worker(tmp_path), Totals(tmp_path)
        worker.add("counter", "calls_total", model="a")
        totals.reader._totals._find = _raise
        assert {} == totals.read() == totals.read()
        assert ["workers"] == [where for where, _ in totals.failures]

    def test_two_keys_of_one_slot(self, tmp_path: Path) -> None:
        """Values whose help texts differ, as after an upgrade, are added up where they lead to one slot."""
        worker, totals = Worker(tmp_path), Totals(tmp_path)
        for text in ("Old.", "New."):
            place = worker.files.place("counter", "calls", "calls_total", (), (), text)
            worker.files.views.counter[place] += 1.0
        totals.slots[sample("calls_total")] = [0.0]
        assert {sample("calls_total"): 2.0} == totals.read()

    def test_grows_with_the_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is added to a file, also beyond its first length, is in the next read."""
        monkeypatch.setattr(mapped, "FIRST_BYTES", 256)
        worker, totals = Worker(tmp_path), Totals(tmp_path)
        for number in range(50):
            worker.add("counter", "calls_total", model=str(number))
            assert {1.0} == set(totals.read().values())
            assert number + 1 == len(totals.slots)

    def test_in_progress_of_a_worker_is_not_below_0(self, tmp_path: Path) -> None:
        """A worker in which a call has ended that began elsewhere takes nothing from the others."""
        workers, totals = [Worker(tmp_path), Worker(tmp_path)], Totals(tmp_path)
        workers[0].add("gauge_livesum", "in_progress", -1.0)
        workers[1].add("gauge_livesum", "in_progress", 2.0)
        assert {sample("in_progress"): 2.0} == totals.read()

    @pytest.mark.parametrize("reaps", [False, True])
    def test_in_progress_of_the_dead(self, tmp_path: Path, reaps: bool) -> None:  # noqa: FBT001 (pytest passes it)
        """Calls of a worker that has died are not in progress, whether it has been reaped or not."""
        worker, totals = Worker(tmp_path), Totals(tmp_path, reaps=reaps)
        worker.add("gauge_livesum", "in_progress", 2.0, model="a")
        dead_worker(tmp_path, 3.0)
        assert 2.0 == totals.read()[sample("in_progress", model="a")]

    def test_a_worker_that_is_not_seen_here(self, tmp_path: Path) -> None:
        """A worker of another container, whose pid means nothing here, is alive as long as it holds its files."""
        unseen, totals = Worker(tmp_path, dead=True), Totals(tmp_path)
        unseen.add("gauge_livesum", "in_progress", 2.0)
        unseen.add("counter", "calls_total")
        assert {sample("in_progress"): 2.0, sample("calls_total"): 1.0} == totals.read()
        unseen.add("counter", "calls_total")
        assert 2.0 == totals.read()[sample("calls_total")]

    def test_newest_of_all(self, tmp_path: Path) -> None:
        """A state is that of the worker which set it last, although that has died and been reaped."""
        early, late, totals = Worker(tmp_path), Worker(tmp_path, dead=True), Totals(tmp_path)
        late.set("loaded", 3.0, 20.0)
        early.set("loaded", 7.0, 10.0)
        del late
        assert {sample("loaded"): 3.0} == totals.read() == client_totals(tmp_path)
        early.set("loaded", 5.0, 30.0)
        assert {sample("loaded"): 5.0} == totals.read() == client_totals(tmp_path)

    def test_a_reader_beside_another_that_reaps(self, tmp_path: Path) -> None:
        """A reader that knows a file finds its numbers once, after another reader has reaped it."""
        dead_worker(tmp_path, 2.0)
        knows, reaps = Totals(tmp_path, reaps=False), Totals(tmp_path)
        before = knows.read()
        reaps.read()
        assert before == knows.read()
        assert 1 == len(list(tmp_path.glob("counter_*")))

    def test_begins_again_when_a_merged_file_was_replaced(self, tmp_path: Path) -> None:
        """Whoever reaps between the reader's look at the merged file and at the directory changes no sum."""
        dead_worker(tmp_path, 2.0)
        totals, other = Totals(tmp_path, reaps=False), Totals(tmp_path)
        before = totals.read()
        add, left = totals.reader._add_merged, 1

        def reaped_then(kind: str) -> list[str]:
            nonlocal left
            names = add(kind)  # type: ignore[arg-type]
            if kind == MERGED_KINDS[-1] and left:
                left -= 1
                other.read()
            return names

        totals.reader._add_merged = reaped_then  # type: ignore[method-assign]
        assert before == totals.read()
        assert 0 == left

    def test_gives_up_without_a_wrong_sum(self, tmp_path: Path) -> None:
        """Where somebody replaces merged files all the time, the slots keep what the last read found."""
        worker, totals = Worker(tmp_path), Totals(tmp_path)
        worker.add("counter", "calls_total")
        before, changing = totals.read(), iter(range(100))
        worker.add("counter", "calls_total")
        totals.reader._inodes = lambda: [next(changing)]  # type: ignore[method-assign]
        assert before == totals.read()

    def test_wiped(self, tmp_path: Path) -> None:
        """Files that somebody has removed count no more, and are no failure."""
        worker, totals = Worker(tmp_path), Totals(tmp_path)
        worker.add("counter", "calls_total")
        totals.read()
        for path in tmp_path.iterdir():
            path.unlink()
        assert {} == totals.read()
        assert [] == totals.failures
        assert {} == totals.reader._sources

    def test_missing(self, tmp_path: Path) -> None:
        """A directory that is not there is reported once, for numbers and exemplars together."""
        totals = Totals(tmp_path / "missing")
        assert {} == totals.read() == totals.read()
        assert {} == totals.reader.exemplars()
        assert ["workers"] == [where for where, _ in totals.failures]

    def test_many_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Beyond a number of files, their maps are given back after each read, and the sums are the same."""
        monkeypatch.setattr(reading, "MOST_MAPS", 2)
        workers, totals = [busy(tmp_path, number, 2) for number in (1, 2, 3)], Totals(tmp_path)
        for _ in range(2):
            assert client_totals(tmp_path) == totals.read()
            assert 2 >= sum(source.memory is not None for source in totals.reader._sources.values())
            workers[0].add("counter", "calls_total", model="m1")


def _raise(*_: object) -> tuple[list[float], int]:
    raise KeyError("no such family")


def test_services_do_not_mix(tmp_path: Path) -> None:
    """Of two services in one directory, each reads its own files; those of the dead as well."""
    for service, amount in (("a", 1.0), ("b", 2.0)):
        dead_worker(tmp_path, amount, service)
    for _ in range(2):
        for service, amount in (("a", 1.0), ("b", 2.0)):
            assert amount == Totals(tmp_path, service).read()[sample("calls_total", model="a")]


KEY = mmap_key("calls", "calls_total", [], [], "Help.").encode()
UNREADABLE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "shorter than a header": lambda data: data[:6],
    "truncated": lambda data: data[:40],
    "of an older version": lambda data: data.replace(VERSION, b"ml00"),
    "of the client": lambda data: data.replace(VERSION, bytes(4)),
    "text": lambda data: b"these are not the numbers of a worker " * 9,
    "no key of ours": lambda data: _file(b'["calls", 1]'),
    "labels that are no texts": lambda data: _file(KEY.replace(b"{}", b'{"model": 1}')),
    "a key that ends late": lambda data: _file(KEY)[:8] + struct.pack("i", 10**6) + _file(KEY)[12:],
    "a key that ends before it begins": lambda data: _file(KEY)[:8] + struct.pack("i", -24) + _file(KEY)[12:],
    "a good record and a bad one": lambda data: _file(KEY, KEY)[: -len(record(KEY))] + bytes(len(record(KEY))),
    "a key of no length": lambda data: _file(KEY)[:8] + struct.pack("i", 0) + _file(KEY)[12:],
}


def _file(*keys: bytes) -> bytes:
    body = b"".join(record(key, 1.0) for key in keys)
    return struct.pack("i", 8 + len(body)) + VERSION + body


class TestUnreadable:
    """Files that are empty, cut off or foreign are skipped and reported once; the others count."""

    @pytest.mark.parametrize("what", UNREADABLE)
    def test_of_a_living_worker(self, tmp_path: Path, what: str) -> None:
        """Such a file under the name of a living worker stays where it is."""
        broken = Worker(tmp_path)
        broken.add("counter", "calls_total", 5.0)
        (path,) = tmp_path.iterdir()
        data = UNREADABLE[what](path.read_bytes())
        path.unlink()
        path.write_bytes(data)
        worker, totals = Worker(tmp_path), Totals(tmp_path)
        worker.add("counter", "calls_total")
        assert {sample("calls_total"): 1.0} == totals.read() == totals.read()
        assert [path.name] == [problem.partition(":")[0] for _, problem in totals.failures]
        assert data == path.read_bytes()

    @pytest.mark.parametrize(
        "what", [what for what in UNREADABLE if "key of ours" not in what and "labels" not in what]
    )
    def test_of_a_dead_worker(self, tmp_path: Path, what: str) -> None:
        """Such a file of a dead worker is set aside under a name that nobody reads, and stays."""
        broken = Worker(tmp_path, dead=True)
        broken.add("counter", "calls_total", 5.0)
        del broken
        (path,) = tmp_path.iterdir()
        data = UNREADABLE[what](path.read_bytes())
        path.write_bytes(data)
        good, totals = Worker(tmp_path, dead=True), Totals(tmp_path)
        good.add("counter", "calls_total")
        del good
        assert {sample("calls_total"): 1.0} == totals.read() == totals.read() == client_totals(tmp_path)
        (aside,) = tmp_path.glob("*.unreadable")
        assert [aside.name] == [problem.partition(":")[0] for _, problem in totals.failures]
        assert data == aside.read_bytes()

    @pytest.mark.parametrize("what", ["empty", "truncated", "of an older version"])
    def test_of_the_dead_together(self, tmp_path: Path, what: str) -> None:
        """A merged file that cannot be read is set aside, and the next dead are added to a new one."""
        dead_worker(tmp_path, 2.0)
        Totals(tmp_path).read()
        path = tmp_path / dead_name("counter", tag_of(SERVICE))
        path.write_bytes(UNREADABLE[what](path.read_bytes()))
        dead_worker(tmp_path, 3.0)
        totals = Totals(tmp_path)
        assert 3.0 == totals.read()[sample("calls_total", model="a")]
        assert 5.0 == totals.read()[sample("seconds_bucket", model="a", le="1.0")]
        assert [f"{path.name}.unreadable"] == [problem.partition(":")[0] for _, problem in totals.failures]

    def test_truncated_between_reads(self, tmp_path: Path) -> None:
        """A file that somebody cuts off after it was read is skipped from then on."""
        worker, totals = Worker(tmp_path), Totals(tmp_path)
        worker.add("counter", "calls_total")
        totals.read()
        (path,) = tmp_path.glob("counter_*")
        os.truncate(path, 40)
        assert {} == totals.read() == totals.read()
        assert ["workers"] == [where for where, _ in totals.failures]

    @pytest.mark.parametrize("text", [b"", b"\x02", struct.pack("q", 9) + b"[1, 2", struct.pack("q", 1) + b"7"])
    def test_what_the_dead_include(self, tmp_path: Path, text: bytes) -> None:
        """A merged file whose list cannot be read counts for nothing: it may include files that stand beside it."""
        dead_worker(tmp_path, 2.0)
        Totals(tmp_path).read()
        path = tmp_path / dead_name("counter", tag_of(SERVICE))
        data = path.read_bytes()
        path.write_bytes(data[: used_bytes(data)] + text)
        for reaps, name in ((False, path.name), (True, f"{path.name}.unreadable")):
            totals = Totals(tmp_path, reaps=reaps)
            assert sample("calls_total", model="a") not in totals.read()
            assert [name] == [problem.partition(":")[0] for _, problem in totals.failures]


def test_never_down(tmp_path: Path) -> None:
    """While workers record, die and are reaped, the sum rises from read to read and is exact."""
    totals, seen = Totals(tmp_path), [0.0]
    totals.reader._reaped_at = float("inf")
    reaper = Totals(tmp_path)
    for number in range(1, 30):
        dead_worker(tmp_path)
        seen.append(totals.read()[sample("calls_total", model="a")])
        assert number == seen[-1]
        reaper.reader._reaped_at = -float("inf")
        reaper.read()
        seen.append(totals.read()[sample("calls_total", model="a")])
    assert all(before <= after for before, after in pairwise(seen))
