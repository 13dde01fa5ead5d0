"""What an auditor gets of a change: who asked for it and who agreed stand behind every action that it let through."""

import json
import zipfile

from tests.changecontrol.given import LOOSER, make
from tests.changecontrol.test_looking import ask


def test_a_pack_brings_both_people_who_put_the_policies_of_an_action_into_force(shop, tmp_path):
    asked = make(shop, "maria", LOOSER)
    put = make(shop, "tom", LOOSER)
    made = ask(shop, "55.00")
    shop.audit.export(tmp_path / "a.zip", action_id=made.decision_id, by="ada", why="the audit of 2026")
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        lines = packed.read("entries.jsonl").splitlines()
    kinds = {said["pos"]: said["entry"]["kind"] for said in map(json.loads, lines)}
    assert (kinds[asked.entry], kinds[put.entry]) == ("activate_asked", "activated")
    assert 1 not in kinds  # of policies that this action did not meet
