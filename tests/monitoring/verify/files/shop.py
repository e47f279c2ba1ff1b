"""The page of a shop that knows nothing of mlmetrics, and what the checks say about queries on it."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from mlmetrics.monitoring.verify.files.promql import Problem
from mlmetrics.monitoring.verify.files.queries import Query, check_query
from mlmetrics.monitoring.verify.files.series import Known
from mlmetrics.monitoring.verify.metrics_page import MetricsPage, read_page

BOUNDS_SECONDS = (0.1, 0.5, 1.0, 5.0)


class Shop:
    """The shop's metrics: orders, their time, the stock, a queue, and errors that have not happened yet."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._orders = Counter("shop_orders", "Orders.", ("country", "code"), registry=registry)
        self._seconds = Histogram(
            "shop_order_seconds", "Time.", ("country",), registry=registry, buckets=BOUNDS_SECONDS
        )
        stock = Gauge("shop_stock", "Items.", ("item",), registry=registry)
        stock.labels("book").set(-3)
        stock.labels("pen").set(12)
        Gauge("shop_queue", "Waiting.", registry=registry).set(4)
        Info("shop_build", "Version.", registry=registry).info({"version": "7"})
        Counter("shop_payment_errors", "Errors.", ("reason",), registry=registry)

    def text_after_orders(self) -> str:
        """Take some orders, and return the page."""
        for country in ("fr", "de"):
            for code, times in (("200", 8), ("500", 2)):
                self._orders.labels(country, code).inc(times)
            for value in (0.05, 0.3, 0.3, 7.0):
                self._seconds.labels(country).observe(value)
        return generate_latest(self.registry).decode()


def shop_page() -> MetricsPage:
    """Return the page, read."""
    return read_page(Shop().text_after_orders(), "text/plain")


def problems_of(query: str, *shown: str, known: Known | None = None) -> list[Problem]:
    """Return what is wrong with a query on the shop's page; `shown` are labels that its template shows."""
    labels = [(label, "summary") for label in shown]
    return check_query(Query("query", query, labels), known or Known([shop_page()]))


def errors_of(query: str, *shown: str, known: Known | None = None) -> list[str]:
    """Return the kinds of the errors of a query."""
    return [problem.kind for problem in problems_of(query, *shown, known=known) if problem.level == "error"]


def notes_of(query: str, known: Known | None = None) -> list[str]:
    """Return the kinds of the notes of a query."""
    return [problem.kind for problem in problems_of(query, known=known) if problem.level == "note"]
