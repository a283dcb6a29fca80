"""REST: the hooks that forges post to, and what came in."""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.permissions import TOOLS
from portal.tools.api import maintained, person
from portal.webhooks import operations
from portal.webhooks.models import Arrival, Hook
from portal.webhooks.serializers import (
    ArrivalDetailSerializer,
    ArrivalSerializer,
    HookInputSerializer,
    HookSerializer,
    HookWithSecretSerializer,
    NewHookSerializer,
)


def _hook(request: Request, name: str, pk: int) -> Hook:
    return get_object_or_404(maintained(request, name).hooks.select_related("tool"), pk=pk)


def _with_secret(hook: Hook, secret: str, code: int) -> Response:
    data = {**HookSerializer(hook).data, "secret": secret}
    return Response(data, status=code, headers={"Cache-Control": "no-store"})


class MaintainerView(APIView):
    required_role = "maintainer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]


class HookList(MaintainerView):
    """The hooks that start builds. POST makes one; its secret is in that answer only."""

    @extend_schema(responses=HookSerializer(many=True))
    def get(self, request: Request, name: str) -> Response:
        hooks: QuerySet[Hook] = maintained(request, name).hooks.select_related("tool")
        return Response(HookSerializer(hooks, many=True).data)

    @extend_schema(request=NewHookSerializer, responses={201: HookWithSecretSerializer})
    def post(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        new = NewHookSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        hook, secret = operations.create_hook(
            tool, by=person(request), at=timezone.now(), **new.validated_data
        )
        return _with_secret(hook, secret, status.HTTP_201_CREATED)


class HookDetail(MaintainerView):
    @extend_schema(responses=HookSerializer)
    def get(self, request: Request, name: str, pk: int) -> Response:
        return Response(HookSerializer(_hook(request, name, pk)).data)

    @extend_schema(request=HookInputSerializer, responses=HookSerializer)
    def patch(self, request: Request, name: str, pk: int) -> Response:
        hook = _hook(request, name, pk)
        change = HookInputSerializer(data=request.data)
        change.is_valid(raise_exception=True)
        operations.edit_hook(hook, by=person(request), at=timezone.now(), **change.validated_data)
        return Response(HookSerializer(hook).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, pk: int) -> Response:
        operations.delete_hook(_hook(request, name, pk), by=person(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class HookSecret(MaintainerView):
    """A new secret; the one before fits for a while yet."""

    @extend_schema(request=None, responses=HookWithSecretSerializer)
    def post(self, request: Request, name: str, pk: int) -> Response:
        hook = _hook(request, name, pk)
        secret = operations.rotate_secret(hook, by=person(request), at=timezone.now())
        return _with_secret(hook, secret, status.HTTP_200_OK)


class ArrivalList(generics.ListAPIView):
    """What was posted to a hook, newest first, and what was decided about it."""

    required_role = "maintainer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]
    serializer_class = ArrivalSerializer

    def get_queryset(self) -> QuerySet[Arrival]:
        if getattr(self, "swagger_fake_view", False):
            return Arrival.objects.none()
        hook = _hook(self.request, self.kwargs["name"], self.kwargs["pk"])
        arrivals: QuerySet[Arrival] = hook.arrivals.defer("payload", "push")
        return arrivals.select_related("build__tool", "asked_by")


def _arrival(request: Request, name: str, pk: int, number: int) -> Arrival:
    arrivals = _hook(request, name, pk).arrivals.select_related("build", "asked_by", "hook__tool")
    return get_object_or_404(arrivals, pk=number)


class ArrivalDetail(MaintainerView):
    @extend_schema(responses=ArrivalDetailSerializer)
    def get(self, request: Request, name: str, pk: int, number: int) -> Response:
        return Response(ArrivalDetailSerializer(_arrival(request, name, pk, number)).data)


class ArrivalAgain(MaintainerView):
    """Decide anew about a push, with the hook's rules as they are now; may start a build."""

    @extend_schema(request=None, responses={201: ArrivalSerializer})
    def post(self, request: Request, name: str, pk: int, number: int) -> Response:
        arrival = _arrival(request, name, pk, number)
        again = operations.decide_again(arrival, by=person(request), at=timezone.now())
        return Response(ArrivalSerializer(again).data, status=status.HTTP_201_CREATED)


HOOKS = "tools/<slug:name>/hooks/"
DELIVERY = f"{HOOKS}<int:pk>/deliveries/<int:number>/"
urlpatterns = [
    path(HOOKS, HookList.as_view(), name="api_hooks"),
    path(f"{HOOKS}<int:pk>/", HookDetail.as_view(), name="api_hook"),
    path(f"{HOOKS}<int:pk>/secret/", HookSecret.as_view(), name="api_hook_secret"),
    path(f"{HOOKS}<int:pk>/deliveries/", ArrivalList.as_view(), name="api_arrivals"),
    path(DELIVERY, ArrivalDetail.as_view(), name="api_arrival"),
    path(f"{DELIVERY}redeliver/", ArrivalAgain.as_view(), name="api_arrival_again"),
]
