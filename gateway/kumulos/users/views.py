"""Which request, which command, which response."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from crm.commands.users import clear_attributes, set_attributes
from crm.errors import NotFound
from crm.listing import find_person, find_user, list_people
from gateway.kumulos.schema import INVALID, NOT_FOUND, UNAUTHORISED
from gateway.kumulos.users.requests import read_attributes
from gateway.kumulos.users.responses import (
    AttributesAnswer,
    UserAnswer,
    UsersAnswer,
    attributes_body,
    people_body,
    person_body,
)
from gateway.kumulos.viewset import ServerViewSet
from gateway.rest.body import json_object
from gateway.rest.errors import StatusTable
from gateway.rest.paging import LARGEST, read_page
from gateway.rest.rendering import Response

PAGE = [
    OpenApiParameter("currentPage", int, required=True, description="1 is the first."),
    OpenApiParameter("numberPerPage", int, required=True, description=f"1 to {LARGEST}."),
]


class Users(ServerViewSet):
    """People of one app, as devices and backends made them known."""

    @extend_schema(
        operation_id="users_browse",
        summary="List users and their installs",
        parameters=PAGE,
        responses={200: UsersAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    def browse(self, request: Request) -> Response:
        """List everybody with a name or a device, by when they became known."""
        page = read_page(request.query_params, required=True)
        people = list_people(app=self.app, offset=page.offset, size=page.size)
        return Response(people_body(people, number=page.number))

    @extend_schema(
        summary="Read one user and their installs",
        responses={200: UserAnswer, 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def retrieve(self, request: Request, uid: str) -> Response:
        """Give one user in the form of the list."""
        del request
        return Response(person_body(find_person(app=self.app, uid=uid)))


class Attributes(ServerViewSet):
    """What is known of one user, as one object."""

    @property
    def status_for(self) -> StatusTable:
        """Only deleting calls an unknown user a bad request (seed 001, "Delete attributes")."""
        return {NotFound: 400} if self.action == "destroy" else {}

    @extend_schema(
        summary="Read a user's attributes",
        responses={200: OpenApiTypes.OBJECT, 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def retrieve(self, request: Request, uid: str) -> Response:
        """Give the attributes alone; `{}` where there are none."""
        del request
        return Response(find_user(app=self.app, uid=uid).attributes)

    @extend_schema(
        summary="Set all of a user's attributes",
        request=OpenApiTypes.OBJECT,
        responses={200: AttributesAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    def update(self, request: Request, uid: str) -> Response:
        """Replace all attributes; a user not known yet is created."""
        attributes = read_attributes(json_object(request), uid=uid)
        user = set_attributes(app=self.app, uid=uid, attributes=attributes)
        return Response(attributes_body(user))

    @extend_schema(
        summary="Delete a user's attributes",
        responses={
            204: None,
            400: OpenApiResponse(OpenApiTypes.OBJECT, "No such user in this app."),
            401: UNAUTHORISED,
        },
    )
    def destroy(self, request: Request, uid: str) -> Response:
        """Leave the user without attributes."""
        del request
        clear_attributes(app=self.app, uid=uid)
        return Response(status=204)
