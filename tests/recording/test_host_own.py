"""A project's own operations in several processes, of which some have not declared them."""

from pathlib import Path

import pytest

from tests.recording.test_host import START
from tests.scripts import run_script

OWN = """
def declared(metrics=metrics):
    return metrics.operation("retrieval", ("region", "index"), score=True, buckets=(1, 2, 5))

def work(region="eu"):
    retrieval = declared()
    for seconds in (0.5, 1.5, 9):
        retrieval.record(seconds, index="docs", region=region)
    retrieval.record(0.5, success=False, index="docs", region=region)
    retrieval.record_score(0.7, index="docs", region=region)

def samples(registry):
    found = (s for family in registry.collect() for s in family.samples)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for s in found if "scrape_duration" not in s.name}

def agree_with_the_client(what):
    alone = CollectorRegistry()
    MultiProcessCollector(alone)
    ours, theirs = samples(registry), samples(alone)
    if ours != theirs or not any(name.startswith("ml_retrieval_score") for name, _ in ours):
        print(what, sorted(set(ours.items()) ^ set(theirs.items())), flush=True)

def families(registry=registry, prefix="ml_retrieval"):
    page = render(registry, openmetrics=True).decode()
    texts = page.removesuffix("# EOF\\n").split("# HELP ")
    found = [text.splitlines() for text in texts if text.startswith(prefix)]
    return sorted((family[0], sorted(family[1:])) for family in found)
"""
PROGRAMS = {
    "what a dead process has declared is exposed, as the client has it": """
wait(in_child(work))
wait(in_child(lambda: work("us")))
for what in ("at first", "again", "reaped"):
    agree_with_the_client(what)
check(6, "ml_retrieval_total", outcome="success")
check(2, "ml_retrieval_errors_total", error_type="error")
check(2, "ml_retrieval_score_count")
page = render(registry, names=["ml_retrieval_total"]).decode()
if {line.split("{")[0] for line in page.splitlines() if line[0] != "#"} != {"ml_retrieval_total"}:
    print(page)
""",
    "every process exposes the same text, whether it has declared the operation or not": """
reading, writing = os.pipe()
going, go = os.pipe()
def stay():
    signal.alarm(30)
    work()
    with declared().timer(index="docs"):
        os.write(writing, repr(families()).encode())
        os.close(writing)
        os.read(going, 1)
pid = in_child(stay)
os.close(writing)
with os.fdopen(reading) as text:
    theirs = eval(text.read())
if theirs != families() or len(theirs) != 5:
    print(theirs, families())
check(1, "ml_retrieval_in_progress", index="docs", region="default", what="it is in a call")
os.write(go, b"x")
wait(pid)
check(0, "ml_retrieval_in_progress", what="it has ended")
""",
    "a process that declares it later goes on with the numbers of all": """
wait(in_child(work))
check(3, "ml_retrieval_total", outcome="success", what="undeclared")
work()
work("us")
check(9, "ml_retrieval_total", outcome="success", what="declared")
wait(in_child(work))
check(12, "ml_retrieval_total", outcome="success", what="of a forked child")
agree_with_the_client("declared")
check(0, "mlmetrics_recording_errors_total")
""",
    "a child that is forked after the declaration records alone": """
retrieval = declared()
retrieval.record(0.5, index="docs")
tracked = retrieval.track(index=arg("index"), score=lambda result: 0.5)(lambda index: index)
tracked("docs")
for _ in range(2):
    wait(in_child(lambda: (tracked("docs"), tracked("web"))))
check(6, "ml_retrieval_total", outcome="success")
check(5, "ml_retrieval_score_count")
agree_with_the_client("forked")
""",
    "a killed process loses nothing": """
def killed():
    for _ in range(500):
        declared().record(0.5, index="docs")
    os.kill(os.getpid(), signal.SIGKILL)
for _ in range(3):
    wait(in_child(killed))
check(1500, "ml_retrieval_total", outcome="success")
check(1500, "ml_retrieval_duration_seconds_bucket", le="1.0")
""",
    "files with other labels are left out and counted once": """
def earlier():
    other = metrics.operation("retrieval", ("index",))
    for index in "abc":
        other.record(0.5, index=index)
wait(in_child(earlier))
work()
for _ in range(3):
    check(3, "ml_retrieval_total", outcome="success")
counted = found("mlmetrics_recording_errors_total", where="workers")
names = {name for name, _ in samples(registry) if name.startswith("ml_retrieval")}
if counted != [2.0] or "ml_retrieval_score_count" not in names:
    print(counted, names)
""",
    "of two rows that nobody here has declared, one is left out": """
def earlier(label):
    metrics.operation("retrieval", (label,)).record(0.5)
wait(in_child(lambda: earlier("index")))
wait(in_child(lambda: earlier("region")))
for _ in range(3):
    check(1, "ml_retrieval_total", outcome="success")
    render(registry)
""",
    "files with further labels are left out, too": """
wait(in_child(lambda: metrics.operation("retrieval", ("region", "index", "user")).record(0.5, index="docs")))
check(1, "ml_retrieval_total", outcome="success", user="", what="undeclared")
work()
check(3, "ml_retrieval_total", outcome="success", what="declared")
if found("mlmetrics_recording_errors_total", where="workers") == [0.0]:
    print("they are not counted")
""",
    "of two kinds that nobody here has declared, one is left out": """
wait(in_child(lambda: metrics.counter("cv_seen", "CVs.").inc()))
wait(in_child(lambda: metrics.histogram("cv_seen", "CVs.").observe(1)))
for _ in range(3):
    names = [name for name, _ in families(prefix="cv_seen")]
    if len(names) != 1:
        print(names)
""",
    "files with other bounds are added up": """
wait(in_child(work))
other = {"labelnames": ("region", "index"), "score": True, "buckets": (2, 3)}
wait(in_child(lambda: metrics.operation("retrieval", **other).record(2.5, index="docs")))
for times, what in ((1, "undeclared"), (2, "declared")):
    check(4 * times + 1, "ml_retrieval_duration_seconds_count", what=what)
    check(4 * times + 1, "ml_retrieval_duration_seconds_bucket", le="+Inf", what=what)
    check(3 * times, "ml_retrieval_duration_seconds_bucket", le="2.0", what=what)
    check(11.5 * times + 2.5, "ml_retrieval_duration_seconds_sum", what=what)
    if times == 1:
        work("us")
""",
    "exemplars of a process that has declared it are kept": """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
def traced():
    with trace.get_tracer("t").start_as_current_span("s"), declared().timer(index="docs", region="eu"):
        pass
wait(in_child(traced))
if not any("trace_id" in line for _, lines in families() for line in lines):
    print(families())
traced()
if not any("trace_id" in line for _, lines in families() for line in lines):
    print(families())
""",
    "a name that somebody else has here is exposed once": """
theirs = Counter("ml_retrieval", "By hand.", registry=registry)
theirs.inc(7)
wait(in_child(lambda: (registry.unregister(theirs), work())))
for page in (render(registry), generate_latest(registry)):
    lines = [line for line in page.decode().splitlines() if line.startswith("ml_retrieval_total")]
    if lines != ["ml_retrieval_total 7.0"]:
        print(lines)
check(4, "ml_retrieval_duration_seconds_count")
""",
    "the client's own text has each family once": """
wait(in_child(work))
metrics.operation("embedding").record(0.5)
for _ in range(2):
    page = generate_latest(registry).decode().splitlines()
    for name in ("ml_retrieval_total", "ml_embedding_total", "mlmetrics_build_info"):
        if page.count(f"# TYPE {name} {'gauge' if 'info' in name else 'counter'}") != 1:
            print(name, page)
    work()
""",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_several_processes(program: str, tmp_path: Path) -> None:
    """What the name of the program says holds, with a directory for several processes."""
    run_script(START + OWN + PROGRAMS[program], PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
