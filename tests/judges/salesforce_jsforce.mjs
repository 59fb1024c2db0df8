// jsforce against the Salesforce sandbox: what came of each thing that it can do, in one line of JSON.
import jsforce from "jsforce";

const told = JSON.parse(process.argv[2]);
const out = {};

// Client credentials, as jsforce sends them.
const conn = new jsforce.Connection({
  instanceUrl: told.url,
  version: "61.0",
  oauth2: { clientId: told.client_id, clientSecret: told.client_secret, loginUrl: told.url },
});
const who = await conn.authorize({ grant_type: "client_credentials" });
out.user = who.id;

// The old SOAP login.
const old = new jsforce.Connection({ loginUrl: told.url, version: "59.0" });
out.soap_user = (await old.login(told.username, told.password + told.security_token)).id;
try {
  await new jsforce.Connection({ loginUrl: told.url, version: "59.0" }).login(told.username, "wrong");
} catch (error) {
  out.soap_refused = String(error.message).split(":")[0];
}

// Records: one, many, upsert of many by external id, partly refused.
const one = await conn.sobject("Contact").create({ LastName: "Judge", Phone: "+34 612 77 88 99", Hub_Key__c: "judge-1" });
out.created = one.success;
out.retrieved = (await conn.sobject("Contact").retrieve(one.id)).Name;
const rows = Array.from({ length: 250 }, (_, n) => ({ Subject: `Call ${n}`, Hub_Key__c: `judge-task-${n}`, WhoId: one.id }));
out.many = (await conn.sobject("Task").create(rows, { allowRecursive: true })).filter((row) => row.success).length;
const changed = rows.slice(0, 3).map((row) => ({ Subject: "Changed", Hub_Key__c: row.Hub_Key__c }));
changed.push({ Subject: "x".repeat(300), Hub_Key__c: "judge-long" });
const upserted = await conn.sobject("Task").upsert(changed, "Hub_Key__c", { allOrNone: false });
out.upserted = upserted.map((row) => row.success);
out.refused = upserted.flatMap((row) => (row.errors || []).map((error) => error.statusCode || error.errorCode));
const single = await conn.sobject("Task").upsert({ Subject: "New / here?", Hub_Key__c: "judge/one?" }, "Hub_Key__c");
out.upserted_one = [single.success, single.created];

// Queries over several answers, with parents; errors.
const found = [];
await new Promise((done, fail) => {
  conn.query("SELECT Id, Subject, Who.Name FROM Task WHERE Hub_Key__c LIKE 'judge-task-%' ORDER BY Hub_Key__c")
    .on("record", (record) => found.push(record)).on("end", done).on("error", fail).run({ autoFetch: true, maxFetch: 1000 });
});
out.queried = found.length;
out.parent = found[0].Who.Name;
let result = await conn.query("SELECT Id FROM Task WHERE Hub_Key__c LIKE 'judge-task-%'");
let pages = 1;
while (!result.done) {
  result = await conn.queryMore(result.nextRecordsUrl);
  pages += 1;
}
out.pages = pages;
try {
  await conn.query("SELECT Nope FROM Task");
} catch (error) {
  out.query_refused = error.errorCode;
}
out.counted = (await conn.query("SELECT COUNT() FROM Task WHERE Subject = 'Changed'")).totalSize;

// Search, describe, list views, limits.
const search = await conn.search("FIND {612778899} IN PHONE FIELDS RETURNING Contact(Id, Name, Phone), Lead(Id)");
out.searched = search.searchRecords.map((record) => [record.attributes.type, record.Name]);
const described = await conn.sobject("Task").describe();
out.described = described.fields.filter((field) => field.externalId).map((field) => field.name);
out.objects = (await conn.describeGlobal()).sobjects.length;
const views = await conn.sobject("Contact").listviews();
out.view = views.listviews[0].label;
out.view_soql = (await conn.sobject("Contact").listview(views.listviews[0].id).describe()).query.startsWith("SELECT");
out.view_rows = (await conn.sobject("Contact").listview(views.listviews[0].id).results()).size > 0;
out.usage = conn.limitInfo.apiUsage.limit;

// Bulk API 2.0, in and out.
const bulk = await conn.bulk2.loadAndWaitForResults({
  object: "Task", operation: "upsert", externalIdFieldName: "Hub_Key__c", pollInterval: 20, pollTimeout: 10000,
  input: [{ Hub_Key__c: "judge-task-0", Subject: "By, \"bulk\"\nnow" }, { Hub_Key__c: "judge-bulk", Subject: "y".repeat(300) }],
});
out.bulk = [bulk.successfulResults.length, bulk.failedResults.length, bulk.unprocessedRecords.length];
out.bulk_error = bulk.failedResults[0].sf__Error.split(":")[0];
const stream = await conn.bulk2.query("SELECT Hub_Key__c, Subject FROM Task WHERE Hub_Key__c LIKE 'judge-task-%'", {
  pollInterval: 20, pollTimeout: 10000,
});
out.exported = (await stream.toArray()).length;

// Composite, and removal.
const composite = await conn.request({
  method: "POST", url: "/services/data/v61.0/composite", headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ allOrNone: true, compositeRequest: [
    { method: "PATCH", url: "/services/data/v61.0/sobjects/Contact/Hub_Key__c/judge-2", referenceId: "c", body: { LastName: "Two" } },
    { method: "PATCH", url: "/services/data/v61.0/sobjects/Task/Hub_Key__c/judge-3", referenceId: "t",
      body: { WhoId: "@{c.id}", CallType: "Sideways" } },
  ] }),
});
out.composite = composite.compositeResponse.map((part) => part.body[0].errorCode);
out.deleted = (await conn.sobject("Contact").destroy([one.id]))[0].success;
console.log(JSON.stringify(out));
