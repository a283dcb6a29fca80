"""Forms about accounts."""

from django import forms
from django.utils.translation import gettext_lazy as _


class TokenForm(forms.Form):
    DAYS = [(30, _("30 days")), (90, _("90 days")), (365, _("a year")), (0, _("no end"))]

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("What it is for, such as “deploy script”.")
    )
    days = forms.TypedChoiceField(label=_("Valid for"), choices=DAYS, coerce=int, initial=90)


class DevelopmentForm(forms.Form):
    username = forms.CharField(max_length=255)
