// The resolvers, shared by all libraries: fields are read from plain objects.

import { require } from './actor.mjs'
import { entries, offers, rewards } from './database.mjs'
import { recordEvent } from './events.mjs'
import { catalogueIn, programme } from './programme.mjs'
import {
  ledgerPage,
  memberId,
  offerEdge,
  offersOf,
  positionOf,
  pointsOf,
  profileOf,
  recentOf,
  rewardEdge,
  rewardsOf,
  statusOf,
} from './views.mjs'

const PAGE_MAX = 100
const RECENT = 20
const bounded = (first) => {
  if (first < 0 || first > PAGE_MAX) throw new Error(`first must be 0 to ${PAGE_MAX}`)
  return first
}

const VERSION_MAX = 10 ** 10 - 1
// The _id of a ledger record, which sorts by member and version (models/mongo/ledger.py).
const recordId = (member, version) => `${member._id}/${String(version).padStart(10, '0')}`

export async function ledger(member, first, after) {
  const position = after ? positionOf(after) : null
  const found = await entries
    .find({ _id: { $gte: `${member._id}/`, $lte: recordId(member, position?.version ?? VERSION_MAX) }, programme: programme.key })
    .sort({ _id: -1 })
    .limit(first + 2)
    .toArray()
  if (position) {
    for (const record of found) {
      if (record.version === position.version) record.entries = record.entries.slice(0, position.index)
    }
  }
  return ledgerPage(member, found, first)
}

// Returns a page from the snapshot if it has all entries, else from the ledger.
function activity(member, { first, after }) {
  const size = bounded(first)
  if (!after && size <= RECENT) return recentOf(member, size)
  return ledger(member, size, after)
}

export const resolvers = {
  Query: {
    me: (_root, _args, { actor, loaders }) =>
      require(actor, 'member', 'kiosk', 'till', 'agent', 'manager', 'service').member
        ? loaders.member.load(actor.member)
        : null,
    async member(_root, { by }, { actor, loaders }) {
      require(actor, 'kiosk', 'till', 'agent', 'manager', 'service')
      const id = by.id ?? (await loaders.identity.load(`${programme.key}/number/${by.number}`))
      return id === null ? null : loaders.member.load(id)
    },
    rewards: (_root, { first }) => ({
      edges: catalogueIn(programme.locale)
        .rewards.slice(0, bounded(first))
        .map((node) => ({ node })),
    }),
  },
  Mutation: {
    recordEvent: (_root, { input }, { actor }) =>
      recordEvent(input, require(actor, 'kiosk', 'till', 'agent', 'manager', 'service')),
  },
  Member: {
    id: (member) => memberId(member._id),
    profile: profileOf,
    status: statusOf,
    points: pointsOf,
    activity,
    offers: (member, { first }) => offersOf(member, bounded(first)),
    rewards: (member, { first }) => rewardsOf(member, bounded(first)),
  },
}

// The usual form: one collection per type, read by Mercurius' own loaders.
const firstOf = (collection, first) => collection.find({ programme: programme.key }).sort({ rank: 1 }).limit(first).toArray()
const localised = (item, locale) => ({ ...item, title: item.title[locale], description: item.description[locale], terms: item.terms?.[locale] })
const each = (read) => (queries) => Promise.all(queries.map(({ obj, params }) => read(obj, params)))

export const collectionLoaders = {
  Member: {
    activity: each((member, { first, after }) => ledger(member, bounded(first), after)),
    offers: each(async (member, { first }) => {
      const found = await firstOf(offers, bounded(first))
      return { edges: found.map((offer) => offerEdge(member, localised(offer, member.profile.locale))) }
    }),
    rewards: each(async (member, { first }) => {
      const found = await firstOf(rewards, bounded(first))
      return { edges: found.map((reward) => rewardEdge(member, localised(reward, member.profile.locale))) }
    }),
  },
}

export function collectionResolvers() {
  const { activity: _activity, offers: _offers, rewards: _rewards, ...rest } = resolvers.Member
  return { ...resolvers, Member: rest }
}
