import django.core.validators
import portal.webservices.models
from django.db import migrations, models


def fill(apps, schema_editor):
    """What runs keeps its name; releases that were made get the configuration of today."""
    Replica = apps.get_model("webservices", "Replica")
    for replica in Replica.objects.select_related("release__webservice__tool"):
        release = replica.release
        name = f"{release.webservice.tool.name}-r{release.number}-{replica.index}"
        Replica.objects.filter(pk=replica.pk).update(name=name)
    Release = apps.get_model("webservices", "Release")
    for webservice in apps.get_model("webservices", "Webservice").objects.all():
        Release.objects.filter(webservice=webservice).update(
            replicas=webservice.replicas, health_check_path=webservice.health_check_path
        )


class Migration(migrations.Migration):

    dependencies = [("webservices", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(
            name="release", options={"base_manager_name": "objects", "ordering": ["-pk"]}
        ),
        *(
            migrations.AddField(model, name, field)
            for model in ("webservice", "release")
            for name, field in (
                ("cpu_millis", models.PositiveIntegerField(default=portal.webservices.models.usual_cpu)),
                ("memory_bytes", models.PositiveBigIntegerField(default=portal.webservices.models.usual_memory)),
            )
        ),
        migrations.AddField(
            "release",
            "replicas",
            models.PositiveSmallIntegerField(
                default=1, validators=[django.core.validators.MinValueValidator(1)]
            ),
        ),
        migrations.AddField(
            "release",
            "health_check_path",
            models.CharField(
                default="/",
                max_length=200,
                validators=[
                    django.core.validators.RegexValidator("\\A/[!-~]*\\Z", "Begin with /; no spaces.")
                ],
            ),
        ),
        migrations.AddField("release", "cause", models.CharField(default="deployed", max_length=16)),
        migrations.AddField("release", "is_pinned", models.BooleanField(default=False)),
        migrations.AddField(
            "release", "rolled_back_to", models.PositiveIntegerField(blank=True, null=True)
        ),
        migrations.AddField("release", "variables", models.JSONField(blank=True, default=dict)),
        migrations.AlterField(
            "replica",
            "release",
            models.ForeignKey(
                on_delete=models.CASCADE, related_name="processes", to="webservices.release"
            ),
        ),
        migrations.AddField("replica", "name", models.CharField(max_length=63, null=True)),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField("replica", "name", models.CharField(max_length=63, unique=True)),
    ]
