"""What a replica in a cluster printed, as one stream of bytes that only grows.

What can be read there does not: logs are rotated, containers start anew. So lines are known by
their times, to the nanosecond, and a replica's row keeps up to which time the stream was counted
and how long it was then. Whoever reads goes on from there, in whatever process.
"""

from portal.cluster.stamps import second_of
from portal.clusters.models import Cluster
from portal.webservices.models import Replica
from portal.webservices.rollout import engine_in, order_of


def output_of(replica: Replica, *, cluster: Cluster, since: int, limit: int) -> tuple[bytes, int]:
    """From byte `since` on, and where it begins; a negative one counts from the end.

    It begins later where older output is gone. Raises ClusterError.
    """
    counted, at = replica.output_size, replica.output_at
    is_about_old = since < counted
    lines = _lines(replica, cluster, after=0 if is_about_old else at)
    old = b"".join(text for time, text in lines if time <= at)
    new = b"".join(text for time, text in lines if time > at)
    if new and not _count(replica, size=counted + len(new), at=max(time for time, _ in lines)):
        # Another reader counted these lines meanwhile.
        replica.refresh_from_db(fields=["output_size", "output_at"])
        return output_of(replica, cluster=cluster, since=since, limit=limit)
    data, begin = (old + new, max(0, counted - len(old))) if is_about_old else (new, counted)
    start = max(begin, since if since >= 0 else begin + len(data) + since)
    return data[start - begin : start - begin + limit], start


def size_of(replica: Replica, *, cluster: Cluster) -> int:
    """How long the stream is by now; reads only what was not counted yet. Raises ClusterError."""
    output_of(replica, cluster=cluster, since=replica.output_size, limit=0)
    return replica.output_size


def _lines(replica: Replica, cluster: Cluster, *, after: int) -> list[tuple[int, bytes]]:
    """The cluster counts in whole seconds: what it repeats is dropped by whoever asked."""
    webservice = replica.release.webservice
    engine = engine_in(cluster, webservice.tool)
    order = order_of(webservice, replica.release, cluster)
    return engine.lines(order, replica.name, since=second_of(after))


def _count(replica: Replica, *, size: int, at: int) -> bool:
    """Note how long the stream is; False if another did so first."""
    same = Replica.objects.filter(pk=replica.pk)
    before = {"output_size": replica.output_size, "output_at": replica.output_at}
    if not same.filter(**before).update(output_size=size, output_at=at) and same.exists():
        return False
    replica.output_size, replica.output_at = size, at
    return True
