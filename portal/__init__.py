"""The Django project, and the apps that are neither builds nor stories."""
