"""Who hears of what happens to a record: those who watch it, and those who are named."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from portal.accounts.models import User
from stories import mentions
from stories.models import Comment, Notification, Record, Watch

Level = Watch.Level


def tell(
    record: Record,
    text: str,
    *,
    by: User | None,
    at: datetime,
    levels: Sequence[str] = (Level.ALL,),
    mentioned: Collection[User] = (),
    told: Collection[int] = (),
    comment: Comment | None = None,
) -> set[int]:
    """One notice for each person, none for whoever did it. Who is named hears at every level.

    Returns whom it told, as primary keys; those in `told` know already.
    """
    watching = record.watches.filter(level__in=levels, user__is_active=True)
    named = {each.pk for each in mentioned}
    people = {*watching.values_list("user_id", flat=True), *named} - set(told)
    people.discard(by.pk if by else None)
    Notification.objects.bulk_create(
        Notification(
            user_id=pk,
            record=record,
            comment=comment,
            text=text[:500],
            at=at,
            is_mention=pk in named,
        )
        for pk in sorted(people)
    )
    return people


def watch_by_default(record: Record, people: Iterable[User]) -> None:
    """Who once chose a level keeps it, also the one that asks for silence."""
    Watch.objects.bulk_create(
        [Watch(record=record, user=each) for each in people], ignore_conflicts=True
    )


def owners(record: Record) -> set[User]:
    """The account that the owner's name is of, and those that it mentions. Often it is a role."""
    if not record.owner:
        return set()
    return mentions.people({(record.owner,), *mentions.names_in([record.owner])})
