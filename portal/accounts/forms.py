"""Forms about accounts."""

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import ApiToken


class TokenForm(forms.Form):
    DAYS = [(30, _("30 days")), (90, _("90 days")), (365, _("a year")), (0, _("no end"))]

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("What it is for, such as “deploy script”.")
    )
    days = forms.TypedChoiceField(label=_("Valid for"), choices=DAYS, coerce=int, initial=90)

    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        choices=ApiToken.Scope.choices,
        initial=[str(scope) for scope in ApiToken.Scope],
        widget=forms.CheckboxSelectMultiple,
    )


class DevelopmentForm(forms.Form):
    username = forms.CharField(max_length=255)
