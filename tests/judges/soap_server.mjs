// node `soap` as a server, to judge connectors/wire/soap.py: document/literal, a schema that is imported, WS-Security as text or
// digest, faults with and without a detail. Serves until its input ends.
import http from 'node:http'
import crypto from 'node:crypto'
import soap from 'soap'

const NS = 'urn:patchbay:judge'
const SCHEMA = `<?xml version="1.0"?><xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" targetNamespace="${NS}" xmlns="${NS}" elementFormDefault="qualified">
  <xsd:simpleType name="Short"><xsd:restriction base="xsd:string"><xsd:maxLength value="40"/></xsd:restriction></xsd:simpleType>
  <xsd:complexType name="Line"><xsd:sequence><xsd:element name="Text" type="xsd:string"/><xsd:element name="At" type="xsd:dateTime" minOccurs="0"/></xsd:sequence></xsd:complexType>
  <xsd:element name="Echo"><xsd:complexType><xsd:sequence><xsd:element name="Name" type="Short"/><xsd:element name="Line" type="Line" minOccurs="0" maxOccurs="unbounded"/></xsd:sequence></xsd:complexType></xsd:element>
  <xsd:element name="EchoAnswer"><xsd:complexType><xsd:sequence><xsd:element name="Name" type="xsd:string"/><xsd:element name="User" type="xsd:string" minOccurs="0"/><xsd:element name="Line" type="Line" minOccurs="0" maxOccurs="unbounded"/></xsd:sequence></xsd:complexType></xsd:element>
</xsd:schema>`
const wsdl = (url) => `<?xml version="1.0"?><definitions name="Judge" targetNamespace="${NS}" xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:tns="${NS}" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <types><xsd:schema><xsd:import namespace="${NS}" schemaLocation="${url}/judge.xsd"/></xsd:schema></types>
  <message name="In"><part name="body" element="tns:Echo"/></message><message name="Out"><part name="body" element="tns:EchoAnswer"/></message>
  <portType name="Port"><operation name="Echo"><input message="tns:In"/><output message="tns:Out"/></operation></portType>
  <binding name="Binding" type="tns:Port"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="Echo"><soap:operation soapAction="${NS}/Echo"/><input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation></binding>
  <service name="Judge"><port name="Port" binding="tns:Binding"><soap:address location="${url}/echo"/></port></service>
</definitions>`

let user = ''
const proven = (security) => {
  const token = security?.UsernameToken
  if (!token) return false
  user = token.Username
  const password = token.Password
  if (typeof password === 'object' && password.attributes?.Type?.endsWith('#PasswordDigest')) {
    const nonce = Buffer.from(token.Nonce.$value ?? token.Nonce, 'base64')
    const made = crypto.createHash('sha1').update(Buffer.concat([nonce, Buffer.from(token.Created), Buffer.from('pass&word')])).digest('base64')
    return made === password.$value
  }
  return (password.$value ?? password) === 'pass&word'
}

const server = http.createServer((request, response) => {
  if (request.url === '/judge.xsd') return response.setHeader('Content-Type', 'text/xml').end(SCHEMA)
  response.statusCode = 404
  response.end('<html><body>No such page</body></html>')
})
server.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`
  const ready = () => process.stdout.write(JSON.stringify({ wsdl: `${url}/echo?wsdl` }) + '\n')
  const services = {
    Judge: {
      Port: {
        Echo(args) {
          if (args.Name === 'business') throw { Fault: { faultcode: 'soap:Server', faultstring: 'Refused', detail: { Reason: { Code: 'R1', Text: 'Partner is locked by user X' } } } }
          if (args.Name === 'dump') throw { Fault: { faultcode: 'soap:Server', faultstring: 'Dump' } }
          // It reads a moment as a Date and would write it as JavaScript does.
          const lines = (args.Line ?? []).map((line) => ({ ...line, ...(line.At ? { At: new Date(line.At).toISOString() } : {}) }))
          return { Name: args.Name, User: user, Line: lines }
        },
      },
    },
  }
  soap.listen(server, { path: '/echo', services, xml: wsdl(url), callback: ready }).authenticate = proven
})
process.stdin.on('end', () => process.exit(0)).resume()
