"""The form that configures a webservice."""

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.webservices.models import Webservice


class ConfigureForm(forms.ModelForm):
    class Meta:
        model = Webservice
        fields = ["replicas", "health_check_path"]
        labels = {"replicas": _("Replicas"), "health_check_path": _("Health check path")}
        help_texts = {
            "replicas": _("How many processes share the requests."),
            "health_check_path": _(
                "On / every answer below 500 counts as healthy, elsewhere below 400. "
                "A change starts a new release."
            ),
        }
