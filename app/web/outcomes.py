"""What the panel calls the outcomes of scans, where they stand in a list: one word for statistics and `/status`.

Sentences about one visitor or one trial scan are said where they are told. English here, Chinese in
translations/*/web.po.
"""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext

OUTCOMES: Mapping[str, Any] = {
    "assigned": lazy_gettext("A new seat"),
    "returning": lazy_gettext("The same code as before"),
    "held": lazy_gettext("Wait for the new code"),
    "elsewhere": lazy_gettext("Their group in another live code"),
    "choose": lazy_gettext("Which group do you want?"),
    "fallback": lazy_gettext("The fallback code"),
    "full": lazy_gettext("All full"),
    "unavailable": lazy_gettext("Nothing to join right now"),
    "paused": lazy_gettext("Paused"),
    "not_started": lazy_gettext("Not started"),
    "ended": lazy_gettext("Ended"),
    "preview": lazy_gettext("Looked at by a robot"),
}
