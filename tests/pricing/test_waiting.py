"""Work that waits for a thread: done once, in order, by a thread that ends; and none of it by a forked child."""

import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

from mlmetrics.pricing.waiting import THREAD, Waiting

ROOT = Path(__file__).parents[2]
ENDS = """
import time
from mlmetrics.pricing.waiting import Waiting
waiting = Waiting()
waiting.add(lambda: (time.sleep(0.2), print("done", flush=True)))
"""

FORKS = """
import os, signal, threading
from mlmetrics.pricing.waiting import Waiting
signal.alarm(60)
waiting, go = Waiting(), threading.Event()
waiting.add(lambda: go.wait(60))
waiting.add(lambda: print("of the parent", flush=True))
child = os.fork()
if child == 0:
    waiting.add(lambda: print("of the child", flush=True))
    os._exit(0 if waiting.settle(10) else 1)
assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
go.set()
assert waiting.settle(10)
"""


class TestWaiting:
    """A queue with a thread of its own."""

    def test_works_in_order(self) -> None:
        """Work is done by one thread, in the order in which it came."""
        waiting, done = Waiting(), list[tuple[int, str]]()

        def note(number: int) -> None:
            done.append((number, threading.current_thread().name))

        for number in range(100):
            waiting.add(partial(note, number))
        assert waiting.settle(10)
        assert [(number, THREAD) for number in range(100)] == done

    def test_its_thread_ends(self) -> None:
        """No thread stays behind, and the next work gets a new one."""
        waiting, threads = Waiting(), list[threading.Thread]()
        for _ in range(2):
            waiting.add(lambda: threads.append(threading.current_thread()))
            assert waiting.settle(10)
            threads[-1].join(10)
        assert [False, False] == [thread.is_alive() for thread in threads]
        assert threads[0] is not threads[1]

    def test_loses_nothing_of_many_threads(self) -> None:
        """Whatever the moment at which others add something, all of it is done, once."""
        waiting, done = Waiting(), list[int]()

        def add(start: int) -> None:
            for number in range(start, start + 500):
                waiting.add(partial(done.append, number))

        threads = [threading.Thread(target=add, args=(500 * number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert waiting.settle(10)
        assert list(range(4000)) == sorted(done)

    def test_work_may_add_work(self) -> None:
        """What is added by the work itself is done too."""
        waiting, done = Waiting(), list[str]()
        waiting.add(lambda: waiting.add(lambda: done.append("inner")))
        assert waiting.settle(10)
        assert ["inner"] == done

    def test_settling_takes_no_longer_than_told(self) -> None:
        """A wait ends in time although the work does not, and work that waits for itself is refused at once."""
        waiting, go, inner = Waiting(), threading.Event(), list[bool]()
        waiting.add(lambda: inner.append(waiting.settle(60)))
        waiting.add(lambda: go.wait(60))
        assert not waiting.settle(0.01)
        go.set()
        assert waiting.settle(10)
        assert [False] == inner

    def test_an_interpreter_that_ends_waits(self) -> None:
        """The thread is no daemon, even if a daemon has started it."""
        done = subprocess.run([sys.executable, "-c", ENDS], cwd=ROOT, capture_output=True, text=True, check=True)
        assert "done\n" == done.stdout

    def test_without_threads(self) -> None:
        """Where no thread can be had, the work is done at once."""
        code = "import resource, threading\n" + ENDS.replace(
            "waiting.add",
            "threading.Thread.start = lambda _: (_ for _ in ()).throw(RuntimeError('no thread'))\nwaiting.add",
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        assert "done\n" == done.stdout

    def test_a_forked_child_begins_anew(self) -> None:
        """What waits in the parent is the parent's; the child does its own work."""
        done = subprocess.run(
            [sys.executable, "-Wignore", "-c", FORKS], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert "of the child\nof the parent\n" == done.stdout
