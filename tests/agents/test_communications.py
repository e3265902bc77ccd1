"""Who may say what to whom, said once; requests by their table, and what is refused."""

from functools import partial

import pytest
from django.db import IntegrityError, transaction

from agents.errors import InvalidInput, TellingRefused
from agents.graphs.colleagues import PassOn
from agents.ids import new_id
from agents.lifecycle import ChildrenNeeded, SessionStatus, WaitKind
from agents.models import AgentCommunication, AgentEvent, AgentSession
from agents.roles import Level
from agents.services import communications, endings, requests, sessions, waits
from agents.services.communications import MAY_TELL, Direction, Message
from agents.services.leases import Holding
from agents.services.sessions import Start
from agents.words import CommunicationType
from tests.factories import make_mission, running
from tests.races import at_once

K = CommunicationType
OF_DELEGATION = {K.TASK_ASSIGNMENT, K.RESULT, K.ERROR, K.REPLY}


@transaction.atomic
def below(parent: AgentSession, level: Level, *names: str) -> list[AgentSession]:
    """Agents under another one, all at work."""
    starts = [Start(agent_type="test", level=level, name=name, goal="help", input={}) for name in names]
    question = waits.Question(f"i{names}", WaitKind.CHILDREN, "work", {}, "help", "work")
    return waits.delegate(sessions.lock(parent.pk), question, starts, needs=ChildrenNeeded.ALL, needed=0)


@pytest.fixture
def team(db):
    """A queen over two architects, the first over two specialists, the first of these over two workers."""
    queen = running(make_mission())
    ann, bob = below(queen, Level.ARCHITECT, "ann", "bob")
    cat, dan = below(ann, Level.SPECIALIST, "cat", "dan")
    eve, fay = below(cat, Level.WORKER, "eve", "fay")
    return {"queen": queen, "ann": ann, "bob": bob, "cat": cat, "dan": dan, "eve": eve, "fay": fay}


def tell(sender: AgentSession, to: AgentSession, kind: K, message_id=None, **content) -> bool:
    with transaction.atomic():
        return communications.tell(sessions.lock(sender.pk), message_id or new_id(), Message(kind, content), to=to.pk)


@transaction.atomic
def ask(asker: AgentSession, to: AgentSession, kind: K = K.VALIDATION, key: str = "q", **more) -> AgentCommunication:
    question = waits.Question(f"interrupt:{key}", WaitKind.REPLY, key, {}, "an answer", "doubt")
    requests.ask(
        sessions.lock(asker.pk), question, Message(kind, {"n": 1}), to=to.pk, seconds=more.pop("seconds", 60.0)
    )
    return AgentCommunication.objects.get(wait__interrupt_id=question.interrupt_id, processed_at=None)


SPEC = {
    Level.QUEEN: {K.STRATEGIC_DECISION, K.QUALITY_GATE, K.PERFORMANCE},
    Level.ARCHITECT: {K.PEER_MESSAGE, K.DESIGN_CONSISTENCY, K.RESOURCE_SHARING, K.ESCALATION},
    Level.SPECIALIST: {K.KNOWLEDGE_SHARING, K.VALIDATION, K.SYNTHESIS, K.RESOURCE_REALLOCATION},
    Level.WORKER: {K.BATCH, K.ESCALATION, K.PERFORMANCE},
}


@pytest.mark.parametrize("level", Level)
def test_each_level_has_its_kinds_and_what_goes_with_delegations_nobody_says(level):
    assert SPEC[level] <= set(MAY_TELL[level])
    assert not OF_DELEGATION & set(MAY_TELL[level])


PLACES = [
    ("queen", "ann", Direction.DOWN),
    ("ann", "queen", Direction.UP),
    ("ann", "bob", Direction.PEERS),
    ("ann", "cat", Direction.DOWN),
    ("cat", "ann", Direction.UP),
    ("cat", "dan", Direction.PEERS),
    ("cat", "eve", Direction.DOWN),
    ("eve", "cat", Direction.UP),
    ("eve", "fay", Direction.PEERS),
]


def test_every_kind_goes_where_the_table_says_and_nowhere_else(team):
    for sender, receiver, direction in PLACES:
        for kind in K:
            allowed = direction in MAY_TELL[Level(team[sender].level)].get(kind, frozenset())
            if allowed:
                assert tell(team[sender], team[receiver], kind)
            else:
                with pytest.raises(TellingRefused, match=rf"^An? {team[sender].level} has no"):
                    tell(team[sender], team[receiver], kind)


@pytest.mark.parametrize(
    ("sender", "receiver"),
    [("queen", "cat"), ("cat", "queen"), ("bob", "cat"), ("dan", "eve"), ("ann", "ann"), ("eve", "dan")],
)
def test_who_does_not_work_together_does_not_talk(team, sender, receiver):
    for kind in MAY_TELL[Level(team[sender].level)]:
        with pytest.raises(TellingRefused):
            tell(team[sender], team[receiver], kind)
    assert AgentCommunication.objects.exclude(message_type=K.TASK_ASSIGNMENT).count() == 0


