"""What people call messages, their states and problems. English here, Chinese in translations/*/webhooks.po."""

from typing import Any

from flask_babel import lazy_gettext

EVENTS = {
    "seat.taken": lazy_gettext("Somebody was given a place"),
    "choice.made": lazy_gettext("Somebody chose a group"),
    "press": lazy_gettext("Somebody long-pressed the code"),
    "member.full": lazy_gettext("A group filled up"),
    "member.expired": lazy_gettext("A code expired"),
    "member.swapped": lazy_gettext("A code was swapped"),
    "visitor.tagged": lazy_gettext("A visitor was given a tag"),
}
TEST = lazy_gettext("Test")
FIELDS = {
    "url": lazy_gettext("Web address"),
    "name": lazy_gettext("Name"),
    "events": lazy_gettext("Which events"),
    "covers_all": lazy_gettext("All live codes, not only mine"),
    "is_active": lazy_gettext("Switched on"),
}
STATES = {
    "waiting": lazy_gettext("Waiting"),
    "sent": lazy_gettext("Taken"),
    "gave_up": lazy_gettext("Given up"),
}
PROBLEMS = {
    "address": lazy_gettext("This is no address such as https://crm.example.com/huozi."),
    "http": lazy_gettext("It must begin with https://; http is for networks the installation names."),
    "unknown_host": lazy_gettext("There is no such host."),
    "private_address": lazy_gettext("This address is in a private network, which the installation does not allow."),
    "redirect": lazy_gettext("It redirected, which is not followed"),
    "refused": lazy_gettext("It answered with an error"),
    "timeout": lazy_gettext("It took too long"),
    "tls": lazy_gettext("Its certificate is not valid"),
    "connection": lazy_gettext("No connection"),
    "unreadable": lazy_gettext("The secret can no longer be read: make a new one"),
    "switched_off": lazy_gettext("The webhook was switched off"),
    "broken": lazy_gettext("It could not be sent"),
}
ACTIONS = {
    "webhook.created": lazy_gettext("Webhook made"),
    "webhook.changed": lazy_gettext("Webhook changed"),
    "webhook.secret_renewed": lazy_gettext("Webhook secret renewed"),
    "webhook.deleted": lazy_gettext("Webhook deleted"),
}


def value_words(name: str, value: Any) -> str | None:
    """What the audit log calls a value; None for what says best itself what it is."""
    if name != "events" or not isinstance(value, list):
        return None
    return ", ".join(str(words) for event, words in EVENTS.items() if event in value)


def problem(word: str) -> str:
    return str(PROBLEMS.get(word, PROBLEMS["broken"])) if word else ""
