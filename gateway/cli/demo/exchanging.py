"""The second half of the story: what reaches whom, how referrals end, a stop in time, who saw what, and the log."""

import json
from pathlib import Path
from typing import Any

from adapters.sandbox import city as town
from consent.entry import EntryKind
from gateway.cli.demo.play import Play
from gateway.cli.demo.stage import CLINIC, MENTORS, NAMES, PROGRAMME
from gateway.cli.demo.teller import wait_for
from gateway.exchange import accounting, permission, recall_sending
from gateway.exchange.accounting import Accounting
from gateway.exchange.audit import verify_ledger
from gateway.exchange.permission import Changed
from gateway.exchange.poll import poll
from gateway.exchange.wording import reason_text

OK = 200
NOT_FOUND = 404


def reaches_both(play: Play) -> None:
    """The plan at the clinic and at the programme: each what it may see and nothing more."""
    play.tell.begin("The plan reaches both, each with what it may see")
    for agency in (CLINIC, PROGRAMME):
        state, reason = play.settled("maribel", agency, "plan")
        play.tell.must(state == "delivered", f"the plan reaches {agency} ({reason})")
    kinds = _held_by_clinic(play)
    text = json.dumps([r for kind in kinds for r in play.stage.clinic.resources(kind)])
    play.tell.must("Reads a chapter book" in text, "the clinic sees the school's goal")
    play.tell.must("robots" not in text.lower(), "the clinic sees no club")
    play.tell.must("Looks after new classmates" not in text, "the clinic sees no feelings")
    listed = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    play.tell.say(f"{NAMES[CLINIC]} now holds, as FHIR: {listed}.")
    play.tell.why(
        "Maribel's mother let it see School and Health; her clubs and her feelings are not in it, not even as a gap"
    )
    seen = "".join(p.read_text(encoding="utf-8-sig") for p in (play.stage.folder / "out").glob("*.csv"))
    play.tell.must("sthma" not in seen, "the programme sees no health")
    play.tell.say(
        f"{NAMES[PROGRAMME]} finds its sheet with School and Clubs; of her asthma there is no word."
    )


def _held_by_clinic(play: Play) -> dict[str, int]:
    own = {r["id"] for r in town.clinic_resources(play.stage.city)}
    found = {}
    for kind in ("CarePlan", "Goal", "Condition", "Observation", "CareTeam", "ServiceRequest", "Task"):
        new = [r for r in play.stage.clinic.resources(kind) if r["id"] not in own]
        if new:
            found[kind] = len(new)
    return found


def told(play: Play) -> None:
    """A referral is accepted and completed, and the school learns the outcome because the family said so."""
    play.tell.begin("A referral comes back")
    task = _task(play, "asthma", "maribel")
    play.tell.say(
        "Maribel's referral lies at the clinic as a Task. The clinic accepts it, starts, and completes it."
    )
    _work_off(play, task, "Asthma action plan written with the family")
    poll(play.hub, "clinic-fhir")
    play.tell.must(play.referral_state("asthma") == "completed", "the referral is completed in the hub")
    state, reason = play.settled("maribel", "district", "outcome")
    play.tell.must(state == "delivered", f"the school is told ({reason})")
    seen = play.school.call("GET", f"/v1/referrals/{play.referrals['asthma']}", purpose="REFOUT")
    play.tell.must(
        seen.status_code == OK and seen.json()["state"] == "completed", "the school reads the outcome"
    )
    play.tell.say("The school's system reads: completed.")
    play.tell.why("her mother signed that the school may hear how a referral about Health ended")


def not_told(play: Play) -> None:
    """The same without that permission."""
    play.tell.begin("A referral whose end the school is not told")
    task = _task(play, "checkup", "adilson")
    _work_off(play, task, "Seen on Friday")
    poll(play.hub, "clinic-fhir")
    play.tell.must(play.referral_state("checkup") == "completed", "Adilson's referral is completed")
    state, reason = play.settled("adilson", "district", "outcome")
    play.tell.must(state == "withheld", f"the outcome is withheld ({state}, {reason})")
    seen = play.school.call("GET", f"/v1/referrals/{play.referrals['checkup']}", purpose="REFOUT")
    play.tell.must(seen.status_code == NOT_FOUND, "the school is told nothing")
    play.tell.say(
        "Adilson's check-up is done too. The school asks, and the answer is the same as if there were nothing."
    )
    play.tell.why("his mother let the clinic see, but gave the school no word of how it ends")


def _task(play: Play, name: str, key: str) -> str:
    state, reason = play.settled(key, CLINIC, "referral", count=2)
    play.tell.must(state == "delivered", f"the referral {name} reaches the clinic ({reason})")
    tasks = [t for t in play.stage.clinic.resources("Task") if t["status"] == "requested"]
    mine = [t for t in tasks if _about(play, t, name)]
    play.tell.must(len(mine) == 1, f"one Task stands for the referral {name} (of {len(tasks)})")
    return str(mine[0]["id"])


def _about(play: Play, task: dict[str, Any], name: str) -> bool:
    kind, _, identifier = task["focus"]["reference"].partition("/")
    request = json.dumps(play.stage.clinic.read(kind, identifier))
    return {"asthma": "asthma action plan", "checkup": "check-up"}[name] in request.lower()


