"""relay.json, from docs/relay.md alone."""

from keys import public_key
from notation import MAX_ASSOCIATED_DATA
from relay_frames import FIVE_MINUTES, LONGEST, LONGEST_PADDED, MAX_ASKED, MAX_COUNTED, MAX_OUTCOMES, MAX_REQUEST_TEXT, SHORTEST, paddings
from relay_pairing import Pairing
from relay_runs import relay_diverged, relay_later_status, relay_run, relay_went_back
from relay_upgrade import upgrade_frames, upgrade_run
from sessions import FOURTEEN_DAYS


def relay_file():
    p = Pairing("pairing", 64)
    refused = p.refused()
    run, joined, tried, labels = relay_run()
    upgrade, passed_on = upgrade_run()
    return {
        "about": "The relay (docs/relay.md): the pairing, frames, labels, a whole run, the upgrade",
        "limits": {
            "shortest_frame": SHORTEST, "longest_padded_frame": LONGEST_PADDED, "longest_frame": LONGEST, "highest_number": MAX_COUNTED, "outcomes": MAX_OUTCOMES,
            "requests": MAX_ASKED, "request_text": MAX_REQUEST_TEXT, "request_associated_data": MAX_ASSOCIATED_DATA, "good_for": FOURTEEN_DAYS, "first_ask": FIVE_MINUTES,
        },
        "pairing": {
            "phone": p.phone.description,
            "show": {"time": p.shown_at, "draws": [p.identity, p.ephemeral, p.secret, p.reference], "code": p.code(), "payload": p.payload},
            "scan": {"time": p.scanned_at, "draws": [p.ekp], "ephemeral_public": public_key(p.ekp)} | p.keys,
            "grant": {"time": p.granted_at, "draws": p.grant_draws, "device_id": p.device, "pairing_id": p.pairing_id,
                      "bundle": p.bundle, "sealed_body": p.granted, "sealed": p.seal(p.granted), "message": p.grant},
            "refused": refused, "role_1": p.refused_of_role_1(),
        },
        "padding": paddings(),
        "labels": labels,
        "run": run.result() | {"attached_after": joined},
        "went_back": relay_went_back(), "diverged": [relay_diverged(False), relay_diverged(True)], "later_status": relay_later_status(), "frames": tried,
        "upgrade_frames": upgrade_frames(), "forwarded": passed_on, "upgrade": upgrade,
    }
