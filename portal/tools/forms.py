"""Forms about tools. The rules are the operations' and models'."""

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.tools.models import Membership, Tool
from portal.tools.names import LICENSES


class EditForm(forms.ModelForm):
    version = forms.IntegerField(widget=forms.HiddenInput)

    class Meta:
        model = Tool
        fields = ["title", "description", "license", "repository"]
        widgets = {
            "description": forms.Textarea(attrs={"rows": 4}),
            "license": forms.TextInput(attrs={"list": "licenses", "autocomplete": "off"}),
            "repository": forms.TextInput(attrs={"inputmode": "url"}),
        }

    licenses = LICENSES


class RegisterForm(EditForm):
    version = None  # type: ignore[assignment]

    class Meta(EditForm.Meta):
        fields = ["name", *EditForm.Meta.fields]


class InviteForm(forms.Form):
    username = forms.CharField(
        label=_("User name"),
        max_length=255,
        help_text=_("As in the wiki. They see the invitation here when they sign in."),
    )
    role = forms.ChoiceField(label=_("Role"), choices=Membership.Role.choices)


class VariableForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=100)
    value = forms.CharField(
        label=_("Value"), strip=False, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    is_secret = forms.BooleanField(
        label=_("Secret: never shown again, and removed from logs"), required=False, initial=True
    )
    for_build = forms.BooleanField(label=_("Builds get it"), required=False)
    for_run = forms.BooleanField(label=_("The webservice gets it"), required=False, initial=True)

    def clean_value(self) -> str:
        """What was typed: browsers send each line's end as two characters, whatever it was."""
        value: str = self.cleaned_data["value"]
        return value.replace("\r\n", "\n")
