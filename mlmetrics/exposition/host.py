"""What a scrape gives if several processes share a directory: one page for all of them, whichever answers.

prometheus_client's own metrics in that directory are merged by the client. CPU, memory, descriptors and
start time are those of every process that runs, by the label `worker`, a small number that is used again.
Collectors of the registry that know of this process only are left out.
"""

import os
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, values
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from mlmetrics.interruption import interrupted
from mlmetrics.recording.collector import OwnCollector, StoreCollector, collectors_of
from mlmetrics.recording.host import Host
from mlmetrics.recording.merged import WORKER
from mlmetrics.recording.store import Store
from mlmetrics.workers.slots import Worker

LEFT_OUT = (ProcessCollector, GCCollector, MultiProcessCollector, OwnCollector)
"""Collectors that know one process only, that merge the files themselves, or whose families another one has, too."""
OF_CLIENT = MetricWrapperBase
"""The metrics of prometheus_client itself, which are merged from its files."""
OWN_ENDING = "-ml.db"


class HostCollector(Collector):
    """All that the processes of a host expose together.

    Args:
        registry: the registry of this process.
        store: its store, which has a host.
        names: if given, only samples of these names.
    """

    def __init__(self, registry: CollectorRegistry, store: Store, host: Host, names: Collection[str]) -> None:
        self._registry = registry
        self._store = store
        self._host = host
        self._names = set(names)

    def collect(self) -> Iterator[Metric]:
        """Return the families of mlmetrics, of custom collectors, of the files of the client, and of the processes."""
        families = self._families()
        if not self._names:
            yield from families
            return
        for family in families:
            samples = [sample for sample in family.samples if sample.name in self._names]
            if samples:
                found = Metric(family.name, family.documentation, family.type, family.unit)
                found.samples = samples
                yield found

    def _families(self) -> Iterator[Metric]:
        # The client keeps its values in memory if the variable was not yet set when it was imported.
        in_files = getattr(values.ValueClass, "_multiprocess", False)
        for collector in collectors_of(self._registry):
            if isinstance(collector, StoreCollector):
                yield from collector.families()
            elif not isinstance(collector, LEFT_OUT) and not (in_files and isinstance(collector, OF_CLIENT)):
                yield from collector.collect()
        yield from self._of_client()
        yield from process_families(self._host.workers())

    def _of_client(self) -> Iterator[Metric]:
        """Return the user's own metrics of prometheus_client, merged; a file that cannot be read is left out."""
        directory = Path(self._host.directory)
        files = [str(path) for path in directory.glob("*.db") if not path.name.endswith(OWN_ENDING)]
        try:
            found = merged(files)
        except Exception as error:  # the client gives up at the first file that it cannot read
            if interrupted(error):
                raise
            found = merged([path for path in files if self._is_readable(path)])
        yield from found

    def _is_readable(self, path: str) -> bool:
        try:
            merged([path])
        except Exception as error:  # an empty or cut file, or one that has gone meanwhile
            if interrupted(error):
                raise
            if path not in self._host.unreadable and not isinstance(error, FileNotFoundError):
                self._host.unreadable.add(path)
                self._store.failed("workers", f"{os.path.basename(path)} cannot be read: {error!r}")  # noqa: PTH119 (a text)
            return False
        return True


def merged(files: list[str]) -> list[Metric]:
    """Return the families of prometheus_client's files, merged as it merges them."""
    return list(MultiProcessCollector.merge(files, accumulate=True))


def process_families(workers: Collection[Worker]) -> list[Metric]:
    """Return CPU, memory, descriptors and start time of each process, as prometheus_client reads them from `/proc`."""
    families: dict[str, Metric] = {}
    for worker in workers:
        for family in ProcessCollector(pid=partial(int, worker.pid), registry=None).collect():
            known = families.setdefault(family.name, family)
            samples = [sample._replace(labels={WORKER: str(worker.slot)}) for sample in family.samples]
            known.samples = samples if known is family else known.samples + samples
    return list(families.values())
