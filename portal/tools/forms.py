"""Forms about tools. The rules are the operations' and models'."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.tools.models import Membership, Tool
from portal.tools.names import LICENSES, LINK_LENGTH, LINKS


class ToolForm(forms.ModelForm):
    licenses = LICENSES

    class Meta:
        model = Tool
        fields = ["title", "description", "license", "repository"]
        widgets = {
            "description": forms.Textarea(attrs={"rows": 4}),
            "license": forms.TextInput(attrs={"list": "licenses", "autocomplete": "off"}),
            "repository": forms.TextInput(attrs={"inputmode": "url"}),
        }


class RegisterForm(ToolForm):
    class Meta(ToolForm.Meta):
        fields = ["name", *ToolForm.Meta.fields]


class EditForm(ToolForm):
    """Links are one field each; together they are the tool's `links`."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    keywords = forms.CharField(
        label=_("Keywords"), required=False, max_length=1100, help_text=_("Separated by commas.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.initial["keywords"] = ", ".join(self.instance.keywords)
        for kind, label in LINKS.items():
            self.fields[kind] = forms.CharField(
                label=label,
                required=False,
                max_length=LINK_LENGTH,
                initial=self.instance.links.get(kind, ""),
                widget=forms.TextInput(attrs={"inputmode": "url"}),
            )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        addresses = {kind: given.pop(kind, "") for kind in LINKS}
        given["links"] = {kind: url for kind, url in addresses.items() if url}
        words = [word.strip() for word in given.get("keywords", "").split(",")]
        given["keywords"] = list(dict.fromkeys(word for word in words if word))
        return given


class ToolinfoForm(forms.Form):
    toolinfo = forms.CharField(
        label=_("Paste it"),
        required=False,
        strip=False,
        max_length=1024 * 1024,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "dir": "ltr"}),
    )
    file = forms.FileField(label=_("Or choose a file"), required=False)
    url = forms.CharField(
        label=_("Or give its https address"),
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "url"}),
    )


class AdoptForm(forms.Form):
    why = forms.CharField(
        label=_("Why you should keep it"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("What is wrong with it now, what you will do, and whom you tried to reach."),
    )


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
