// Records a purchase as a simple gateway would: one transaction each, with the member's version as optimistic lock.
// One point per whole unit of the total; no rules, no lots, no tiers, no hash chain, no explanations.

import { client, identities, members, written } from './database.mjs'
import { catalogueOf, entryId, rowsOf } from './views.mjs'
import { programme } from './programme.mjs'

const CONFLICT_ATTEMPTS_MAX = 20
const RECENT = 20
const DUPLICATE_KEY = 11000

const userError = (code, path, message) => ({
  entries: [],
  member: null,
  replayed: false,
  userErrors: [{ code, path, message }],
})

export async function recordEvent(input, actor) {
  const points = Math.floor(Number(input.purchase?.total ?? 0))
  const found = await identities.findOne({ _id: `${programme.key}/number/${input.member.number}` })
  if (found === null) return userError('NOT_FOUND', ['member'], 'member not found')
  for (let attempt = 0; attempt < CONFLICT_ATTEMPTS_MAX; attempt += 1) {
    const answer = await client.withSession((session) =>
      session.withTransaction(async () => record(input, actor, found.member, points, session)),
    )
    if (answer !== null) return answer
  }
  return userError('CONFLICT', ['member'], 'too many concurrent changes')
}

async function record(input, actor, id, points, session) {
  const member = await members.findOne({ _id: id, programme: programme.key }, { session })
  const version = member.version + 1
  const balance = member.balances.available + points
  const now = new Date()
  const row = [version, 0, now, 'EARN', points, balance, input.occurredAt, input.channel, [], 'event', { type: input.type }]
  const recent = Buffer.from(JSON.stringify([row, ...rowsOf(member)].slice(0, RECENT)))
  try {
    await written.events.insertOne({ _id: `${actor.sub}/${input.key}`, member: id, version, ...input }, { session })
  } catch (error) {
    if (error.code === DUPLICATE_KEY) return { entries: [], member, replayed: true, userErrors: [] }
    throw error
  }
  await written.entries.insertOne({ _id: `${id}:${version}`, member: id, version, row }, { session })
  const changed = await members.updateOne(
    { _id: id, version: member.version },
    { $set: { version, recent, 'balances.available': balance }, $inc: { entries: 1 } },
    { session },
  )
  if (changed.matchedCount === 0) {
    await session.abortTransaction()
    return null
  }
  const label = catalogueOf(member).labels[input.type]
  const entry = { id: entryId(id, version, 0), kind: 'EARN', points, balance, version, label }
  const after = { ...member, version, balances: { ...member.balances, available: balance }, recent }
  return { entries: [{ ...entry, occurredAt: input.occurredAt, channel: input.channel }], member: after, replayed: false, userErrors: [] }
}
