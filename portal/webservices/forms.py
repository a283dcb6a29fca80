"""Forms that configure a webservice, and that ask for more and give it."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.clusters.models import Cluster
from portal.tools.models import Tool
from portal.tools.quotas import REASON_LENGTH, UNITS, Resource
from portal.webservices.models import Webservice

MEGABYTE = 1024**2


class ConfigureForm(forms.ModelForm):
    memory = forms.IntegerField(
        label=_("Memory of a replica in MB"), min_value=1, max_value=2**30, required=False
    )
    processors = forms.DecimalField(
        label=_("Processors of a replica"),
        min_value=Decimal("0.05"),
        max_value=1000,
        decimal_places=3,
        required=False,
        widget=forms.NumberInput(attrs={"step": "0.05"}),
    )

    class Meta:
        model = Webservice
        fields = ["replicas", "max_replicas", "health_check_path"]
        labels = {
            "replicas": _("Replicas"),
            "max_replicas": _("Most replicas"),
            "health_check_path": _("Health check path"),
        }
        help_texts = {
            "replicas": _("How many processes share the requests."),
            "max_replicas": _(
                "While they are busy the cluster starts more, up to so many; 0 for never."
            ),
            "health_check_path": _(
                "On / every answer below 500 counts as healthy, elsewhere below 400. "
                "A change starts a new release."
            ),
        }

    def __init__(self, *args: Any, tool: Tool, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        if tool.cluster_id is None:
            del self.fields["max_replicas"]
        self.initial["memory"] = self.instance.memory_bytes // MEGABYTE
        self.initial["processors"] = Decimal(self.instance.cpu_millis) / 1000

    @property
    def configuration(self) -> dict[str, Any]:
        """As the operation takes it; None for what was left empty."""
        given = self.cleaned_data
        memory, processors = given["memory"], given["processors"]
        return {
            "replicas": given["replicas"],
            "max_replicas": given.get("max_replicas"),
            "health_check_path": given["health_check_path"],
            "memory_bytes": memory * MEGABYTE if memory else None,
            "cpu_millis": int(processors * 1000) if processors else None,
        }


class AmountsForm(forms.Form):
    """An amount of each resource, in the units that people use; empty means no change."""

    def __init__(self, *args: Any, amounts: dict[str, int] | None = None, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        for resource in Resource:
            unit = UNITS[resource]
            name = f"{unit.label} ({unit.name})" if unit.name else str(unit.label)
            amount = (amounts or {}).get(resource)
            self.fields[resource] = forms.DecimalField(
                label=name,
                min_value=0,
                max_value=10**9,
                decimal_places=3,
                required=False,
                initial=None if amount is None else (Decimal(amount) / unit.size).normalize(),
                widget=forms.NumberInput(attrs={"step": "any"}),
            )

    @property
    def amounts(self) -> dict[str, int]:
        given = {resource: self.cleaned_data[resource] for resource in Resource}
        return {
            str(resource): int(amount * UNITS[resource].size)
            for resource, amount in given.items()
            if amount is not None
        }


class AskForm(AmountsForm):
    reason = forms.CharField(
        label=_("What do you need it for?"),
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class DecideForm(AmountsForm):
    answer = forms.CharField(
        label=_("Answer"),
        max_length=REASON_LENGTH,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class MoveForm(forms.Form):
    """Where a tool is to be moved to; the machine is the portal's own machine."""

    MACHINE = "."

    def __init__(self, *args: Any, tool: Tool, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        others = Cluster.objects.exclude(pk=tool.cluster_id or 0)
        places = [(each.name, each.name) for each in others]
        if tool.cluster_id:
            places.append((self.MACHINE, str(_("the portal's own machine"))))
        self.fields["cluster"] = forms.ChoiceField(label=_("Move to"), choices=places)

    @property
    def target(self) -> Cluster | None:
        name = self.cleaned_data["cluster"]
        return None if name == self.MACHINE else Cluster.objects.get(name=name)
