"""Clusters, moves of tools between them, and their registries."""

from portal.clusters.models.clusters import Cluster, Relocation, RelocationMove
from portal.clusters.models.marks import WatchMark
from portal.clusters.models.registries import RegistryPlace, RegistryState

__all__ = ["Cluster", "RegistryPlace", "RegistryState", "Relocation", "RelocationMove", "WatchMark"]
