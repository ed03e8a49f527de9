import pytest

from crm.commands.apps import create_app
from crm.errors import Conflict, NotFound
from templates_app.commands import (
    WriteTemplate,
    create_template,
    delete_template,
    find_template,
    replace_template,
)
from templates_app.models import Template

pytestmark = pytest.mark.django_db


def ask(uid="welcome", **said):
    return WriteTemplate(**{"uid": uid, "name": "Welcome", "content": {"ver": 1}, **said})


def test_a_template_is_stored_whole(app):
    created = create_template(app=app, ask=ask())
    stored = find_template(app=app, uid="welcome")
    assert (stored.name, stored.content) == ("Welcome", {"ver": 1})
    assert created.created_at == stored.created_at == stored.updated_at


def test_a_uid_is_taken_once_in_an_app(app):
    create_template(app=app, ask=ask())
    create_template(app=create_app(name="Other").app, ask=ask())
    with pytest.raises(Conflict, match="uid: This uid is taken"):
        create_template(app=app, ask=ask(name="Second"))
    assert find_template(app=app, uid="welcome").name == "Welcome"


def test_replacing_leaves_nothing_of_the_old_but_its_age(app):
    created = create_template(app=app, ask=ask(content={"old": 1}))
    replaced = replace_template(app=app, uid="welcome", ask=ask("hello", name="Hi", content={}))
    assert (replaced.pk, replaced.created_at) == (created.pk, created.created_at)
    assert replaced.updated_at > created.updated_at
    stored = Template.objects.get()
    assert (stored.uid, stored.name, stored.content) == ("hello", "Hi", {})


def test_renaming_to_a_taken_uid_changes_nothing(app):
    create_template(app=app, ask=ask())
    create_template(app=app, ask=ask("other"))
    with pytest.raises(Conflict):
        replace_template(app=app, uid="welcome", ask=ask("other", name="Changed"))
    assert set(Template.objects.values_list("uid", "name")) == {
        ("welcome", "Welcome"),
        ("other", "Welcome"),
    }


@pytest.mark.parametrize("uid", ["nobody", "", "WELCOME", "a\0b", "x" * 5000])
def test_what_is_not_there_is_neither_found_nor_replaced_nor_deleted(app, uid):
    create_template(app=app, ask=ask())
    create_template(app=create_app(name="Other").app, ask=ask("nobody"))
    with pytest.raises(NotFound):
        find_template(app=app, uid=uid)
    with pytest.raises(NotFound):
        replace_template(app=app, uid=uid, ask=ask("new"))
    with pytest.raises(NotFound):
        delete_template(app=app, uid=uid)
    assert Template.objects.count() == 2


def test_a_deleted_uid_is_free_again(app):
    create_template(app=app, ask=ask())
    delete_template(app=app, uid="welcome")
    create_template(app=app, ask=ask())
    assert Template.objects.count() == 1
