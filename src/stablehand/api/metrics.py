"""Prometheus metrics: what the doors see, and how the queue and the agents stand when asked."""

import time
from collections import Counter as Tally
from collections.abc import Iterable

import structlog
from flask import Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from stablehand.api.door import Door
from stablehand.domain.agents import AgentState
from stablehand.protocol import Deliver, Delivered, Fail
from stablehand.services.agents import list_agents
from stablehand.services.courier import outbox_state
from stablehand.services.status import pool_statuses, queue_status
from stablehand.services.webhooks import dispatch_counts

log = structlog.get_logger("stablehand.http")


class Metrics:
    def __init__(self, door: Door) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.registry.register(_Now(door))
        self.requests = Counter(
            "stablehand_http_requests", "Answered requests.", ["route", "method", "status"], registry=self.registry
        )
        self.latency = Histogram(
            "stablehand_http_request_seconds",
            "Seconds from a request to its answer; routes that wait include the wait.",
            ["route", "method"],
            buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 60),
            registry=self.registry,
        )
        self.deliveries = Counter("stablehand_deliveries", "Pictures delivered.", registry=self.registry)
        self.refused = Counter(
            "stablehand_refused_deliveries", "Pictures whose lease was lost meanwhile.", registry=self.registry
        )
        self.failures = Counter(
            "stablehand_failures", "Errors that agents reported.", ["error_class", "code"], registry=self.registry
        )
        self.device_seconds = Counter(
            "stablehand_device_seconds", "Device time of delivered pictures.", registry=self.registry
        )

    def count_deliveries(self, message: Deliver, answer: Delivered) -> None:
        accepted = set(answer.accepted)
        self.deliveries.inc(len(accepted))
        self.refused.inc(len(answer.refused))
        seconds = sum(picture.device_seconds for picture in message.pictures if picture.shot_id in accepted)
        self.device_seconds.inc(max(0.0, seconds))

    def count_failures(self, message: Fail) -> None:
        for failure in message.failures:
            # Codes come from agents; an endless variety of them would be an endless number of series.
            code = failure.code if len(failure.code) <= 40 and failure.code.isidentifier() else "other"
            self.failures.labels(failure.error_class, code).inc()


class _Now:
    """Numbers that are read from the store when Prometheus asks."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def describe(self) -> Iterable[Metric]:
        return ()  # registering must not touch the store

    def collect(self) -> Iterable[Metric]:
        queue = queue_status(self._door.services)
        shots = GaugeMetricFamily("stablehand_shots", "Pictures that are not finished.", labels=["state"])
        shots.add_metric(["queued"], queue.queued)
        shots.add_metric(["running"], queue.running)
        yield shots
        if queue.calibration is not None:
            yield GaugeMetricFamily(
                "stablehand_estimates_inside_share",
                "Of the latest pictures, those whose device time lay inside the estimated range.",
                value=queue.calibration.inside_share,
            )
            yield GaugeMetricFamily(
                "stablehand_estimates_median_ratio",
                "Of actual to estimated device time of the latest pictures.",
                value=queue.calibration.median_ratio,
            )
        tally = Tally(agent.state for agent in list_agents(self._door.services))
        agents = GaugeMetricFamily("stablehand_agents", "Agents by state.", labels=["state"])
        for state in AgentState:
            agents.add_metric([state.value], tally[state])
        yield agents
        wanted = GaugeMetricFamily(
            "stablehand_agents_wanted", "Agents that the work of this moment asks for.", labels=["pool"]
        )
        for pool in pool_statuses(self._door.services):
            wanted.add_metric([pool.name], pool.wanted)
        yield wanted
        outbox = outbox_state(self._door.services)
        notices = GaugeMetricFamily("stablehand_notices", "Notices that are not delivered.", labels=["state"])
        notices.add_metric(["waiting"], outbox.waiting)
        notices.add_metric(["dead"], outbox.dead)
        yield notices
        yield GaugeMetricFamily(
            "stablehand_notices_lag_seconds", "Age of the oldest waiting notice.", value=outbox.lag_seconds
        )
        yield GaugeMetricFamily(
            "stablehand_notices_most_tries", "Failures of the waiting notice with the most.", value=outbox.most_tries
        )
        tries = CounterMetricFamily(
            "stablehand_courier_tries", "Tries to deliver notices, by this process.", labels=["kind", "outcome"]
        )
        for (kind, outcome), count in sorted(self._door.options.courier_tally().items()):
            tries.add_metric([kind, outcome], count)
        yield tries
        dispatches = GaugeMetricFamily(
            "stablehand_dispatches", "Notices that have not reached a destination outside.", labels=["channel", "state"]
        )
        for one in dispatch_counts(self._door.services):
            dispatches.add_metric([one.channel, one.state.value], one.count)
        yield dispatches
        carried = CounterMetricFamily(
            "stablehand_dispatch_tries", "Tries to carry dispatches, by this process.", labels=["channel", "outcome"]
        )
        for (channel, outcome), count in sorted(self._door.options.dispatch_tally().items()):
            carried.add_metric([channel, outcome], count)
        yield carried
        held = GaugeMetricFamily("stablehand_held_threads", "Requests that hold a thread and wait.", labels=["kind"])
        for kind, budget in (
            ("sockets", self._door.sockets),
            ("claims", self._door.claims),
            ("waits", self._door.waits),
        ):
            held.add_metric([kind], budget.held)
        yield held


def install(app: Flask, door: Door) -> Metrics:
    """Measure every request, log those that went wrong (or all, when asked to), and answer at ``/metrics``."""
    metrics = Metrics(door)

    @app.before_request
    def note_start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def note_end(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "unmatched"
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        metrics.requests.labels(route, request.method, response.status_code).inc()
        metrics.latency.labels(route, request.method).observe(seconds)
        # 503 is how a busy or starting server answers on purpose, as often as it is asked.
        went_wrong = response.status_code >= 500 and response.status_code != 503
        if went_wrong or door.options.log_requests:
            write = log.warning if went_wrong else log.info
            # The route, not the path or the query: those may hold what people search for.
            write(
                "request",
                route=route,
                method=request.method,
                status=response.status_code,
                ms=round(seconds * 1000, 1),
                request_id=g.get("request_id", ""),
            )
        return response

    def read_metrics() -> Response:
        return Response(generate_latest(metrics.registry), content_type=CONTENT_TYPE_LATEST)

    if door.options.metrics:
        app.add_url_rule("/metrics", "metrics", read_metrics)
    return metrics
