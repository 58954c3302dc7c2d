"""What people may type into the forms about accounts. Checks shape only; what is taken or wrong, `store` knows."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from app.accounts import credentials, store
from app.accounts.models import EMAIL_CHARACTERS, NAME_CHARACTERS

ROLE_NAMES = {
    "admin": lazy_gettext("Administrator"),
    "marketer": lazy_gettext("Marketer"),
    "viewer": lazy_gettext("Viewer"),
}
LANGUAGE_NAMES = {"zh": "简体中文", "en": "English"}
SCOPE_NAMES = {
    "read": lazy_gettext("Read live codes, members and statistics"),
    "write": lazy_gettext("Make and change live codes and members"),
    "visitors": lazy_gettext("Read, export and erase visitors"),
}
PASSWORD_PROBLEMS = {
    "too_short": lazy_gettext(
        "At least %(count)s characters. A few words in a row are fine.", count=credentials.SHORTEST_PASSWORD
    ),
    "too_long": lazy_gettext("At most %(count)s characters.", count=credentials.LONGEST_PASSWORD),
    "too_simple": lazy_gettext("This one is guessed first. Pick something less common."),
}
LIFETIMES_DAYS = {"0": lazy_gettext("Until revoked"), "30": lazy_gettext("30 days"), "365": lazy_gettext("1 year")}

_needed = lazy_gettext("Fill this in.")


def _choices(names: Mapping[str, Any]) -> list[SelectChoice]:
    return [SelectChoice(value, label) for value, label in names.items()]


def _tidy(value: Any) -> Any:
    """Without what no keyboard sends and PostgreSQL refuses."""
    return "".join(mark for mark in value if ord(mark) >= 32).strip() if isinstance(value, str) else value


def _is_email(_form: Any, field: Any) -> None:
    if store.tidy_email(field.data or "") is None:
        raise ValidationError(gettext("This does not look like an e-mail address."))


class _NewPassword(FlaskForm):
    password = PasswordField(
        lazy_gettext("New password"),
        [InputRequired(_needed)],
        description=PASSWORD_PROBLEMS["too_short"],
        render_kw={"autocomplete": "new-password"},
    )

    def __init__(self, email: str, **more: Any) -> None:
        super().__init__(**more)
        self._email = email

    def validate_password(self, field: Any) -> None:
        problem = credentials.password_problem(field.data or "", self._email)
        if problem:
            raise ValidationError(str(PASSWORD_PROBLEMS[problem]))


class LogIn(FlaskForm):
    email = StringField(
        lazy_gettext("E-mail"),
        [DataRequired(_needed), Length(max=EMAIL_CHARACTERS)],
        [_tidy],
        render_kw={"type": "email", "autocomplete": "username", "inputmode": "email"},
    )
    password = PasswordField(
        lazy_gettext("Password"), [InputRequired(_needed)], render_kw={"autocomplete": "current-password"}
    )
    remember = BooleanField(lazy_gettext("Stay logged in on this device for 30 days"), default=True)


class AcceptInvitation(_NewPassword):
    name = StringField(
        lazy_gettext("Your name"),
        [DataRequired(_needed), Length(max=NAME_CHARACTERS)],
        [_tidy],
        render_kw={"autocomplete": "name"},
    )


class SetPassword(_NewPassword):
    pass


class ChangePassword(_NewPassword):
    current = PasswordField(
        lazy_gettext("Current password"), [InputRequired(_needed)], render_kw={"autocomplete": "current-password"}
    )


class Profile(FlaskForm):
    name = StringField(
        lazy_gettext("Your name"),
        [DataRequired(_needed), Length(max=NAME_CHARACTERS)],
        [_tidy],
        render_kw={"autocomplete": "name"},
    )
    language = SelectField(lazy_gettext("Language"), choices=_choices(LANGUAGE_NAMES))


class NewToken(FlaskForm):
    name = StringField(
        lazy_gettext("What is it for?"),
        [DataRequired(_needed), Length(max=NAME_CHARACTERS)],
        [_tidy],
        description=lazy_gettext("The name under which you will find it in this list and in the audit log."),
    )
    scopes = SelectMultipleField(
        lazy_gettext("What may it do?"),
        [InputRequired(lazy_gettext("Tick at least one."))],
        choices=_choices(SCOPE_NAMES),
        default=["read", "write"],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    lifetime = SelectField(lazy_gettext("How long does it work?"), choices=_choices(LIFETIMES_DAYS))


class Invite(FlaskForm):
    email = StringField(
        lazy_gettext("E-mail"),
        [DataRequired(_needed), _is_email],
        [_tidy],
        render_kw={"type": "email", "autocomplete": "off", "inputmode": "email"},
    )
    role = SelectField(lazy_gettext("Role"), choices=_choices(ROLE_NAMES), default="marketer")


class ChangeUser(FlaskForm):
    role = SelectField(lazy_gettext("Role"), choices=_choices(ROLE_NAMES))
