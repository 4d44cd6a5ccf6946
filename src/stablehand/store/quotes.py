"""Quotes: read from the queue as it stands, and held against what happened. Nothing is locked or written."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select

from stablehand.domain.errors import NotAllowed, OverLimit
from stablehand.domain.estimates import Range, Rate, draw_seconds
from stablehand.domain.jobs import State
from stablehand.domain.pace import cost_of
from stablehand.domain.prices import Prices
from stablehand.domain.quotas import recipe_breaches
from stablehand.domain.quotes import Basis, Kept, Limit, Outcome, Quote
from stablehand.domain.recipes import Recipe
from stablehand.store.ledger_rows import ChargeRow
from stablehand.store.models import AccountRow, CheckpointRow, JobRow, ShotRow
from stablehand.store.places import Places, Spot
from stablehand.store.quotas import quotas_of, refusals, seconds_each
from stablehand.store.rows import Progress
from stablehand.store.tags import tags_quoted
from stablehand.store.transactions import Transaction, Transactions

#: Jobs that are looked up in one statement.
_AT_ONCE = 200


class QuoteBook(Transactions):
    def quote(
        self,
        account_id: str,
        recipe: Recipe,
        *,
        count: int,
        tier: str,
        pool: str | None,
        progress: Progress,
        with_limits: bool = True,
    ) -> Quote:
        """What an order would cost and how long it would wait, were it sent now.

        Args:
            pool: that would draw it; None: there is none.
            with_limits: say which limits it would hit.
        """
        with self.reading() as tx:
            account = tx.session.get_one(AccountRow, account_id)
            in_force = tx.tiers.get(tier)
            unmeasured = Quote(
                tier=in_force,
                count=count,
                device=None,
                basis="nothing",
                measurements=0,
                charge=None,
                charge_low=None,
                charge_high=None,
                place=None,
                limits=_limits(tx, account, recipe, count, pool) if with_limits else (),
            )
            if pool is None:
                return unmeasured
            places = Places(tx, progress)
            cost, seconds = cost_of(recipe), seconds_each(tx, recipe)
            tags = tags_quoted(tx, account, seconds, count, weight=in_force.weight)
            first, last = (
                Spot(
                    account_id=account_id,
                    pool=pool,
                    checkpoint_id=recipe.checkpoint_id,
                    tier_rank=in_force.rank,
                    weight=in_force.weight,
                    tag=tag,
                    index=index,
                    cost=cost,
                    estimate_seconds=seconds,
                )
                for index, tag in zip((0, count - 1), tags, strict=True)
            )
            place = places.of_shots(recipe, first, last if count > 1 else first, count, are_queued=False)
            rate = places.rate(pool, recipe.checkpoint_id, recipe)
            quoted = replace(unmeasured, place=place)
            if rate is None:
                return quoted
            return _measured(quoted, draw_seconds(rate, cost * count), rate, tx.prices, pool)

    def outcomes(self, *, most: int) -> list[Outcome]:
        """The latest jobs that were quoted and delivered whole, beside their quotes."""
        with self.reading() as tx:
            jobs = tx.session.execute(
                select(JobRow.id, JobRow.created_at, JobRow.count.label("pictures"), JobRow.quote, CheckpointRow.name)
                .join(CheckpointRow, CheckpointRow.id == JobRow.checkpoint_id)
                .where(JobRow.state == State.SUCCEEDED, JobRow.quote.is_not(None))
                .order_by(JobRow.number.desc())
                .limit(most)
            ).all()
            found = []
            for start in range(0, len(jobs), _AT_ONCE):
                part = jobs[start : start + _AT_ONCE]
                delivered = _delivered(tx, [job.id for job in part])
                for job in part:
                    seconds, first, last = delivered[job.id]
                    found.append(
                        Outcome(
                            checkpoint=job.name,
                            count=job.pictures,
                            kept=Kept.from_dict(job.quote),
                            device_seconds=seconds,
                            first_seconds=(first - job.created_at).total_seconds(),
                            last_seconds=(last - job.created_at).total_seconds(),
                        )
                    )
            return found


def _measured(quote: Quote, device: Range, rate: Rate, prices: Prices, pool: str) -> Quote:
    likely, low, high = (
        prices.charge(seconds, pool=pool, tier=quote.tier.name)
        for seconds in (device.seconds, device.low_seconds, device.high_seconds)
    )
    basis: Basis = "kind" if rate.measurements else "family"  # a stand-in has none of its own
    return replace(
        quote,
        device=device,
        basis=basis,
        measurements=rate.measurements,
        charge=likely,
        charge_low=low,
        charge_high=high,
    )


def _limits(tx: Transaction, account: AccountRow, recipe: Recipe, count: int, pool: str | None) -> tuple[Limit, ...]:
    """As ``admit`` would refuse it, but all at once."""
    quotas = quotas_of(tx, account)
    never = [
        Limit(
            name=breach.limit,
            code=(NotAllowed if breach.forbids else OverLimit).code,
            message=f"{' and '.join(breach.fields).capitalize()}: {breach.words}.",
            hint="Order less, or ask whoever runs the service for more.",
            most=breach.most,
            used=None if breach.most is None else 0.0,
            asked=breach.asked,
        )
        for breach in recipe_breaches(quotas, recipe, count)
    ]
    now = [
        Limit(
            name=refusal.hit.limit,
            code=refusal.code,
            message=refusal.message,
            hint=refusal.hint,
            most=refusal.hit.most,
            used=refusal.hit.used,
            asked=refusal.hit.asked,
            frees_at=refusal.hit.frees_at,
        )
        for refusal in refusals(tx, account, quotas, recipe, count, pool or "")
        if refusal.hit is not None
    ]
    return (*never, *now)


def _delivered(tx: Transaction, job_ids: Sequence[str]) -> dict[str, tuple[float, datetime, datetime]]:
    """job id -> device-seconds of its pictures, and when the first and the last of them came."""
    rows = tx.session.execute(
        select(
            ShotRow.job_id,
            func.sum(ChargeRow.device_seconds),
            func.min(ChargeRow.created_at),
            func.max(ChargeRow.created_at),
        )
        .join(ChargeRow, ChargeRow.shot_id == ShotRow.id)
        .where(ShotRow.job_id.in_(job_ids))
        .group_by(ShotRow.job_id)
    )
    return {job_id: (seconds, first, last) for job_id, seconds, first, last in rows.tuples()}
