"""Rows are deleted with what hangs on them, as the models say: tables that exist for these tests alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, models
from django.test.utils import isolate_apps

from whatsapp_monitoring_app.services import deletion

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 10, 5, 8, 0, tzinfo=UTC)


class Tables:
    """A table of parents, and whatever hangs on them."""

    def __init__(self) -> None:
        self.parent = self.add("Parent", at=models.DateTimeField())
        self.made: list[type[models.Model]] = []

    def add(self, name: str, /, **fields: models.Field[Any, Any]) -> Any:
        meta = type("Meta", (), {"app_label": "whatsapp_monitoring_app"})
        return type(name, (models.Model,), {"__module__": __name__, "Meta": meta, **fields})

    def child(self, on_delete: Any, name: str = "Child", **more: Any) -> Any:
        return self.add(name, parent=models.ForeignKey(self.parent, on_delete, null=True, **more))

    def make(self, *children: type[models.Model]) -> list[Any]:
        """Create the tables, and three parents."""
        with connection.schema_editor() as editor:
            for model in (self.parent, *children):
                editor.create_model(model)
        self.made = list(children)
        at = [NOW + timedelta(hours=n) for n in range(3)]
        return [self.parent.objects.create(at=each) for each in at]

    def delete(self, size: int = 10, after: deletion.Place | None = None) -> deletion.Batch:
        return deletion.delete_oldest(self.parent.objects.all(), "at", after, size)


@pytest.fixture
def tables() -> Iterator[Tables]:
    with isolate_apps("whatsapp_monitoring_app"):
        yield Tables()


def test_the_oldest_go_first_and_the_next_batch_follows_them(tables: Tables):
    _first, second, third = tables.make()
    batch = tables.delete(size=2)
    assert batch == deletion.Batch(2, (second.at, second.pk))
    assert list(tables.parent.objects.all()) == [third]
    assert tables.delete(after=batch.last) == deletion.Batch(1, (third.at, third.pk))
    assert tables.delete() == deletion.Batch(0, None)


def test_rows_of_one_moment_are_told_apart_by_their_keys(tables: Tables):
    parents = tables.make()
    tables.parent.objects.update(at=NOW)
    assert tables.delete(after=(NOW, parents[1].pk)) == deletion.Batch(1, (NOW, parents[2].pk))


def test_children_go_with_their_parent_though_the_parent_does_not_know_them(tables: Tables):
    hidden = tables.child(models.CASCADE, related_name="+")
    first, second, third = tables.make(hidden)
    for parent in (first, first, second, third):
        hidden.objects.create(parent=parent)
    assert tables.delete(size=2).deleted == 2
    assert [child.parent for child in hidden.objects.all()] == [third]


def test_who_can_do_without_a_parent_forgets_it(tables: Tables):
    child = tables.child(models.SET_NULL)
    first, _second, third = tables.make(child)
    forgetful, faithful = child.objects.create(parent=first), child.objects.create(parent=third)
    assert tables.delete(size=2).deleted == 2
    assert list(child.objects.order_by("pk").values_list("pk", "parent")) == [
        (forgetful.pk, None),
        (faithful.pk, third.pk),
    ]


@pytest.mark.parametrize("on_delete", [models.PROTECT, models.RESTRICT], ids=["protect", "restrict"])
def test_a_parent_that_somebody_needs_stays_with_all_that_hangs_on_it(tables: Tables, on_delete: Any):
    needy, child = tables.child(on_delete, "Needy"), tables.child(models.CASCADE)
    first, second, third = tables.make(needy, child)
    needy.objects.create(parent=second)
    for parent in (first, second):
        child.objects.create(parent=parent)
    assert tables.delete() == deletion.Batch(2, (third.at, third.pk))
    assert list(tables.parent.objects.all()) == [second]
    assert [each.parent for each in child.objects.all()] == [second]


@pytest.mark.parametrize(
    "on_delete", [models.DO_NOTHING, models.SET_DEFAULT, models.SET(None)], ids=["nothing", "default", "value"]
)
def test_what_nobody_has_thought_of_is_refused(tables: Tables, on_delete: Any):
    tables.child(on_delete, default=None)
    with pytest.raises(deletion.Unhandled, match=r"Child\.parent"):
        deletion.children_of(tables.parent)


def test_what_hangs_on_a_child_is_refused(tables: Tables):
    child = tables.child(models.CASCADE)
    tables.add("Grandchild", child=models.ForeignKey(child, models.CASCADE))
    with pytest.raises(deletion.Unhandled, match=r"something hangs on Child too"):
        deletion.children_of(tables.parent)


def test_a_reference_to_something_else_than_the_key_is_refused(tables: Tables):
    tables.parent = tables.add("Other", name=models.CharField(max_length=9, unique=True))
    tables.child(models.CASCADE, to_field="name")
    with pytest.raises(deletion.Unhandled, match=r"something else than the key of Other"):
        deletion.children_of(tables.parent)
