"""Links to pictures: made, listed and revoked by whose pictures they lead to."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from pydantic import Field, StringConstraints

from stablehand.api.door import BODY_ERRORS, Door, blueprint, reply
from stablehand.api.schemas import ById, Error, In, Out, PageQuery
from stablehand.domain.errors import InvalidFields
from stablehand.domain.links import DAYS_AT_MOST, PICTURES_AT_MOST, Link, Linked, LinkKind
from stablehand.services.links import Addresses, list_links, make_link, revoke_link, revoke_links

_Id = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_Ids = Annotated[list[_Id], Field(min_length=1, max_length=PICTURES_AT_MOST)]


class ZipIn(In):
    ids: _Ids = Field(description="Of pictures, in the order in which they shall lie in the ZIP.")


class DownloadOut(Out):
    url: str = Field(description="It works without a key, for whoever has it.")
    expires_at: datetime = Field(description="A download that has begun goes on.")


class LinkIn(In):
    """What it leads to: give one of the first three."""

    image: _Id | None = Field(None, description="Id of one picture.")
    job: _Id | None = Field(None, description="Id of a job: all pictures that it has when somebody looks.")
    images: _Ids | None = Field(None, description="Ids of pictures, in the order in which they are shown.")
    days: float = Field(7.0, gt=0, le=DAYS_AT_MOST, description="Until it expires.")


class LinkOut(Out):
    id: str
    kind: LinkKind
    image_ids: list[str] = Field(description="The first of them; none where it leads to a job.")
    count: int | None = Field(description="How many pictures were chosen; null: those of a job.")
    job_id: str | None
    url: str = Field(description="To give away: the picture itself, or the page where there are several.")
    page_url: str = Field(description="A page that shows the pictures, for people.")
    zip_url: str = Field(description="All its pictures as one file.")
    created_at: datetime
    expires_at: datetime


class LinkPage(Out):
    items: list[LinkOut]
    next_cursor: str | None = None


class RevokedOut(Out):
    revoked: int = Field(description="How many links were; those that programs were given for an hour are not counted.")


#: of the ids of a link's pictures, so many are told
_SHOWN = 4


def routes(door: Door) -> APIBlueprint:
    api = blueprint("links", "Links by which others see pictures of yours, without an account.")

    @api.post("/links", responses={201: LinkOut, **BODY_ERRORS, 409: Error})
    def add_link(body: LinkIn) -> Response:
        """Make a link to a picture, to a job's pictures or to chosen ones."""
        link = make_link(
            door.services,
            door.account.id,
            _what(body),
            datetime.now(UTC) + timedelta(days=body.days),
            by=door.account,
            came_from=request.remote_addr or "",
        )
        return reply(_out(door, link), 201)

    @api.get("/links", responses={200: LinkPage})
    def browse_links(query: PageQuery) -> Response:
        """List your links that work, newest first."""
        page = list_links(door.services, door.account, limit=query.limit, cursor=query.cursor)
        return reply(LinkPage(items=[_out(door, link) for link in page.items], next_cursor=page.next_cursor))

    @api.delete("/links/<id>", responses={204: None})
    def drop_link(path: ById) -> tuple[str, int]:
        """Revoke a link: it is void at once."""
        revoke_link(door.services, door.account, path.id, came_from=request.remote_addr or "")
        return "", 204

    @api.delete("/links", responses={200: RevokedOut})
    def drop_links() -> Response:
        """Revoke all your links, and those that programs were given for an hour."""
        revoked = revoke_links(door.services, door.account, came_from=request.remote_addr or "")
        return reply(RevokedOut(revoked=revoked))

    return api


def addresses(door: Door) -> Addresses:
    """Addresses under the name by which this request came, unless the settings name another."""
    return Addresses(door.options.secret_key, door.options.public_url or request.host_url)


def _what(body: LinkIn) -> Linked:
    """Raises InvalidFields unless it is one thing."""
    match body:
        case LinkIn(image=str(image_id), job=None, images=None):
            return Linked.to_image(image_id)
        case LinkIn(image=None, job=str(job_id), images=None):
            return Linked.to_job(job_id)
        case LinkIn(image=None, job=None, images=list(image_ids)):
            return Linked.to_images(image_ids)
    raise InvalidFields(dict.fromkeys(("image", "job", "images"), "give one of `image`, `job` and `images`"))


def _out(door: Door, link: Link) -> LinkOut:
    to = addresses(door)
    what = link.what
    return LinkOut(
        id=link.id,
        kind=what.kind,
        image_ids=list(what.image_ids[:_SHOWN]),
        count=None if what.job_id is not None else len(what.image_ids),
        job_id=what.job_id,
        url=to.best(link),
        page_url=to.page(link),
        zip_url=to.zip(link),
        created_at=link.created_at,
        expires_at=link.until,
    )
