"""Forms about accounts."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import ApiToken, User


class TokenForm(forms.Form):
    DAYS = [(30, _("30 days")), (90, _("90 days")), (365, _("a year")), (0, _("no end"))]

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("What it is for, such as “deploy script”.")
    )
    days = forms.TypedChoiceField(label=_("Valid for"), choices=DAYS, coerce=int, initial=90)
    tool = forms.ChoiceField(
        label=_("For"),
        required=False,
        help_text=_("A token for one tool is refused everywhere else."),
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        choices=ApiToken.Scope.choices,
        initial=[str(scope) for scope in ApiToken.Scope],
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        names = user.tools.order_by("name").values_list("name", flat=True)
        field = self.fields["tool"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("all my tools")), *((name, name) for name in names)]

    def wanted(self, now: datetime) -> dict[str, Any]:
        """What `issue_token` takes."""
        given = self.cleaned_data
        ends = now + timedelta(days=given["days"]) if given["days"] else None
        return {
            "name": given["name"],
            "scopes": given["scopes"],
            "tool_name": given["tool"],
            "expires_at": ends,
        }


class RotateForm(forms.Form):
    HOURS = [(0, _("stops now")), (1, _("works for an hour")), (24, _("works for a day"))]
    HOURS += [(168, _("works for a week"))]

    overlap = forms.TypedChoiceField(
        label=_("The old one"),
        choices=HOURS,
        coerce=lambda hours: timedelta(hours=int(hours)),
        initial=24,
    )


class DevelopmentForm(forms.Form):
    username = forms.CharField(max_length=255)
