"""REST: the addresses that the portal calls, how the calls went, and mail."""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.permissions import TOOLS
from portal.tools.api import maintained, person, visible
from portal.webhooks import subscribing
from portal.webhooks.api import MaintainerView
from portal.webhooks.models import Delivery, Subscription
from portal.webhooks.serializers import (
    DeliveryDetailSerializer,
    DeliverySerializer,
    MailSerializer,
    NewSubscriptionSerializer,
    SubscriptionInputSerializer,
    SubscriptionSerializer,
    SubscriptionWithSecretSerializer,
)


def _subscription(request: Request, name: str, pk: int) -> Subscription:
    subscriptions = maintained(request, name).subscriptions.select_related("tool")
    return get_object_or_404(subscriptions, pk=pk)


def _with_secret(subscription: Subscription, secret: str, code: int) -> Response:
    data = {**SubscriptionSerializer(subscription).data, "secret": secret}
    return Response(data, status=code, headers={"Cache-Control": "no-store"})


class SubscriptionList(MaintainerView):
    """The addresses that are called. POST adds one; its secret is in that answer only."""

    @extend_schema(responses=SubscriptionSerializer(many=True))
    def get(self, request: Request, name: str) -> Response:
        subscriptions: QuerySet[Subscription] = maintained(request, name).subscriptions.all()
        return Response(SubscriptionSerializer(subscriptions, many=True).data)

    @extend_schema(
        request=NewSubscriptionSerializer, responses={201: SubscriptionWithSecretSerializer}
    )
    def post(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        new = NewSubscriptionSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        subscription, secret = subscribing.subscribe(
            tool, by=person(request), at=timezone.now(), **new.validated_data
        )
        return _with_secret(subscription, secret, status.HTTP_201_CREATED)


class SubscriptionDetail(MaintainerView):
    @extend_schema(responses=SubscriptionSerializer)
    def get(self, request: Request, name: str, pk: int) -> Response:
        return Response(SubscriptionSerializer(_subscription(request, name, pk)).data)

    @extend_schema(request=SubscriptionInputSerializer, responses=SubscriptionSerializer)
    def patch(self, request: Request, name: str, pk: int) -> Response:
        subscription = _subscription(request, name, pk)
        change = SubscriptionInputSerializer(data=request.data)
        change.is_valid(raise_exception=True)
        subscribing.edit_subscription(
            subscription, by=person(request), at=timezone.now(), **change.validated_data
        )
        return Response(SubscriptionSerializer(subscription).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, pk: int) -> Response:
        subscribing.unsubscribe(
            _subscription(request, name, pk), by=person(request), at=timezone.now()
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class SubscriptionSecret(MaintainerView):
    """A new secret; calls are signed with it from now on."""

    @extend_schema(request=None, responses=SubscriptionWithSecretSerializer)
    def post(self, request: Request, name: str, pk: int) -> Response:
        subscription = _subscription(request, name, pk)
        secret = subscribing.change_secret(subscription, by=person(request), at=timezone.now())
        return _with_secret(subscription, secret, status.HTTP_200_OK)


class SubscriptionTest(MaintainerView):
    """Call the address with a test; the answer is the delivery, which is on its way."""

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, name: str, pk: int) -> Response:
        subscription = _subscription(request, name, pk)
        delivery = subscribing.send_test(subscription, by=person(request), at=timezone.now())
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)


class DeliveryList(generics.ListAPIView):
    """The calls to the tool's subscriptions, newest first."""

    required_role = "maintainer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]
    serializer_class = DeliverySerializer

    @extend_schema(parameters=[OpenApiParameter("subscription", int)])
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Delivery]:
        if getattr(self, "swagger_fake_view", False):
            return Delivery.objects.none()
        deliveries = _calls(self.request, self.kwargs["name"])
        wanted = self.request.query_params.get("subscription", "")
        if wanted:
            known = wanted.isascii() and wanted.isdecimal() and len(wanted) < 16
            return deliveries.filter(subscription=int(wanted)) if known else deliveries.none()
        return deliveries


def _calls(request: Request, name: str) -> QuerySet[Delivery]:
    """Mail is not among them: who gets some is nobody else's business."""
    calls: QuerySet[Delivery] = maintained(request, name).deliveries.exclude(subscription=None)
    return calls.select_related("notice__tool", "subscription__tool", "asked_by")


class DeliveryDetail(MaintainerView):
    @extend_schema(responses=DeliveryDetailSerializer)
    def get(self, request: Request, name: str, pk: int) -> Response:
        return Response(
            DeliveryDetailSerializer(get_object_or_404(_calls(request, name), pk=pk)).data
        )


class DeliveryAgain(MaintainerView):
    """Tell the same notice once more, byte for byte."""

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, name: str, pk: int) -> Response:
        delivery = get_object_or_404(_calls(request, name), pk=pk)
        again = subscribing.deliver_again(delivery, by=person(request), at=timezone.now())
        return Response(DeliverySerializer(again).data, status=status.HTTP_202_ACCEPTED)


class Mail(APIView):
    """What the caller gets mail about."""

    required_role = "viewer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=MailSerializer)
    def get(self, request: Request, name: str) -> Response:
        level = subscribing.mail_level(visible(request, name), person(request))
        return Response({"level": level or "none"})

    @extend_schema(request=MailSerializer, responses=MailSerializer)
    def put(self, request: Request, name: str) -> Response:
        tool = visible(request, name)
        wanted = MailSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        level = wanted.validated_data["level"]
        subscribing.choose_mail(
            tool, user=person(request), level="" if level == "none" else level, at=timezone.now()
        )
        return Response({"level": level})


SUBSCRIPTIONS = "tools/<slug:name>/subscriptions/"
ONE = f"{SUBSCRIPTIONS}<int:pk>/"
DELIVERIES = "tools/<slug:name>/deliveries/"
urlpatterns = [
    path(SUBSCRIPTIONS, SubscriptionList.as_view(), name="api_subscriptions"),
    path(ONE, SubscriptionDetail.as_view(), name="api_subscription"),
    path(f"{ONE}secret/", SubscriptionSecret.as_view(), name="api_subscription_secret"),
    path(f"{ONE}test/", SubscriptionTest.as_view(), name="api_subscription_test"),
    path(DELIVERIES, DeliveryList.as_view(), name="api_deliveries"),
    path(f"{DELIVERIES}<int:pk>/", DeliveryDetail.as_view(), name="api_delivery"),
    path(f"{DELIVERIES}<int:pk>/redeliver/", DeliveryAgain.as_view(), name="api_delivery_again"),
    path("tools/<slug:name>/mail/", Mail.as_view(), name="api_mail"),
]
