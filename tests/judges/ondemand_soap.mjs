// The On Demand sandbox judged by `soap`, an independent SOAP client: told { wsdl, user, password }, says what came.
import soap from "soap";

const told = JSON.parse(process.argv[2]);

async function client(name, password = told.password) {
  const made = await soap.createClientAsync(`${told.wsdl}/${name}.wsdl`);
  made.setSecurity(new soap.WSSecurity(told.user, password, { passwordType: "PasswordText", hasTimeStamp: false }));
  return made;
}

async function fault(call) {
  try {
    await call();
    return "none";
  } catch (error) {
    const said = error.root?.Envelope?.Body?.Fault;
    return said ? String(said.faultcode?.$value ?? said.faultcode) : String(error);
  }
}

const many = (value) => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

const cti = await client("CTIActivity");
const interaction = {
  InteractionId: "900000000051", AgentOfferTime: "1287786900", ChannelType: "Inbound Call", Origin: told.number,
  Destination: "18003849503", Priority: "2-Medium", Queue: "Support",
};
const inserted = [];
for (let turn = 0; turn < 2; turn += 1) {
  const [answer] = await cti.CTIActivityInsertAsync({ ListOfInteraction: { Interaction: [interaction] } });
  inserted.push(...many(answer.ListOfActivity.Activity));
}
const ended = [];
const key = { InteractionId: "900000000051", AgentOfferTime: "1287786900", ChannelType: "Inbound Call" };
for (const one of [key, key, { ...key, InteractionId: "nobody" }]) {
  const [answer] = await cti.CTIActivityWrapUpAsync({ ListOfInteraction: { Interaction: [one] } });
  ended.push(many(answer.ListOfActivity.Activity)[0].Status);
}

const contacts = await client("Contact");
async function page(start) {
  const [answer] = await contacts.ContactQueryPageAsync({
    ViewMode: "Broadest",
    ListOfContact: {
      attributes: { pagesize: "3", startrownum: String(start), recordcountneeded: "true" },
      Contact: { attributes: { searchspec: "[ContactLastName] LIKE '*'" }, Id: "", ContactFullName: "" },
    },
  });
  const list = answer.ListOfContact;
  return { last: list.attributes.lastpage, count: Number(list.attributes.recordcount), names: many(list.Contact).map((one) => one.ContactFullName) };
}
const first = await page(0);
const last = await page(first.count - 1);

const upserts = await client("Contact-1.0");
const ids = [];
for (const name of ["Lovelace", "King"]) {
  const row = { ExternalSystemId: "judged-1", ContactFirstName: "Ada", ContactLastName: name };
  const [answer] = await upserts.ContactInsertOrUpdateAsync({ ListOfContact: { Contact: [row] } });
  ids.push(many(answer.ListOfContact.Contact)[0].Id);
}

const wrong = await client("Contact", "not the password");
const refused = await fault(() => wrong.ContactQueryPageAsync({ ListOfContact: { attributes: { pagesize: "1" }, Contact: { Id: "" } } }));
const nokey = await fault(() => upserts.ContactInsertOrUpdateAsync({ ListOfContact: { Contact: [{ ContactEmail: "d@d.example" }] } }));

console.log(JSON.stringify({ inserted, ended, first, last, ids, refused, nokey }));
