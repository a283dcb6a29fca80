"""REST: the variables of a tool."""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.permissions import TOOLS
from portal.tools import operations
from portal.tools.api.callers import maintained, person
from portal.tools.models import EnvVar
from portal.tools.serializers import VariableSerializer


class VariableList(APIView):
    """The tool's variables. POST creates or replaces one; it takes effect with the next release."""

    required_role = "maintainer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=VariableSerializer(many=True))
    def get(self, request: Request, name: str) -> Response:
        variables: QuerySet[EnvVar] = maintained(request, name).variables.all()
        return Response(VariableSerializer(variables, many=True).data)

    @extend_schema(request=VariableSerializer, responses={201: VariableSerializer})
    def post(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        new = VariableSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        variable = operations.set_variable(
            tool, by=person(request), at=timezone.now(), **new.validated_data
        )
        return Response(VariableSerializer(variable).data, status=status.HTTP_201_CREATED)


class VariableDetail(APIView):
    required_role = "maintainer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, variable: str) -> Response:
        found = get_object_or_404(maintained(request, name).variables, name=variable)
        operations.delete_variable(found, by=person(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)
