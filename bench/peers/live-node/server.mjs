// graphql-ws on Node, as its recipes show: `ws`, one schema, graphql-js. One change stream per process feeds an
// in-process pub/sub by member; graphql-ws executes the subscription for each subscriber.
// Listens on a free port of 127.0.0.1 and prints it.

import { createServer } from 'node:http'
import { createVerifier } from 'fast-jwt'
import { buildSchema } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import { MongoClient } from 'mongodb'
import { WebSocketServer } from 'ws'

const { tiers, labels } = JSON.parse(process.env.TEXTS)
const client = await new MongoClient(process.env.MONGODB_URL).connect()
const members = client.db(process.env.DATABASE).collection('members')
const topics = new Map()

const verify = createVerifier({
  key: process.env.JWT_KEY,
  algorithms: ['HS256'],
  allowedIss: process.env.JWT_ISSUER,
  allowedAud: process.env.JWT_AUDIENCE,
  requiredClaims: ['exp', 'iss', 'aud', 'sub', 'role', 'programme'],
})

const schema = buildSchema(`
  type Tier { name: String! }
  type Status { tier: Tier! }
  type Points { available: Int! }
  type Member { status: Status! points: Points! }
  type LedgerEntry { label: String! points: Int! balance: Int! }
  type MemberUpdate { version: Int! member: Member! entries: [LedgerEntry!]! resync: Boolean! }
  type Query { version: Int! }
  type Subscription { memberChanged: MemberUpdate! }
`)

// The update of a stored member, built once per change: plain objects whose fields graphql-js reads.
function updateOf(document, isFirst) {
  const rows = isFirst ? [] : JSON.parse(document.recent.toString('utf8')).filter(([version]) => version === document.version)
  return {
    version: document.version,
    member: {
      status: { tier: { name: tiers[document.standing.tier] } },
      points: { available: document.balances.available ?? 0 },
    },
    entries: rows.reverse().map(([, , , , points, balance, , , , label, params]) => ({
      label: labels[label === 'event' ? params.type : label],
      points,
      balance,
    })),
    resync: false,
  }
}

// The in-process pub/sub: a queue per subscriber. (createPubSub of graphql-yoga and node:events cost more.)
function publish(topic, value) {
  for (const subscriber of topics.get(topic) ?? []) {
    subscriber.values.push(value)
    subscriber.wake?.()
  }
}

async function* memberChanged(member) {
  // Subscribes before it reads the member, so that no change is missed in between.
  const subscriber = { values: [], wake: null }
  if (!topics.has(member)) topics.set(member, new Set())
  topics.get(member).add(subscriber)
  try {
    const first = await members.findOne({ _id: member })
    yield { memberChanged: updateOf(first, true) }
    while (true) {
      if (!subscriber.values.length) await new Promise((resolve) => (subscriber.wake = resolve))
      const update = subscriber.values.shift()
      if (update.version > first.version) yield { memberChanged: update }
    }
  } finally {
    topics.get(member).delete(subscriber)
  }
}

schema.getSubscriptionType().getFields().memberChanged.subscribe = (_root, _args, context) =>
  memberChanged(context.extra.actor.member)

const stream = members.watch([{ $match: { operationType: { $in: ['insert', 'replace'] } } }])
stream.on('change', ({ documentKey, fullDocument }) => publish(documentKey._id, updateOf(fullDocument, false)))

const http = createServer((_request, response) => response.writeHead(404).end())
useServer(
  {
    schema,
    context: (connection) => connection,
    onConnect({ connectionParams, extra }) {
      try {
        extra.actor = verify(connectionParams.Authorization.slice('Bearer '.length))
      } catch {
        return false
      }
      return true
    },
  },
  new WebSocketServer({ server: http, path: '/graphql' }),
)
http.listen(0, '127.0.0.1', 4096, () => console.log(`listening on 127.0.0.1:${http.address().port}`))
process.on('SIGTERM', () => process.exit(0))
