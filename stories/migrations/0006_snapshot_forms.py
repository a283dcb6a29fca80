from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('stories', '0005_watching'),
    ]

    operations = [
        migrations.RenameField(
            model_name='revision',
            old_name='snapshot',
            new_name='stored',
        ),
        migrations.AlterField(
            model_name='revision',
            name='schema_version',
            field=models.PositiveSmallIntegerField(),
        ),
    ]
