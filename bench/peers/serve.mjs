// Runs one peer in one process: `node serve.mjs mercurius|mercurius-jit|mercurius-collections|yoga|apollo`.
// Listens on a free port of 127.0.0.1 and prints it.

import { readFileSync } from 'node:fs'
import { client } from './database.mjs'

const PEERS = {
  mercurius: ['./mercurius.mjs', { jit: 0 }],
  'mercurius-jit': ['./mercurius.mjs', { jit: 1 }],
  'mercurius-collections': ['./mercurius.mjs', { jit: 1, collections: true }],
  yoga: ['./yoga.mjs', {}],
  apollo: ['./apollo.mjs', {}],
}

const typeDefs = readFileSync(new URL('./schema.graphql', import.meta.url), 'utf8')
const [module, options] = PEERS[process.argv[2]]
const { start } = await import(module)
await client.connect()
const { port, stop } = await start(typeDefs, options)
process.on('SIGTERM', async () => {
  await stop()
  await client.close()
  process.exit(0)
})
console.log(`listening on 127.0.0.1:${port}`)
