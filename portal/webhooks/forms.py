"""Forms about webhooks. The rules are the operations'."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.webhooks.events import EVENTS
from portal.webhooks.models import Hook


class LinesField(forms.CharField):
    """Several values, one a line."""

    widget = forms.Textarea(attrs={"rows": 2, "spellcheck": "false"})

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(required=False, max_length=12_000, **options)

    def prepare_value(self, value: Any) -> Any:  # noqa: ANN401
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:  # noqa: ANN401
        return str(super().clean(value)).splitlines()


class HookForm(forms.Form):
    branches = LinesField(
        label=_("Branches"),
        initial=["main", "master"],
        help_text=_(
            "One a line. * stands for anything within one level, ** for several: release/*. "
            "Empty means every branch."
        ),
    )
    include = LinesField(
        label=_("Only when these files change"),
        help_text=_("One pattern a line, such as web/** or *.py. Empty means any file."),
    )
    exclude = LinesField(
        label=_("Not when only these files change"), help_text=_("For example docs/**")
    )
    subdirectory = forms.CharField(
        label=_("Directory in the repository"),
        max_length=255,
        required=False,
        help_text=_("What is built. Empty means the top."),
    )
    builds_tags = forms.BooleanField(label=_("Build tags too"), required=False)
    deploy = forms.BooleanField(
        label=_("Deploy when the build succeeds"), required=False, initial=True
    )
    is_active = forms.BooleanField(label=_("Switched on"), required=False, initial=True)


class NewHookForm(HookForm):
    sender = forms.ChoiceField(label=_("Who sends"), choices=Hook.Sender.choices)
    field_order = ["sender"]


class SubscriptionForm(forms.Form):
    url = forms.CharField(
        label=_("Address"),
        max_length=1000,
        help_text=_("An https address of a public host. Redirects are not followed."),
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off"}),
    )
    events = forms.MultipleChoiceField(
        label=_("It is called when"),
        choices=list(EVENTS.items()),
        initial=list(EVENTS),
        widget=forms.CheckboxSelectMultiple,
    )
    is_active = forms.BooleanField(label=_("Switched on"), required=False, initial=True)