def _work_off(play: Play, task: str, words: str) -> None:
    clinic = play.stage.clinic
    clinic.task_transition(task, "accepted")
    clinic.task_transition(task, "in-progress")
    subject = clinic.read("Task", task)["for"]
    done = {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": words},
        "subject": subject,
        "performedDateTime": "2026-11-21T10:00:00-05:00",
    }
    clinic.task_transition(task, "completed", output_procedure=done)


def nobody_permitted(play: Play) -> None:
    """The mentoring group asked for plans, and no family said yes."""
    play.tell.begin("Nobody permitted the mentoring group")
    state, reason = play.settled("maribel", MENTORS, "plan")
    play.tell.must(state == "withheld", f"the mentors' delivery is withheld ({state})")
    play.tell.must(
        not play.stage.mentors.deliveries and not play.stage.mentors.received, "not one byte went there"
    )
    play.tell.say(f"{NAMES[MENTORS]} subscribed to plans. It received nothing; not a connection was opened.")
    play.tell.why(f"{reason_text(reason or '')}; the refusal is in the log")


def stopped(play: Play) -> None:
    """The guardian stops the programme while a delivery waits."""
    play.tell.begin("A stop overtakes a delivery")
    out = play.stage.folder / "out"
    away = play.stage.folder / "out-unreachable"
    out.rename(away)
    note = {
        "kind": "goal-progress",
        "value": {"date": "2026-11-21", "note": "Level K", "achievement": "improving"},
        "topics": ["school"],
    }
    path = f"/v1/children/{play.refs['maribel']}/plan/contributions"
    play.school.call("POST", path, {"contributions": [note]})
    wait_for(
        lambda: ("pending", "folder") in play.deliveries("maribel", PROGRAMME, "plan"),
        "the delivery waits for the folder",
    )
    play.tell.say(
        "The plan changes, but the programme's folder cannot be reached: the new sheet waits in its lane."
    )
    done = permission.revoke(
        play.hub,
        play.children["maribel"],
        play.permits["club"],
        by_link=play.guardians["maribel"],
        actor=f"guardian:{play.guardians['maribel']}",
        reason="family-stopped",
    )
    play.tell.must(isinstance(done, Changed), "the stop is recorded")
    play.tell.say("Maribel's mother stops the programme. The folder comes back a moment later.")
    before = len(_plan_sheets(away))
    away.rename(out)
    _try_now(play, PROGRAMME, "maribel")
    state, reason = play.settled("maribel", PROGRAMME, "plan")
    play.tell.must(state == "withheld", f"the waiting delivery is withheld ({state})")
    recalled, _ = play.settled("maribel", PROGRAMME, "recall")
    play.tell.must(recalled == "delivered", f"the recall reaches the programme ({recalled})")
    play.tell.must(len(_plan_sheets(out)) == before, "no new sheet of the plan appeared")
    play.tell.say("The delivery is withheld; no sheet of the plan appears.")
    play.tell.why(f"consent is decided again right before each send, and by then {reason_text(reason or '')}")
    play.tell.say("What appears is one line that asks the programme to take back what it has.")


def _plan_sheets(folder: Path) -> list[Path]:
    """The sheets in the folder that are no recall."""
    return [
        sheet
        for sheet in folder.glob("*.csv")
        if not sheet.read_text(encoding="utf-8-sig").startswith(recall_sending.SHEET[0])
    ]


def _try_now(play: Play, recipient: str, key: str) -> None:
    """Let a waiting lane be due at once, so that nobody has to watch a back-off run out."""
    with play.hub.db.transaction() as conn:
        conn.exec_driver_sql(
            "UPDATE lane SET next_at = now() WHERE recipient = %s AND child_id = %s",
            (recipient, play.children[key]),
        )
        conn.exec_driver_sql("NOTIFY planhub_lane")


def who_saw_what(play: Play) -> None:
    """The guardian asks, and gets every line, her own reading included."""
    play.tell.begin("Who saw what")
    found = accounting.who_saw_what(
        play.hub,
        play.children["maribel"],
        guardian_link=play.guardians["maribel"],
        requester=f"guardian:{play.guardians['maribel']}",
    )
    play.tell.must(isinstance(found, Accounting), "the guardian is told")
    assert isinstance(found, Accounting)
    kinds = [line.entry.kind for line in found.lines]
    play.tell.must(
        EntryKind.DISCLOSURE in kinds and EntryKind.WITHHELD in kinds, "both kinds of entry are there"
    )
    play.tell.say(f"Maribel's mother asks. Her page has {len(found.lines)} lines; the last ones read:")
    for line in found.lines[-6:]:
        play.tell.say(f"  {line.sentence}")


def the_log(play: Play) -> None:
    """Everything is re-derived from the log's own bytes."""
    play.tell.begin("The log holds")
    report = verify_ledger(play.hub)
    play.tell.must(report.sound, f"the log verifies ({report.faults[:3]})")
    play.tell.say(
        f"{report.size} entries, {report.checkpoints} signed checkpoints, all re-derived from their bytes: nothing is missing, nothing was changed."
    )
    play.tell.say(
        f"Head {report.root.hex()[:16]}…; any copy of it that somebody keeps will show if a line is ever altered."
    )
