"""The HubSpot sandbox, judged by a client that we did not write: HubSpot's own for Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hubspot import HubSpot  # type: ignore[import-untyped]
from hubspot.crm.associations.v4 import models as pairs  # type: ignore[import-untyped]
from hubspot.crm.lists import models as lists  # type: ignore[import-untyped]
from hubspot.crm.objects import models  # type: ignore[import-untyped]
from hubspot.crm.objects.exceptions import ApiException  # type: ignore[import-untyped]
from hubspot.crm.properties import models as properties  # type: ignore[import-untyped]

from sandbox.frame import Served, serving
from sandbox.hubspot import HubSpotSandbox


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(HubSpotSandbox(rows=20)) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Any:
    return HubSpot(access_token=served.sandbox.token, host=served.url)


def call(key: str, **values: str) -> Any:
    told = {"hs_timestamp": "2026-11-23T10:02:00Z", "hs_call_title": "Call", "hub_key": key, **values}
    return models.SimplePublicObjectBatchInputUpsert(id=key, id_property="hub_key", properties=told,
                                                     object_write_trace_id=f"trace {key}")  # fmt: skip


def test_calls_are_upserted_and_a_bad_one_is_named(client: Any) -> None:
    batch = client.crm.objects.batch_api
    inputs = [call("a"), call("b", hs_call_status="NO_SUCH"), call("c")]
    first = batch.upsert("calls", models.BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs))
    assert type(first).__name__ == "BatchResponseSimplePublicUpsertObjectWithErrors" and first.num_errors == 1
    assert [(one.new, one.object_write_trace_id) for one in first.results] == [(True, "trace a"), (True, "trace c")]
    assert (
        first.errors[0].context == {"objectWriteTraceId": ["trace b"]}
        and first.errors[0].category == "VALIDATION_ERROR"
    )
    again = batch.upsert("calls", models.BatchInputSimplePublicObjectBatchInputUpsert(inputs=[call("a"), call("c")]))
    assert [one.new for one in again.results] == [False, False] and again.status == "COMPLETE"
    assert [one.id for one in again.results] == [one.id for one in first.results]
    with pytest.raises(ApiException) as refused:
        batch.upsert("calls", models.BatchInputSimplePublicObjectBatchInputUpsert(inputs=[call("a"), call("a")]))
    assert refused.value.status == 400


def test_records_are_made_read_changed_archived(client: Any) -> None:
    basic = client.crm.contacts.basic_api
    made = basic.create({"properties": {"email": "Judge@example.com", "firstname": "Judge"}})
    assert made.properties["email"] == "judge@example.com" and made.created_at.year >= 2026
    with pytest.raises(Exception, match=f"Existing ID: {made.id}"):
        basic.create({"properties": {"email": "judge@example.com"}})
    assert basic.get_by_id("judge@example.com", id_property="email").id == made.id
    basic.update(made.id, {"properties": {"lastname": "Dee"}})
    read = client.crm.contacts.batch_api.read(
        {"inputs": [{"id": made.id}, {"id": "999"}], "properties": ["lastname"], "propertiesWithHistory": []})  # fmt: skip
    assert [one.properties["lastname"] for one in read.results] == ["Dee"] and read.num_errors == 1
    basic.archive(made.id)
    with pytest.raises(Exception, match="404"):
        basic.get_by_id(made.id)


def test_searches_and_listings_page(client: Any) -> None:
    everyone = [one.id for one in client.crm.contacts.get_all()]
    search = client.crm.contacts.search_api
    seen, after = [], None
    while True:
        found = search.do_search({"filterGroups": [], "sorts": ["hs_object_id"], "limit": 7, "properties": ["email"],
                                  **({"after": after} if after else {})})  # fmt: skip
        seen += [one.id for one in found.results]
        if not found.paging:
            break
        after = found.paging.next.after
    assert seen == everyone and found.total == len(everyone)
    token = {
        "propertyName": "hs_searchable_calculated_mobile_number",
        "operator": "CONTAINS_TOKEN",
        "value": "*2345678",
    }
    found = search.do_search({"filterGroups": [{"filters": [token]}], "properties": ["lastname", "mobilephone"]})
    assert [one.properties["lastname"] for one in found.results] == ["Romero Ibáñez"]
    for body in ({"limit": 201}, {"limit": 200, "after": "9900"}, {"filterGroups": [{"filters": [token]}] * 6}):
        with pytest.raises(Exception, match="400"):
            search.do_search(body)


def test_calls_are_associated_and_contacts_merged(client: Any) -> None:
    basic = client.crm.contacts.basic_api
    one, two = (basic.create({"properties": {"lastname": name}}).id for name in ("One", "Two"))
    made = client.crm.objects.basic_api.create("calls", models.SimplePublicObjectInputForCreate(
        properties={"hs_timestamp": "1763892120000"}, associations=[{"to": {"id": one}, "types": [
            {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]}]))  # fmt: skip
    pair = pairs.PublicDefaultAssociationMultiPost(_from={"id": made.id}, to={"id": two})
    batch = client.crm.associations.v4.batch_api
    done = batch.create_default("calls", "contacts", pairs.BatchInputPublicDefaultAssociationMultiPost(inputs=[pair]))
    assert [each.association_spec.association_type_id for each in done.results] == [194]
    there = client.crm.associations.v4.basic_api.get_page("calls", made.id, "contacts")
    assert sorted(str(each.to_object_id) for each in there.results) == sorted([one, two])
    merged = client.crm.contacts.merge_api.merge({"primaryObjectId": one, "objectIdToMerge": two}) if hasattr(
        client.crm.contacts, "merge_api") else None  # fmt: skip
    if merged is not None:
        assert basic.get_by_id(two).id == merged.id == basic.get_by_id(one).id


def test_lists_properties_and_owners_are_told(client: Any) -> None:
    search = lists.ListSearchRequest(query="may be", count=10, offset=0, additional_properties=[])
    found = client.crm.lists.lists_api.do_search(search)
    assert [one.name for one in found.lists] == ["May be called"] and not found.has_more
    id = found.lists[0].list_id
    first = client.crm.lists.memberships_api.get_page(id, limit=3)
    rest = client.crm.lists.memberships_api.get_page(id, limit=250, after=first.paging.next.after)
    members = [one.record_id for one in (*first.results, *rest.results)]
    assert len(members) == len(set(members)) == client.crm.lists.lists_api.get_by_id(id).list.size
    told = {one.name: one for one in client.crm.properties.core_api.get_all("calls").results}
    assert told["hub_key"].has_unique_value and told["hs_call_direction"].options[0].value == "INBOUND"
    new = properties.PropertyCreate(name="crm_ref", label="Reference", type="string", field_type="text",
                                    group_name="information", has_unique_value=True)  # fmt: skip
    assert client.crm.properties.core_api.create("contacts", new).has_unique_value
    owners = client.crm.owners.owners_api.get_page(limit=2)
    assert owners.results[0].email and owners.paging


def test_a_wrong_token_is_refused(served: Served) -> None:
    with pytest.raises(ApiException) as refused:
        HubSpot(access_token="pat-na1-wrong", host=served.url).crm.objects.basic_api.get_page("calls")
    assert refused.value.status == 401 and "INVALID_AUTHENTICATION" in refused.value.body