def test_agents_of_two_missions_do_not_talk(team):
    stranger = below(running(make_mission()), Level.ARCHITECT, "zoe")[0]
    with pytest.raises(TellingRefused, match="do not work together"):
        tell(team["ann"], stranger, K.PEER_MESSAGE)
    with pytest.raises(TellingRefused, match="above, below and beside"):
        tell(stranger, make_mission(), K.PEER_MESSAGE)
    with pytest.raises(TellingRefused, match="works alone"), transaction.atomic():
        alone = running(make_mission(level=Level.WORKER))
        communications.tell(sessions.lock(alone.pk), new_id(), Message(K.BATCH, {}))


def test_what_is_said_twice_is_there_once_with_one_event(team):
    message_id = new_id()
    assert tell(team["cat"], team["dan"], K.SYNTHESIS, message_id, text="one")
    assert not tell(team["cat"], team["dan"], K.SYNTHESIS, message_id, text="two")
    assert AgentCommunication.objects.get(pk=message_id).message_content == {"text": "one"}
    assert AgentEvent.objects.filter(aggregate_id=message_id).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_that_say_the_same_at_once_one_does():
    queen = running(make_mission())
    ann, bob = below(queen, Level.ARCHITECT, "ann", "bob")
    said = partial(tell, ann, bob, K.PEER_MESSAGE, new_id())
    assert sorted(at_once(said, said, said)) == [False, False, True]


@pytest.mark.parametrize("content", [{"x": "y" * 70_000}, {"x": {1, 2}}, {"x": "a\0b"}, {"x\0": 1}])
def test_what_cannot_be_kept_is_refused(team, content):
    with pytest.raises(InvalidInput):
        tell(team["cat"], team["dan"], K.SYNTHESIS, **content)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e12])
def test_a_request_needs_a_time_out_that_makes_sense(team, seconds):
    with pytest.raises(InvalidInput):
        ask(team["cat"], team["dan"], seconds=seconds)


def test_a_request_is_put_once_however_often_the_agent_parks(team):
    first = ask(team["cat"], team["dan"])
    assert ask(team["cat"], team["dan"]) == first
    assert AgentCommunication.objects.filter(wait__isnull=False).count() == 1
    wait = first.wait
    assert first.response_timeout.total_seconds() == 60
    assert wait.due_at >= wait.created_at + first.response_timeout


def test_only_the_kinds_of_the_table_can_be_asked(team):
    with pytest.raises(TellingRefused):
        ask(team["eve"], team["fay"], K.VALIDATION)
    with pytest.raises(TellingRefused):
        ask(team["cat"], team["eve"], K.VALIDATION)


def test_the_end_of_an_agent_closes_its_task_and_leaves_requests_to_their_own_end(team):
    request = ask(team["cat"], team["dan"])
    with transaction.atomic():
        endings.finish(sessions.lock(running(team["dan"]).pk), endings.Ending(SessionStatus.SUCCEEDED))
    request.refresh_from_db()
    assert request.processed_at is None  # decided under the lock of who asked, after the commit
    requests.attend(team["dan"].pk)
    request.refresh_from_db()
    assert request.outcome == "declined"
    assert request.wait.answered_at
    task = AgentCommunication.objects.get(receiver_session=team["dan"], message_type=K.TASK_ASSIGNMENT)
    assert task.processed_at
    assert task.followers.get().message_type == K.RESULT


def test_a_second_reply_to_a_request_cannot_be_stored(team):
    request = ask(team["cat"], team["dan"])
    dan = running(team["dan"], 3)
    assert requests.answer(Holding(dan.pk, 3), request.pk, {"fine": True})
    assert not requests.answer(Holding(dan.pk, 3), request.pk, {"fine": False})
    reply = request.followers.get()
    reply.pk = new_id()
    with pytest.raises(IntegrityError, match="communication_reply_once"), transaction.atomic():
        reply.save(force_insert=True)


def test_a_request_goes_up_the_levels_and_its_answer_comes_back_to_who_asked(team):
    request = ask(team["eve"], team["cat"], K.ESCALATION)
    cat, ann = running(team["cat"], 2), running(team["ann"], 2)
    assert requests.answer(Holding(cat.pk, 2), request.pk, PassOn("it is beyond me"))
    above = request.followers.get()
    assert (above.sender_session, above.receiver_session, above.wait) == (cat, ann, request.wait)
    assert above.message_content == {"n": 1, "passed_on": ["cat: it is beyond me"]}
    assert requests.answer(Holding(ann.pk, 2), above.pk, {"verdict": "skip"})
    request.wait.refresh_from_db()
    assert request.wait.answer["value"] == {
        "outcome": "answered",
        "by": "ann",
        "content": {"verdict": "skip"},
        "missing": "",
    }
    reply = above.followers.get()
    assert (reply.sender_session, reply.receiver_session) == (ann, team["eve"])
