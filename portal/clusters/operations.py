"""What administrators may do with clusters; HTML and REST call these."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError, Q
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.clusters.models import Cluster, RegistryState, Relocation
from portal.refusals import Refused
from portal.tools.operations import record_event

EDITABLE = (
    "way", "kubeconfig", "context", "server", "token_file", "ca_file", "tools_url",
    "ingress_class", "ingress_namespace", "tls_secret", "registry", "registry_kind",
    "registry_is_insecure", "harbor_account_file", "push_credentials_file",
    "pull_credentials_file", "builder", "run_image", "git_image", "open_blocks", "is_default",
    "target_version",
)  # fmt: skip


class ClusterRefusedChange(Refused):
    """A cluster's row stays as it is."""


def add_cluster(*, name: str, by: User, at: datetime, **fields: Any) -> Cluster:  # noqa: ANN401
    """A new cluster; it is looked at right away."""
    cluster = Cluster(name=name, created_at=at, **fields)
    return _save(cluster, by=by, at=at, action="cluster.added", before=None)


def edit_cluster(cluster: Cluster, *, by: User, at: datetime, **fields: Any) -> Cluster:  # noqa: ANN401
    before = {name: getattr(cluster, name) for name in fields}
    for name, value in fields.items():
        setattr(cluster, name, value)
    return _save(cluster, by=by, at=at, action="cluster.edited", before=before)


def _save(
    cluster: Cluster, *, by: User, at: datetime, action: str, before: Mapping[str, Any] | None
) -> Cluster:
    cluster.next_check_at, cluster.inspected_at = at, None
    with transaction.atomic():
        if cluster.is_default:
            Cluster.objects.exclude(pk=cluster.pk).update(is_default=False)
        try:
            cluster.full_clean()
        except ValidationError as error:
            field, sentences = next(iter(error.message_dict.items()))
            raise ClusterRefusedChange(" ".join(sentences), field=field) from error
        cluster.save()
        RegistryState.objects.update_or_create(cluster=cluster, defaults={"next_look_at": at})
        cluster.registry_places.update(failures=0, next_look_at=at)
        after = {name: getattr(cluster, name) for name in before or EDITABLE}
        record_event(
            None, by=by, action=action, summary=cluster.name, before=before, after=after, at=at
        )
    return cluster


def remove_cluster(cluster: Cluster, *, by: User, at: datetime) -> None:
    """Forget a cluster that no tool lives on; nothing in it is touched."""
    moving = Relocation.objects.unfinished().filter(Q(source=cluster) | Q(target=cluster))
    with transaction.atomic():
        if moving.exists():
            raise ClusterRefusedChange(
                _("Tools are on their way to this cluster or from it. Wait for the end of it.")
            )
        record_event(None, by=by, action="cluster.removed", summary=cluster.name, at=at)
        try:
            cluster.delete()
        except ProtectedError as error:
            raise ClusterRefusedChange(
                _("Tools live on this cluster. Move them to another one first.")
            ) from error


def rotate_credentials(cluster: Cluster, *, tool: str = "", by: User | None, at: datetime) -> int:
    """New robots in the cluster's Harbor for all tools, or for one, soon; how many tools.

    The old ones are good until the new ones' Secrets are in place and what began before is over.
    """
    if not cluster.has_harbor:
        raise ClusterRefusedChange(
            _("Only a Harbor's credentials are made by the portal; change the files of this one.")
        )
    places = cluster.registry_places.filter(remove_after=None)
    if tool:
        places = places.filter(tool__name=tool)
        if not places.exists():
            raise ClusterRefusedChange(_("This tool has no place there."), field="tool")
    with transaction.atomic():
        count = places.update(is_rotating=True, failures=0, next_look_at=at)
        summary = f"{cluster.name}: {tool or count}"
        record_event(None, by=by, action="cluster.credentials-rotated", summary=summary, at=at)
    return count
