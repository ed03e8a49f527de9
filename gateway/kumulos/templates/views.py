"""Which request, which command, which response."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from gateway.kumulos.schema import INVALID, NOT_FOUND, UNAUTHORISED
from gateway.kumulos.templates.requests import TemplateFields, read_template
from gateway.kumulos.templates.responses import (
    TemplateAnswer,
    TemplatesAnswer,
    template_body,
    templates_body,
)
from gateway.kumulos.viewset import ServerViewSet
from gateway.rest.body import json_object
from gateway.rest.idempotency import once_per_key
from gateway.rest.paging import LARGEST, read_page
from gateway.rest.rendering import Response
from templates_app.commands import (
    create_template,
    delete_template,
    find_template,
    replace_template,
)

PAGE = [
    OpenApiParameter("currentPage", int, description="1, the first, unless said otherwise."),
    OpenApiParameter(
        "numberPerPage", int, description=f"1 to {LARGEST}; 50 unless said otherwise."
    ),
]


class Templates(ServerViewSet):
    """In-app templates of one app. Reading them back is an addition of this gateway."""

    recorded = frozenset({"create", "update", "destroy"})

    @extend_schema(
        operation_id="templates_browse",
        summary="List in-app templates",
        parameters=PAGE,
        responses={200: TemplatesAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    def browse(self, request: Request) -> Response:
        """List templates in the order they were created."""
        page = read_page(request.query_params, required=False)
        templates = self.app.templates.order_by("id")
        shown, total = templates[page.rows], templates.count()
        return Response(templates_body(shown, total=total, number=page.number))

    @extend_schema(
        summary="Read an in-app template",
        responses={200: TemplateAnswer, 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def retrieve(self, request: Request, uid: str) -> Response:
        """Give one template."""
        del request
        return Response(template_body(find_template(app=self.app, uid=uid)))

    @extend_schema(
        summary="Create an in-app template",
        request=TemplateFields,
        responses={201: TemplateAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    @once_per_key
    def create(self, request: Request) -> Response:
        """Store a template under a uid of its own."""
        ask = read_template(json_object(request))
        return Response(template_body(create_template(app=self.app, ask=ask)), status=201)

    @extend_schema(
        summary="Replace an in-app template",
        request=TemplateFields,
        responses={200: TemplateAnswer, 401: UNAUTHORISED, 404: NOT_FOUND, 422: INVALID},
    )
    def update(self, request: Request, uid: str) -> Response:
        """Replace all of a template; a different `uid` renames it."""
        find_template(app=self.app, uid=uid)  # an unknown one is 404 whatever the body says
        ask = read_template(json_object(request), uid=uid)
        return Response(template_body(replace_template(app=self.app, uid=uid, ask=ask)))

    @extend_schema(
        summary="Delete an in-app template",
        responses={204: None, 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def destroy(self, request: Request, uid: str) -> Response:
        """Forget a template."""
        del request
        delete_template(app=self.app, uid=uid)
        return Response(status=204)
