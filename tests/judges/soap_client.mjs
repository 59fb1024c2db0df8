// node `soap` as a client: reads a WSDL with its imports, calls each operation in turn, says what came or which fault.
import soap from 'soap'

const told = JSON.parse(process.argv[2])
const basic = 'Basic ' + Buffer.from(`${told.user}:${told.password}`).toString('base64')
const client = await soap.createClientAsync(told.wsdl, { wsdl_headers: { Authorization: basic } })
client.setSecurity(
  told.token ? new soap.WSSecurity(told.user, told.password, { passwordType: told.token }) : new soap.BasicAuthSecurity(told.user, told.password)
)
const answers = []
for (const [operation, message] of told.calls) {
  try {
    const [answer] = await client[operation + 'Async'](message)
    answers.push({ answer })
  } catch (error) {
    const fault = error.root?.Envelope?.Body?.Fault
    answers.push({ fault: fault ? { code: fault.faultcode, text: fault.faultstring, detail: fault.detail ?? null } : null, status: error.response?.status, message: error.message.slice(0, 300) })
  }
}
process.stdout.write(JSON.stringify({ operations: Object.keys(client.describe()), answers }) + '\n')
