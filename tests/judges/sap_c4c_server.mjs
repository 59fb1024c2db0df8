// An OData v2 server that we did not write: SAP's own @sap/cds with the community's V2 adapter, over a model that is shaped
// like C4C's. It has no csrf and none of C4C's
// oddities; it covers the protocol, ETags and batches. Serves until its input ends.
import { createRequire } from 'node:module'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const require = createRequire(import.meta.url)
process.env.CDS_LOG_LEVELS_CDS = 'error'
console.log = console.info = console.debug = () => {}
const cds = require('@sap/cds')
cds.root = mkdtempSync(join(tmpdir(), 'patchbay-cap-'))

const MODEL = `
  context c4c {
    aspect person {
      key ObjectID : UUID @odata.Type: 'Edm.String';
      Phone : String(40); Mobile : String(40); Email : String(255);
      NormalisedPhone : String(40); NormalisedMobile : String(40);
      StatusCode : String(2); ExternalID : String(100); CountryCode : String(3);
      EntityLastChangedOn : Timestamp @cds.on.insert: $now @cds.on.update: $now @odata.etag;
    }
    entity Contact : person {
      ContactID : String(10); FirstName : String(40); LastName : String(40); Name : String(480); AccountID : String(10);
      AccountFormattedName : String(480); Department : String(40);
    }
    entity IndividualCustomer : person { CustomerID : String(10); FirstName : String(40); LastName : String(40); FormattedName : String(480); }
    entity CorporateAccount : person { AccountID : String(10); Name : String(480); }
    entity PhoneCall {
      key ObjectID : UUID @odata.Type: 'Edm.String';
      ID : String(35); Subject : String(765) not null; Status : String(2) default '1';
      StartDateTime : DateTime; EndDateTime : DateTime; InitiatorCode : String(1);
      MainContactPartyID : String(60); GroupwareItemID : String(765); Billable : Boolean; Units : Integer; Amount : Decimal(9, 2);
      EntityLastChangedOn : Timestamp @cds.on.insert: $now @cds.on.update: $now @odata.etag;
      PhoneCallNotes : Composition of many PhoneCallNote on PhoneCallNotes.PhoneCall = $self;
    }
    entity PhoneCallNote { key ObjectID : UUID @odata.Type: 'Edm.String'; PhoneCall : Association to PhoneCall; TypeCode : String(5); Text : LargeString; }
  }
  service c4codataapi @(path: '/odata/v4/c4codataapi') {
    entity ContactCollection as projection on c4c.Contact;
    entity IndividualCustomerCollection as projection on c4c.IndividualCustomer;
    entity CorporateAccountCollection as projection on c4c.CorporateAccount;
    entity PhoneCallCollection as projection on c4c.PhoneCall;
    entity PhoneCallNotesCollection as projection on c4c.PhoneCallNote;
  }`

cds.env.requires.db = { kind: 'sqlite', impl: '@cap-js/sqlite', driver: 'sql.js', credentials: { url: ':memory:' } }
cds.env.requires.auth = { kind: 'mocked', users: { hub: { password: 'Welcome1' } } }
cds.env.server.port = 0
cds.env.cov2ap = { path: 'sap/c4c/odata/v1', target: 'auto', plugin: false }
const model = join(cds.root, 'model.cds')
writeFileSync(model, MODEL)
const csn = await cds.load(model)
cds.model = cds.compile.for.nodejs(csn)
cds.db = await cds.connect.to('db')
await cds.deploy(csn).to(cds.db)

const app = require('express')()
cds.app = app
await cds.serve('all').from(cds.model).in(app)
const cov2ap = require('@cap-js-community/odata-v2-adapter')
const server = app.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`
  app.use(cov2ap({ path: 'sap/c4c/odata/v1', model, target: url, targetPath: 'odata/v4', registerOnListening: false, continueOnError: true }))
  process.stdout.write(JSON.stringify({ url }) + '\n')
})
process.stdin.on('end', () => process.exit(0)).resume()
