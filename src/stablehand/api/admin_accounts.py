"""Accounts, for the administrator: who there is, what they may have, and whether they may do anything at all."""

from dataclasses import asdict

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.admin_account_schemas import (
    AccountPatch,
    AccountsQuery,
    AdminAccountOut,
    AdminAccountPage,
    AuditLineOut,
    AuditPage,
    AuditQuery,
    TierPage,
    TierWhole,
)
from stablehand.api.door import BODY_ERRORS, Door, blueprint, reply
from stablehand.api.etags import CHANGED, expected_versions, reply_tagged
from stablehand.api.limits import AllowanceOut, allowance_out, tier_out
from stablehand.api.schemas import ById, Error, PageQuery
from stablehand.domain.accounts import AccountEntry
from stablehand.domain.audit import AuditEntry
from stablehand.domain.errors import InvalidFields
from stablehand.domain.pages import page_of
from stablehand.domain.versions import account_version
from stablehand.services.accounts import account_names
from stablehand.services.administration import audit_log, change_account, list_accounts, show_account
from stablehand.services.erase import erase
from stablehand.services.quotas import allowance
from stablehand.services.suspend import lift_suspension, suspend


def routes(door: Door) -> APIBlueprint:
    api = blueprint("admin-accounts", "Accounts and the audit log, for the administrator.")

    @api.get("/admin/accounts", responses={200: AdminAccountPage})
    def browse_accounts(query: AccountsQuery) -> Response:
        """List accounts, by name."""
        page = list_accounts(
            door.services,
            search=query.search,
            role=query.role,
            tier=query.tier,
            state=query.state,
            limit=query.limit,
            cursor=query.cursor,
        )
        return reply(AdminAccountPage(items=[_out(entry) for entry in page.items], next_cursor=page.next_cursor))

    @api.get("/admin/accounts/<id>", responses={200: AdminAccountOut})
    def read_account(path: ById) -> Response:
        """Look at an account."""
        return _tagged(show_account(door.services, path.id))

    @api.get("/admin/accounts/<id>/limits", responses={200: AllowanceOut})
    def read_account_limits(path: ById) -> Response:
        """Look at an account's tier and limits, what it has used of them and when that frees."""
        return reply(allowance_out(allowance(door.services, show_account(door.services, path.id).account)))

    @api.patch("/admin/accounts/<id>", responses={200: AdminAccountOut, **BODY_ERRORS, **CHANGED, 409: Error})
    def patch_account(path: ById, body: AccountPatch) -> Response:
        """Change an account's role, tier or own limits; suspend it, or lift that."""
        by, came_from = door.account.id, request.remote_addr or ""
        if body.reason and not body.suspended:
            raise InvalidFields({"reason": "only together with suspended: true"})
        change_account(
            door.services,
            path.id,
            by=by,
            role=body.role,
            tier=body.tier,
            own_quotas=body.quotas,
            came_from=came_from,
            expected=expected_versions(),
        )
        if body.suspended is True:
            suspend(door.services, path.id, by=by, reason=body.reason, came_from=came_from)
        elif body.suspended is False:
            lift_suspension(door.services, path.id, by=by, came_from=came_from)
        return _tagged(show_account(door.services, path.id))

    @api.delete("/admin/accounts/<id>", responses={204: None, **CHANGED, 409: Error})
    def delete_account(path: ById) -> tuple[str, int]:
        """Delete an account with its pictures and everything else that was its own. There is no way back."""
        by, came_from = door.account.id, request.remote_addr or ""
        erase(door.services, path.id, by=by, came_from=came_from, expected=expected_versions())
        return "", 204

    @api.get("/admin/tiers", responses={200: TierPage})
    def browse_tiers(query: PageQuery) -> Response:
        """List the tiers in force with their limits, the best first."""
        page = page_of("tiers", door.services.store.tiers.all, limit=query.limit, cursor=query.cursor)
        items = [TierWhole(**tier_out(tier).model_dump(), limits=asdict(tier.quotas)) for tier in page.items]
        return reply(TierPage(items=items, next_cursor=page.next_cursor))

    @api.get("/admin/audit", responses={200: AuditPage})
    def browse_audit(query: AuditQuery) -> Response:
        """Read the audit log, the newest line first."""
        page = audit_log(
            door.services, action=query.action, account_id=query.account, limit=query.limit, cursor=query.cursor
        )
        ids = {entry.deed.account_id or "" for entry in page.items} | {entry.deed.subject for entry in page.items}
        names = account_names(door.services, ids - {""})
        return reply(AuditPage(items=[_line(entry, names) for entry in page.items], next_cursor=page.next_cursor))

    return api


def _tagged(entry: AccountEntry) -> Response:
    return reply_tagged(_out(entry), account_version(entry.account, entry.own_quotas))


def _out(entry: AccountEntry) -> AdminAccountOut:
    account = entry.account
    return AdminAccountOut(
        id=account.id,
        name=account.name,
        email=entry.address,
        role=account.role,
        tier=account.tier,
        state=entry.state,
        suspended_at=account.suspended_at,
        suspended_reason=account.suspended_reason,
        created_at=account.created_at,
        last_seen_at=entry.last_seen_at,
        quotas=dict(entry.own_quotas),
        queued=entry.queued,
        pictures=entry.pictures,
        device_seconds=entry.device_seconds,
    )


def _line(entry: AuditEntry, names: dict[str, str]) -> AuditLineOut:
    deed = entry.deed
    return AuditLineOut(
        number=entry.number,
        at=entry.at,
        action=deed.action,
        account_id=deed.account_id,
        account=names.get(deed.account_id or ""),
        subject=deed.subject,
        subject_name=names.get(deed.subject),
        address=deed.address,
        details=dict(deed.details),
    )
