// node's `soap` client against the in-house CRM's SOAP sandbox: signs in, finds a customer, puts a call twice, is refused.
import soap from 'soap'

const told = JSON.parse(process.argv[2])
const client = await soap.createClientAsync(told.wsdl)
client.setSecurity(new soap.WSSecurity(told.user, told.password, { passwordType: 'PasswordText' }))
const [who] = await client.WhoAmIAsync({})
const [found] = await client.FindCustomersAsync({ phoneEnds: told.tail })
const call = { ref: told.ref, customer: told.customer, direction: 'inbound', note: 'by node' }
const [first] = await client.PutCallsAsync({ call: [call] })
const [second] = await client.PutCallsAsync({ call: [call] })
client.setSecurity(new soap.WSSecurity(told.user, 'wrong', { passwordType: 'PasswordText' }))
let refused = ''
try {
  await client.WhoAmIAsync({})
} catch (error) {
  refused = error.root.Envelope.Body.Fault.detail.Refusal.code
}
console.log(JSON.stringify({
  login: who.login, found: [].concat(found.customer ?? []), first: [].concat(first.result)[0],
  second: [].concat(second.result)[0], refused,
}))
