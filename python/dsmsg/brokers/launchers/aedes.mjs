// SPDX-License-Identifier: Apache-2.0
// Aedes with its defaults. Arguments: node_modules, host, port, then name=value:
// user=NAME:PASSWORD, open=NAME:PREFIX (topics that this user may publish to), cert=FILE, key=FILE.
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { pathToFileURL } from 'node:url'

const [modules, host, port, ...settings] = process.argv.slice(2)
const { Aedes } = await import(pathToFileURL(path.join(modules, 'aedes', 'aedes.js')))
const all = (name) => settings.filter((s) => s.startsWith(`${name}=`)).map((s) => s.slice(name.length + 1))
const pairs = (name) => Object.fromEntries(all(name).map((text) => text.split(':')))
const users = pairs('user')
const open = pairs('open')
const aedes = await Aedes.createBroker()
if (Object.keys(users).length) {
  aedes.authenticate = (client, user, password, done) => {
    client.user = user
    done(null, users[user] !== undefined && String(password) === users[user])
  }
  aedes.authorizePublish = (client, packet, done) => {
    const prefix = client && open[client.user]
    done(prefix && !packet.topic.startsWith(prefix) ? new Error('not authorized') : null)
  }
}
const [cert] = all('cert')
const [key] = all('key')
const server = cert
  ? tls.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, aedes.handle)
  : net.createServer(aedes.handle)
server.listen(Number(port), host)
process.on('SIGTERM', () => aedes.close(() => process.exit(0)))
