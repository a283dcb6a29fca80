"""The form about a cluster. The rules are the operations' and the model's."""

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.clusters.models import Cluster
from portal.clusters.operations import EDITABLE


class ClusterForm(forms.ModelForm):
    class Meta:
        model = Cluster
        fields: tuple[str, ...] = EDITABLE
        widgets = {"open_blocks": forms.Textarea(attrs={"rows": 2})}

    def _post_clean(self) -> None:
        """Leave the object as it is: the operation changes and checks it."""


class NewClusterForm(ClusterForm):
    class Meta(ClusterForm.Meta):
        fields = ("name", *EDITABLE)


class RotateForm(forms.Form):
    tool = forms.CharField(
        label=_("Tool"), max_length=40, required=False, help_text=_("All of them if empty.")
    )
