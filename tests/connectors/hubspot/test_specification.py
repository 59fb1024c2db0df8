"""The HubSpot sandbox's answers against HubSpot's public specification, as HubSpot's generated client holds them to it.

`hubspot-sdk` is made from that specification and, told to be strict, refuses an answer that is not of its schema: a word
that is missing, of another type, or none of a list of words. One thing is left out: the specification has no null in a
record's properties, the service tells one for every property that is asked for and empty.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from hubspot_sdk import APIResponseValidationError, APIStatusError, HubSpot
from hubspot_sdk.types.shared import ErrorData

from sandbox.frame import Served, serving
from sandbox.hubspot import HubSpotSandbox

AT = "2026-11-23T10:02:00Z"
CALL_TO_CONTACT: Any = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(HubSpotSandbox(rows=20)) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> HubSpot:
    token = served.sandbox.token  # type: ignore[attr-defined]
    return HubSpot(access_token=token, base_url=served.url, max_retries=0, _strict_response_validation=True)


@pytest.fixture(scope="module")
def contact(client: HubSpot) -> str:
    values = {"email": "spec@example.com", "firstname": "Spec"}
    return client.crm.objects.generic_objects.create("contacts", properties=values, associations=[]).id


@pytest.fixture(scope="module")
def call(client: HubSpot, contact: str) -> str:
    told: Any = [{"to": {"id": contact}, "types": CALL_TO_CONTACT}]
    values = {"hs_timestamp": AT, "hub_key": "spec"}
    return client.crm.objects.generic_objects.create("calls", properties=values, associations=told).id


def test_records_are_of_the_schema(client: HubSpot, contact: str) -> None:
    records = client.crm.objects.generic_objects
    assert records.get(contact, object_type="contacts", properties=["email"]).properties["email"] == "spec@example.com"
    assert records.get("spec@example.com", object_type="contacts", id_property="email").id == contact
    assert records.update(contact, object_type="contacts", properties={"lastname": "X"}).properties["lastname"] == "X"
    assert len([one.id for one in records.list("contacts", limit=7)]) == 21  # page by page
    filters: Any = [{"filters": [{"propertyName": "email", "operator": "EQ", "value": "spec@example.com"}]}]
    found = records.search("contacts", filter_groups=filters, properties=["email"], limit=1, after="0", sorts=[])
    assert (found.total, found.results[0].id) == (1, contact)


def test_batches_are_of_the_schema_whether_all_or_half(client: HubSpot, contact: str, call: str) -> None:
    batch = client.crm.objects.generic_objects.batch
    made = batch.create("contacts", inputs=[{"properties": {"email": "a@example.com"}, "associations": []}])
    assert batch.update("contacts", inputs=[{"id": made.results[0].id, "properties": {"lastname": "Y"}}]).results
    read = batch.get(
        "contacts", inputs=[{"id": contact}, {"id": "99999"}], properties=["email"], properties_with_history=[]
    )
    assert [one.id for one in read.results] == [contact]
    told: Any = [{"id": key, "idProperty": "hub_key", "properties": {"hs_timestamp": AT, **more}, "objectWriteTraceId": key}
                 for key, more in (("spec", {}), ("bad", {"hs_call_status": "NOPE"}))]  # fmt: skip
    half: Any = batch.upsert("calls", inputs=told)
    assert [one.id for one in half.results] == [call] and half.results[0].new is False
    batch.delete("contacts", inputs=[{"id": made.results[0].id}])


def test_associations_are_of_the_schema(client: HubSpot, contact: str, call: str) -> None:
    associations = client.crm.associations
    assert [one.to_object_id for one in associations.list("contacts", object_type="calls", object_id=call)] == [contact]
    assert associations.create(
        contact, from_object_type="calls", from_object_id=call, to_object_type="contacts"
    ).results
    pair: Any = {"from": {"id": call}, "to": {"id": contact}}
    missing: Any = {"from": {"id": call}, "to": {"id": "99999"}}
    half = associations.batch.create_default("contacts", from_object_type="calls", inputs=[missing, pair])
    assert len(half.results) == half.num_errors == 1 and half.errors and half.errors[0].category == "OBJECT_NOT_FOUND"
    typed = associations.batch.create("contacts", from_object_type="calls", inputs=[{**pair, "types": CALL_TO_CONTACT}])
    assert typed.results[0].to_object_id == contact
    assert associations.batch.get("contacts", from_object_type="calls", inputs=[{"id": call}]).results
    assert associations.update_labels(
        contact, object_type="calls", object_id=call, to_object_type="contacts", body=CALL_TO_CONTACT
    )


def test_lists_properties_owners_and_the_account_are_of_the_schema(client: HubSpot, contact: str) -> None:
    lists = client.crm.lists
    assert client.account.get().portal_id
    assert {"email", "hub_key"} <= {one.name for one in client.crm.properties.list("contacts").results}
    assert client.crm.properties.get("email", object_type="contacts").has_unique_value
    owners = list(client.crm.owners.list())
    assert client.crm.owners.get(int(owners[0].id)).email == owners[0].email
    made = lists.create(name="Spec", object_type_id="0-1", processing_type="MANUAL").list
    assert lists.get(made.list_id).list.name == "Spec"
    assert lists.add_memberships(made.list_id, body=[contact]).records_ids_added == [contact]
    assert [one.record_id for one in lists.list_memberships(made.list_id, limit=5)] == [contact]
    found = lists.list_by_search(list_ids=[made.list_id], processing_types=[], offset=0, count=5)
    size = (found.lists[0].model_extra or {})["additionalProperties"][
        "hs_list_size"
    ]  # a word that Python's client renames
    assert (found.lists[0].name, size) == ("Spec", "1")
    assert lists.remove_memberships(made.list_id, body=[contact]).record_ids_removed == [contact]


def test_an_export_is_of_the_schema(client: HubSpot, contact: str) -> None:
    exports = client.crm.exports
    id = exports.create_async(
        associated_object_type=[], export_internal_values_options=["NAMES", "VALUES"], export_name="Spec", format="CSV",
        export_type="VIEW", include_labeled_associations=False, language="EN", object_type="CONTACT",
        include_primary_display_property_for_associated_objects=False, object_properties=["hs_object_id", "email"],
        override_associated_objects_per_definition_per_row_limit=False,
    ).id  # fmt: skip
    told = [exports.get_status(int(id)) for _ in range(3)]
    assert [one.status for one in told] == ["PENDING", "PROCESSING", "COMPLETE"] and told[-1].result
    with urllib.request.urlopen(told[-1].result) as file:
        assert f'"{contact}","spec@example.com"' in file.read().decode()
    assert exports.get(int(id)).record_count == len(list(client.crm.objects.generic_objects.list("contacts")))


@pytest.mark.parametrize("fault", ["", "expired", "forbidden", "secondly", "locked"])
def test_refusals_are_of_the_schema(served: Served, client: HubSpot, fault: str) -> None:
    if fault:
        served.sandbox.faults.set(fault)
    with pytest.raises(APIStatusError) as refused:
        client.crm.objects.generic_objects.create("calls", properties={"hs_call_status": "NOPE"}, associations=[])
    told = ErrorData.model_validate(refused.value.body)
    assert told.category and told.message and told.correlation_id
    assert fault or (told.errors and told.errors[0].context == {"propertyName": ["hs_timestamp"]})


def test_the_judge_can_say_no(served: Served, client: HubSpot) -> None:
    portal = served.sandbox.portal  # type: ignore[attr-defined]
    portal.owners["1"] = {"id": "1", "email": "half@example.com"}
    try:
        with pytest.raises(APIResponseValidationError):
            client.crm.owners.get(1)
    finally:
        del portal.owners["1"]
