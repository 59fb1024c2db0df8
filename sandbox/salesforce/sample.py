"""What the organisation begins with: the sample's people, a campaign that has them as members, some open cases."""

from __future__ import annotations

import datetime as dt

from hub.store.sample.people import sample_people
from sandbox.salesforce.org import Org
from sandbox.salesforce.sign_in import USERNAME

CAMPAIGN = "Spring 2026"


def fill(org: Org, rows: int, seed: int) -> None:
    """Fill an empty organisation with `rows` people. All of it is older than any index's delay."""
    at = org.moment() - dt.timedelta(days=30)
    org.me = org.insert("User", {"Username": USERNAME, "Email": "patchbay@example.com", "IsActive": True}, at)
    owners: dict[str, str] = {}

    def owner(mail: str | None) -> str:
        if not mail:
            return org.me
        if mail not in owners:
            owners[mail] = org.insert("User", {"Username": mail, "Email": mail, "IsActive": True}, at)
        return owners[mail]

    sample = sample_people(seed)
    accounts: dict[str, str] = {}
    companies = {row["account_key"]: row for row in sample.accounts}

    def account(key: str | None) -> str | None:
        if key is not None and key not in accounts:
            row = companies[key]
            values = {"Name": row["name"], "Phone": row["phone"], "Website": row.get("website"),
                      "BillingCountryCode": row["country"], "Hub_Key__c": key,
                      "OwnerId": owner(row.get("owner"))}  # fmt: skip
            accounts[key] = org.insert("Account", values, at)
        return accounts.get(key) if key else None

    campaign = org.insert("Campaign", {"Name": CAMPAIGN, "IsActive": True, "Status": "In Progress"}, at)
    leads = max(1, rows // 6)
    for row in sample.contacts[: rows - leads]:
        id = org.insert("Contact", {
            "FirstName": row["first_name"], "LastName": row["last_name"], "Email": row.get("email"),
            "Phone": row.get("phone"), "MobilePhone": row.get("mobile"),
            "AccountId": account(row.get("account")), "MailingCountryCode": row["country"],
            "DoNotCall": bool(row.get("do_not_call")), "Phone_Consent__c": bool(row.get("consent")),
            "Hub_Key__c": row["contact_key"], "OwnerId": owner(row.get("owner")),
        }, at)  # fmt: skip
        org.insert("CampaignMember", {"CampaignId": campaign, "ContactId": id}, at)
    for row in sample.leads[:leads]:
        id = org.insert("Lead", {
            "FirstName": row["first_name"], "LastName": row["last_name"], "Email": row.get("email"),
            "Phone": row.get("phone"), "MobilePhone": row.get("mobile"),
            "Company": row.get("company") or "[not provided]", "CountryCode": row["country"],
            "DoNotCall": bool(row.get("do_not_call")), "Phone_Consent__c": bool(row.get("consent")),
            "Hub_Key__c": row["lead_key"], "OwnerId": owner(row.get("owner")),
        }, at)  # fmt: skip
        org.insert("CampaignMember", {"CampaignId": campaign, "LeadId": id}, at)
    for contact in list(org.all("Contact"))[:5]:
        org.insert("Case", {"Subject": "The invoice is wrong", "ContactId": contact["Id"], "Origin": "Phone"}, at)
