// dynamics-web-api drives the Dataverse sandbox: records, upserts, pages, FetchXML with its paging cookie, batches, metadata.
import { DynamicsWebApi } from "dynamics-web-api";

const told = JSON.parse(process.argv[2]);
const api = new DynamicsWebApi({
  serverUrl: told.url,
  dataApi: { version: "9.2" },
  onTokenRefresh: async () => told.token,
});
const refused = async (work) => {
  try {
    await work();
    return null;
  } catch (error) {
    const first = Array.isArray(error) ? error[0] : error; // a batch throws a list
    return { status: first.status, code: first.code ?? first.error?.code };
  }
};
const said = {};

const id = await api.create({ collection: "contacts", data: { firstname: "Ada", lastname: "Judged", telephone1: "+34 612 000 111" } });
said.created = id;
const read = await api.retrieve({ collection: "contacts", key: id, select: ["fullname", "telephone1"] });
said.read = { fullname: read.fullname, etag: read["@odata.etag"] };
said.representation = (await api.create({ collection: "contacts", data: { lastname: "Whole" }, returnRepresentation: true, select: ["fullname"] })).fullname;
await api.update({ collection: "contacts", key: id, data: { jobtitle: "Judge" } });
said.updated = (await api.retrieve({ collection: "contacts", key: id, select: ["jobtitle"] })).jobtitle;
// The client takes 412 for an answer: what was refused is false or null.
said.stale = await api.update({ collection: "contacts", key: id, data: { jobtitle: "x" }, ifmatch: 'W/"1"' });
await api.upsert({ collection: "contacts", key: "new_customerno='J-1'", data: { lastname: "By key" } });
await api.upsert({ collection: "contacts", key: "new_customerno='J-1'", data: { firstname: "Still" } });
said.upserted = (await api.retrieve({ collection: "contacts", key: "new_customerno='J-1'", select: ["fullname"] })).fullname;
said.createOnly = await api.upsert({ collection: "contacts", key: id, data: { lastname: "x" }, ifnonematch: "*" });
said.bound = await api.create({
  collection: "phonecalls",
  data: {
    subject: "Judged",
    directioncode: false,
    "regardingobjectid_contact_phonecall@odata.bind": `/contacts(${id})`,
    phonecall_activity_parties: [
      { "partyid_contact@odata.bind": `/contacts(${id})`, participationtypemask: 1 },
      { addressused: "+34911234567", participationtypemask: 2 },
    ],
  },
});
said.wrongCase = await refused(() =>
  api.create({ collection: "phonecalls", data: { subject: "x", "RegardingObjectId_contact_phonecall@odata.bind": `/contacts(${id})` } }));
said.stateOnCreate = await refused(() => api.create({ collection: "phonecalls", data: { subject: "x", statecode: 1 } }));
await api.update({ collection: "phonecalls", key: said.bound, data: { statecode: 1, statuscode: 4 } });
said.completed = await refused(() => api.update({ collection: "phonecalls", key: said.bound, data: { subject: "late" } }));
const call = await api.retrieve({
  collection: "phonecalls", key: said.bound, select: ["subject", "_regardingobjectid_value", "statecode"],
  expand: [{ property: "phonecall_activity_parties", select: ["participationtypemask", "addressused", "_partyid_value"] }],
  includeAnnotations: "*",
});
said.call = {
  regarding: call["_regardingobjectid_value@Microsoft.Dynamics.CRM.lookuplogicalname"],
  state: call["statecode@OData.Community.Display.V1.FormattedValue"],
  parties: call.phonecall_activity_parties.map((party) => party.participationtypemask).sort(),
};

const first = await api.retrieveMultiple({ collection: "contacts", select: ["fullname"], maxPageSize: 40 });
said.firstPage = first.value.length;
said.hasNext = Boolean(first.oDataNextLink);
said.all = (await api.retrieveAll({ collection: "contacts", select: ["fullname"], filter: "endswith(telephone1,'0%0%0%1%1%1')" })).value.length;
said.tampered = await refused(() => api.retrieveMultiple({ collection: "contacts" }, first.oDataNextLink.replace("pagenumber%3D%222", "pagenumber%3D%223")));
const query = '<fetch count="30"><entity name="contact"><attribute name="fullname"/><order attribute="contactid"/></entity></fetch>';
said.fetched = (await api.fetchAll({ collection: "contacts", fetchXml: query })).value.length;
said.leads = await api.count({ collection: "leads", filter: "statecode eq 0" });
said.counted = await api.countAll({ collection: "contacts", select: ["contactid"] });

api.startBatch();
api.create({ collection: "contacts", data: { lastname: "In a batch" }, contentId: "1" });
api.create({ collection: "contacts", data: { lastname: "L".repeat(51) } });
said.atomic = await refused(() => api.executeBatch());
said.afterAtomic = (await api.retrieveMultiple({ collection: "contacts", filter: "lastname eq 'In a batch'" })).value.length;
api.startBatch();
api.retrieve({ collection: "contacts", key: id, select: ["fullname"] });
api.retrieveMultiple({ collection: "leads", select: ["fullname"], top: 2 });
const batch = await api.executeBatch();
said.batch = [batch[0].fullname, batch[1].value.length];

api.startBatch();
api.create({ collection: "contacts", data: { lastname: "First of two" }, contentId: "1" });
api.create({ collection: "phonecalls", data: { subject: "Second of two", "regardingobjectid_contact_phonecall@odata.bind": "$1" } });
await api.executeBatch();

const tracked = await api.retrieveMultiple({ collection: "accounts", select: ["name"], trackChanges: true });
said.delta = Boolean(tracked["@odata.deltaLink"] || tracked.oDataDeltaLink);
said.entity = (await api.retrieveEntities({ select: ["LogicalName", "EntitySetName"], filter: "LogicalName eq 'contact'" })).value[0].EntitySetName;
said.who = (await api.callFunction({ functionName: "WhoAmI" })).UserId;
await api.deleteRecord({ collection: "contacts", key: id });
said.gone = await refused(() => api.retrieve({ collection: "contacts", key: id }));

console.log(JSON.stringify(said));
