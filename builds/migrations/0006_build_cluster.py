import django.db.models.deletion
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def place_where_the_tool_lives(apps, _editor):
    """Until now a tool could not be moved, so what was built is where it lives."""
    tools = apps.get_model('tools', 'Tool').objects.filter(pk=OuterRef('tool'))
    builds = apps.get_model('builds', 'Build').objects
    builds.exclude(tool__cluster=None).update(cluster=Subquery(tools.values('cluster')))


class Migration(migrations.Migration):

    dependencies = [
        ('builds', '0005_build_cache'),
        ('clusters', '0001_initial'),
        ('tools', '0002_tool_cluster'),
    ]

    operations = [
        migrations.AddField(
            model_name='build',
            name='cluster',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='builds', to='clusters.cluster'),
        ),
        migrations.RunPython(place_where_the_tool_lives, migrations.RunPython.noop),
    ]
