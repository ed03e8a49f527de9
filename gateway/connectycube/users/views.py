"""Which request, which command, which response."""

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from crm import directory
from crm.commands.accounts import change_account, delete_account, sign_up
from crm.models import User
from gateway.connectycube.auth import Way
from gateway.connectycube.errors import Forbidden, NeedsUser
from gateway.connectycube.members import Members
from gateway.connectycube.pagination import page_body, read_page
from gateway.connectycube.schema import (
    BAD_REQUEST,
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    SESSION_OR_KEY,
    UNAUTHORISED,
)
from gateway.connectycube.users.answers import (
    AccountChangeFields,
    CubeUserAnswer,
    SignUpFields,
    UsersPageAnswer,
    UsersSliceAnswer,
)
from gateway.connectycube.users.filters import MOST_VALUES, read_old_search, read_search
from gateway.connectycube.users.requests import read_change, read_sign_up
from gateway.connectycube.users.responses import user_body
from gateway.connectycube.viewset import ApplicationViewSet
from gateway.rest.idempotency import once_per_key
from gateway.rest.rendering import Response

PAGED = [OpenApiParameter("page", int), OpenApiParameter("per_page", int)]
ONE = {200: CubeUserAnswer, 400: BAD_REQUEST, 401: UNAUTHORISED, 404: NOT_FOUND, 422: INVALID}
PAGE = {200: UsersPageAnswer, 400: BAD_REQUEST, 401: UNAUTHORISED, 422: INVALID}
LONGEST = 1024


def _named(key: str) -> list[OpenApiParameter]:
    return [OpenApiParameter(key, str, required=True)]


class Users(ApplicationViewSet):
    """People of one application: any session reads, and whoever is signed in changes themselves."""

    other_ways = {"POST": Way.KEY}

    @extend_schema(
        summary="Sign somebody up",
        auth=SESSION_OR_KEY,
        request=SignUpFields,
        responses={201: CubeUserAnswer, 400: BAD_REQUEST, 401: UNAUTHORISED, 422: INVALID},
    )
    @once_per_key
    def create(self, request: Request) -> Response:
        """Make somebody known, or claim a person known only by their external id."""
        del request
        user = sign_up(read_sign_up(self.body(), app=self.app))
        return Response({"user": user_body(user)}, status=201)

    @extend_schema(
        summary="List users (first version)",
        operation_id="users_list",
        parameters=[
            *PAGED,
            OpenApiParameter("filter[]", str, many=True),
            OpenApiParameter("order", str),
        ],
        responses=PAGE,
    )
    def browse(self, request: Request) -> Response:
        """List users by id unless `order` says otherwise."""
        del request
        search = read_old_search(self.query())
        return self._page(directory.search(self.app, search.conditions, search.order))

    @extend_schema(
        summary="List users (second version)",
        parameters=[
            OpenApiParameter("limit", int),
            OpenApiParameter("offset", int),
            *(
                OpenApiParameter(name, str)
                for name in (*directory.SORTABLE, directory.TAGS, "sort_asc", "sort_desc")
            ),
        ],
        responses={
            200: UsersSliceAnswer,
            400: BAD_REQUEST,
            401: UNAUTHORISED,
            422: INVALID,
        },
    )
    def browse_v2(self, request: Request) -> Response:
        """List those of whom every condition is true, bare."""
        del request
        search = read_search(self.query())
        found = directory.search(self.app, search.conditions, search.order)
        slice_ = {"limit": search.limit, "skip": search.offset, "total_entries": found.count()}
        return Response({**slice_, "items": [user_body(user) for user in found[search.rows]]})

    @extend_schema(
        summary="List users who have any of some tags",
        parameters=[*_named("tags"), *PAGED],
        responses=PAGE,
    )
    def browse_by_tags(self, request: Request) -> Response:
        """List users by tags."""
        del request
        members = Members(self.query())
        tags = members.names("tags", at_most=MOST_VALUES)
        members.check()
        return self._page(directory.tagged(self.app, tags))

    @extend_schema(
        summary="List users whose full name contains a text",
        parameters=[*_named("full_name"), *PAGED],
        responses=PAGE,
    )
    def browse_by_full_name(self, request: Request) -> Response:
        """List users by what they are called."""
        del request
        return self._page(directory.called(self.app, self._asked("full_name")))

    @extend_schema(summary="Read a user", responses=ONE)
    def retrieve(self, request: Request, user_id: int) -> Response:
        """Read the user with this id."""
        del request
        return _shown(directory.find_by_id(app=self.app, number=user_id))

    @extend_schema(summary="Read the user with a login", parameters=_named("login"), responses=ONE)
    def retrieve_by_login(self, request: Request) -> Response:
        """Read a user by login."""
        del request
        return _shown(directory.find_by_login(app=self.app, login=self._asked("login")))

    @extend_schema(
        summary="Read the user with an e-mail address", parameters=_named("email"), responses=ONE
    )
    def retrieve_by_email(self, request: Request) -> Response:
        """Read a user by e-mail."""
        del request
        return _shown(directory.find_by_email(app=self.app, email=self._asked("email")))

    @extend_schema(summary="Read the user with an external id", responses=ONE)
    def retrieve_external(self, request: Request, external_id: str) -> Response:
        """Read a user by an id of the caller's own."""
        del request
        return _shown(directory.find_by_external_id(app=self.app, name=external_id))

    @extend_schema(
        summary="Change oneself",
        request=AccountChangeFields,
        responses={
            200: CubeUserAnswer,
            400: BAD_REQUEST,
            401: UNAUTHORISED,
            403: FORBIDDEN,
            404: NOT_FOUND,
            422: INVALID,
        },
    )
    def update(self, request: Request, user_id: int) -> Response:
        """Change what is said of whoever is signed in."""
        del request
        me = self._myself(directory.find_by_id(app=self.app, number=user_id))
        return _shown(change_account(read_change(self.body(), user=me)))

    @extend_schema(
        summary="Delete oneself",
        responses={200: None, 401: UNAUTHORISED, 403: FORBIDDEN, 404: NOT_FOUND},
    )
    def destroy(self, request: Request, user_id: int) -> Response:
        """Delete whoever is signed in, with their sessions and subscriptions."""
        del request
        return self._delete(directory.find_by_id(app=self.app, number=user_id))

    @extend_schema(
        summary="Delete oneself by an external id",
        responses={200: None, 401: UNAUTHORISED, 403: FORBIDDEN, 404: NOT_FOUND},
    )
    def destroy_external(self, request: Request, external_id: str) -> Response:
        """Delete whoever is signed in, named by the caller's own id."""
        del request
        return self._delete(directory.find_by_external_id(app=self.app, name=external_id))

    def _delete(self, user: User) -> Response:
        delete_account(self._myself(user))
        self.session = None  # it went along
        return Response(status=200)

    def _myself(self, user: User) -> User:
        if self.user is None:
            raise NeedsUser
        if user.pk != self.user.pk:
            raise Forbidden
        return user

    def _asked(self, key: str) -> str:
        members = Members(self.query())
        value = members.text(key, at_most=LONGEST, required=True)
        members.check()
        return value or ""

    def _page(self, found: QuerySet[User]) -> Response:
        page = read_page(self.query())
        items = [{"user": user_body(user)} for user in found[page.rows]]
        return Response(page_body(page, total=found.count(), items=items))


def _shown(user: User) -> Response:
    return Response({"user": user_body(user)})
