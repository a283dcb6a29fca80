"""What a tool uses of what it may, all of it: builds, images and webservice."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from builds.usage import used_by_builds
from portal.tools.models import Tool
from portal.tools.quotas import UNITS, Resource, first_excess, limits_of
from portal.webservices.models import Webservice

# From so many per cent on a bar warns.
NEAR = 80


@dataclass(frozen=True)
class Use:
    """One resource: what is used, and what may be."""

    resource: Resource
    used: int
    limit: int

    @property
    def label(self) -> str:
        return str(UNITS[self.resource].label)

    @property
    def shown_used(self) -> str:
        return UNITS[self.resource].show(self.used)

    @property
    def shown_limit(self) -> str:
        return UNITS[self.resource].show(self.limit)

    @property
    def percent(self) -> int:
        return 100 * self.used // self.limit if self.limit else 100

    @property
    def level(self) -> str:
        if self.percent >= 100:
            return "full"
        return "near" if self.percent >= NEAR else "fine"


def uses_of(tool: Tool, *, now: datetime) -> list[Use]:
    """In seven queries, however much there is."""
    used: dict[Resource, int] = used_by_builds(tool, now=now)
    webservice = Webservice.objects.filter(tool=tool, is_wanted=True).first()
    used |= needs(webservice.configuration) if webservice else dict.fromkeys(needs({}), 0)
    limits = limits_of(tool)
    return [Use(resource, used[resource], limits[resource]) for resource in Resource]


def needs(configuration: Mapping[str, Any]) -> dict[Resource, int]:
    """What all replicas of a configuration need together, when there are most of them."""
    replicas = max(configuration.get("replicas", 0), configuration.get("max_replicas", 0))
    return {
        Resource.REPLICAS: replicas,
        Resource.MEMORY: replicas * configuration.get("memory_bytes", 0),
        Resource.CPU: replicas * configuration.get("cpu_millis", 0),
    }


def excess(tool: Tool, configuration: Mapping[str, Any]) -> str:
    """Why the tool may not run this, in words; "" if it may."""
    wanted = ((resource, 0, asked) for resource, asked in needs(configuration).items())
    return first_excess(tool, limits_of(tool), wanted)
