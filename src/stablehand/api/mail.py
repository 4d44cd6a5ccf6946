"""What an account is told by mail: chosen by itself, or ended by a link in a letter.

The link's address answers GET with a button and changes nothing by it: mail programs and virus scanners follow links by
themselves. POST ends the letters at once, as RFC 8058 has it for the button that mail programs show; it needs neither
cookie nor key, since the link is signed.
"""

from flask import Response, render_template_string
from flask_openapi.blueprint import APIBlueprint
from pydantic import Field

from stablehand.api.door import BODY_ERRORS, Door, blueprint
from stablehand.api.etags import CHANGED, expected_versions, reply_tagged
from stablehand.api.mail_schemas import MailIn, MailOut
from stablehand.api.schemas import Model
from stablehand.domain.errors import NotFound
from stablehand.domain.mail_choices import Mailbox, Sort, read_unsubscribe_token
from stablehand.domain.versions import mailbox_version
from stablehand.services.mail_choices import choose_mail, mailbox_of, unsubscribe
from stablehand.services.manners import SORT_WORDS

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{{ title }}</title>
<style>
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #edf0eb; color: #3e4841;
  font: 16px/1.55 -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
main { box-sizing: border-box; width: min(100% - 24px, 30rem); padding: 28px 32px; background: #fbfcfa;
  border: 1px solid #dde2da; border-radius: 10px; }
h1 { margin: 0; font: bold 24px/1.25 Georgia, "Times New Roman", serif; color: #19201c; }
p { margin: 12px 0 0; }
button { margin-top: 22px; padding: 12px 24px; border: 0; border-radius: 7px; background: #2d6c54; color: #fff;
  font: inherit; font-weight: bold; cursor: pointer; }
a { color: #245645; }
@media (prefers-color-scheme: dark) {
  body { background: #111613; color: #c2cabf; }
  main { background: #19201c; border-color: #333d36; }
  h1 { color: #edf0eb; }
  a { color: #8fc1a9; }
}
</style>
<main>
<h1>{{ title }}</h1>
<p>{{ text }}</p>
{% if asks %}<form method="post"><button>{{ asks }}</button></form>{% endif %}
{% if leads %}<p><a href="/account">Choose what you get</a></p>{% endif %}
</main>
</html>
"""
_ANSWERS = {"description": "A page for people.", "content": {"text/html": {"schema": {"type": "string"}}}}


class ByToken(Model):
    token: str = Field(description="As it stands in the letter.", min_length=1, max_length=300)


def routes(door: Door) -> APIBlueprint:
    api = blueprint("mail", "What you are told by mail.")

    @api.get("/me/mail", responses={200: MailOut})
    def read_mail() -> Response:
        """Look at where your mail goes and what you get."""
        return _tagged(mailbox_of(door.services, door.account))

    @api.patch("/me/mail", responses={200: MailOut, **BODY_ERRORS, **CHANGED})
    def choose(body: MailIn) -> Response:
        """Choose what you get by mail. An order says otherwise for itself by `notify.email`."""
        choices = {sort: wanted for sort in SORT_WORDS if (wanted := getattr(body, sort)) is not None}
        return _tagged(choose_mail(door.services, door.account, choices, expected=expected_versions()))

    @api.get("/mail/unsubscribe/<token>", responses={200: _ANSWERS})
    def ask(path: ByToken) -> Response:
        """Ask whether to end letters of one sort. Looking changes nothing."""
        _, sort = _read(door, path.token)
        text = f"You will get no more {SORT_WORDS[sort]} from here. Everything else stays as it is."
        return _page("Unsubscribe?", text, asks="Unsubscribe")

    @api.post("/mail/unsubscribe/<token>", responses={200: _ANSWERS})
    def end(path: ByToken) -> Response:
        """End letters of one sort, at once."""
        account_id, sort = _read(door, path.token)
        unsubscribe(door.services, account_id, sort)
        text = f"You get no more {SORT_WORDS[sort]}. You can turn them on again in your account."
        return _page("You are unsubscribed", text, leads=True)

    return api


def _tagged(mailbox: Mailbox) -> Response:
    return reply_tagged(MailOut.of(mailbox), mailbox_version(mailbox))


def _read(door: Door, token: str) -> tuple[str, Sort]:
    """Raises NotFound for a link that is not ours."""
    found = read_unsubscribe_token(door.options.secret_key, token)
    if found is None:
        raise NotFound("This link is not whole.", hint="Copy all of it, or choose under Account what you get by mail.")
    return found


def _page(title: str, text: str, *, asks: str = "", leads: bool = False) -> Response:
    words = render_template_string(_PAGE, title=title, text=text, asks=asks, leads=leads)
    return Response(words, mimetype="text/html")
