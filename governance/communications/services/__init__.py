"""The only writers of announcements and messages."""

from governance.communications.services.bounces import note_bounce
from governance.communications.services.correcting import correct, send_again
from governance.communications.services.occasions import follow, follow_runs
from governance.communications.services.planning import hold, release, reset_wording, save_wording, stop
from governance.communications.services.sending import send_some
from governance.communications.services.writing import write_some

__all__ = [
    "correct",
    "follow",
    "follow_runs",
    "hold",
    "note_bounce",
    "release",
    "reset_wording",
    "save_wording",
    "send_again",
    "send_some",
    "stop",
    "write_some",
]
