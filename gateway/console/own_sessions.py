"""An operator's own sessions: where they are signed in, and an end to any of it."""

from typing import Any

from allauth.usersessions.models import UserSession
from allauth.usersessions.views import ListUserSessionsView
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse


class OwnSessions(ListUserSessionsView):
    """The list, a button for each session that is not this one, and one for all of them."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """End the session named, or all but this one."""
        named = request.POST.get("session", "")
        if not named:
            answer: HttpResponse = super().post(request, *args, **kwargs)
            return answer
        own = UserSession.objects.filter(user=request.user.pk)
        found = own.filter(pk=int(named)).first() if named.isdecimal() else None
        if found is not None and not found.is_current():
            found.end()
            messages.success(request, "That session has ended.")
        return HttpResponseRedirect(reverse("usersessions_list"))
