// Builds the schema's types from a member's stored snapshot: plain objects whose fields the library reads.

import { catalogueIn, programme } from './programme.mjs'

const base64 = (text) => Buffer.from(text).toString('base64url')

export const entryId = (member, version, index) => base64(`LedgerEntry:${member}:${version}:${index}`)
export const memberId = (member) => base64(`Member:${member}`)
export const cursorOf = (version, index) => base64(`${version}:${index}`)

export function positionOf(cursor) {
  const [version, index] = Buffer.from(cursor, 'base64url').toString().split(':').map(Number)
  return { version, index }
}

export const catalogueOf = (member) => catalogueIn(member.profile.locale)

export function profileOf(member) {
  const { first_name: firstName = null, last_name: lastName = null, locale } = member.profile
  return { firstName, lastName, locale }
}

// A snapshot packs days and points as 64-bit little-endian integers; a day is its ordinal, 1 for 0001-01-01.
const EPOCH = 719163
const DAY_MS = 86_400_000
const NEVER = 0x7fffffff
const points64 = (bytes, at) => bytes.readUInt32LE(at) + bytes.readInt32LE(at + 4) * 0x100000000
const dayNames = new Map()

function dayName(ordinal) {
  let name = dayNames.get(ordinal)
  if (name === undefined) {
    name = new Date((ordinal - EPOCH) * DAY_MS).toISOString().slice(0, 10)
    dayNames.set(ordinal, name)
  }
  return name
}

function monthsAgo(months) {
  const day = new Date()
  day.setUTCMonth(day.getUTCMonth() - months)
  return Math.floor(day.getTime() / DAY_MS) + EPOCH
}

export function statusOf(member) {
  const { tiers, tier } = catalogueOf(member)
  const { tier: key, since, until } = member.standing
  const own = tier.get(key)
  const following = tiers[own.rank + 1]
  let next = null
  if (following !== undefined) {
    const first = monthsAgo(programme.months)
    let qualifying = 0
    const days = member.qualifying.buffer
    for (let at = 0; at < days.length; at += 16) if (days.readInt32LE(at) > first) qualifying += points64(days, at + 8)
    const required = following.threshold
    next = {
      tier: following,
      qualifying,
      required,
      missing: Math.max(0, required - qualifying),
      ratio: Math.min(1, Math.max(0, qualifying / required)),
    }
  }
  return { tier: own, since: since.toISOString(), until: until?.toISOString() ?? null, next }
}

export function pointsOf(member) {
  const { available = 0, pending = 0, held = 0 } = member.balances
  const byDay = new Map()
  const lots = member.lots.buffer
  for (let at = 0; at < lots.length; at += 24) {
    const on = lots.readInt32LE(at + 4)
    const left = points64(lots, at + 8)
    if (left && on !== NEVER) byDay.set(on, (byDay.get(on) ?? 0) + left)
  }
  const expiring = [...byDay.keys()].sort((one, other) => one - other).map((on) => ({ on: dayName(on), points: byDay.get(on) }))
  return { available, pending, held, expiring }
}

// A row of the snapshot: version, index, recordedAt, kind, points, balance, occurredAt, channel, why, label, params.
function rowEdge(member, labels, row) {
  const [version, index, , kind, points, balance, occurredAt, channel, , label, params] = row
  return {
    cursor: cursorOf(version, index),
    node: {
      id: entryId(member, version, index),
      kind,
      points,
      balance,
      version,
      occurredAt,
      channel,
      label: labels[label === 'event' ? params.type : label],
    },
  }
}

const connection = (edges, hasNextPage) => ({
  edges,
  pageInfo: { hasNextPage, endCursor: edges.length ? edges[edges.length - 1].cursor : null },
})

export const rowsOf = (member) => JSON.parse(member.recent.toString('utf8'))

export function recentOf(member, first) {
  const { labels } = catalogueOf(member)
  const rows = rowsOf(member)
  const edges = rows.slice(0, first).map((row) => rowEdge(member._id, labels, row))
  return connection(edges, first < member.entries)
}

// A page from records of the ledger, newest first, each with the entries of one version.
export function ledgerPage(member, records, first) {
  const { labels } = catalogueOf(member)
  const edges = records.flatMap((record) =>
    record.entries
      .map((entry, index) => ({
        cursor: cursorOf(record.version, index),
        node: {
          id: entryId(member._id, record.version, index),
          kind: entry.kind,
          points: entry.points,
          balance: entry.balance,
          version: record.version,
          occurredAt: entry.occurred_at.toISOString(),
          channel: entry.channel,
          label: labels[entry.label === 'event' ? entry.params.type : entry.label],
        },
      }))
      .reverse(),
  )
  return connection(edges.slice(0, first), edges.length > first)
}

export function offerEdge(member, offer) {
  const use = member.offers?.[offer.key]
  const uses = use?.uses ?? 0
  const limit = offer.usesPerMember
  let state = 'AVAILABLE'
  if (limit !== null && uses >= limit) state = 'REDEEMED'
  else if (use?.activated_at) state = 'ACTIVATED'
  return { node: { offer, state, usesLeft: limit === null ? null : limit - uses, expiresAt: offer.endsAt } }
}

export function rewardEdge(member, reward) {
  const missingPoints = Math.max(0, reward.points - (member.balances.available ?? 0))
  return { node: { reward, eligible: missingPoints === 0, missingPoints } }
}

// The catalogue's first offers and rewards, with their state for the member.
export const offersOf = (member, first) => ({
  edges: catalogueOf(member)
    .offers.slice(0, first)
    .map((offer) => offerEdge(member, offer)),
})
export const rewardsOf = (member, first) => ({
  edges: catalogueOf(member)
    .rewards.slice(0, first)
    .map((reward) => rewardEdge(member, reward)),
})
