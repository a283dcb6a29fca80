"""The form that starts a build."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from builds.operations import BuildRefused, Source, check_source


class BuildForm(forms.Form):
    source_url = forms.CharField(
        label=_("Git URL"),
        max_length=500,
        help_text=_("An https address that anyone may clone."),
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "url"}),
    )
    ref = forms.CharField(
        label=_("Branch, tag or commit"),
        max_length=255,
        required=False,
        help_text=_("Empty means the repository's default branch."),
    )
    subdirectory = forms.CharField(
        label=_("Directory in the repository"),
        max_length=255,
        required=False,
        help_text=_("Empty means the top."),
    )
    deploy_when_built = forms.BooleanField(
        label=_("Deploy when the build succeeds"), required=False
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            self.source = check_source(
                Source(cleaned["source_url"], cleaned["ref"], cleaned["subdirectory"])
            )
        except BuildRefused as refusal:
            self.add_error(refusal.field or None, str(refusal))
        return cleaned
