// A DataLoader of each kind for each request, as its README says: nothing is shared between requests.

import DataLoader from 'dataloader'
import { identities, members } from './database.mjs'
import { programme } from './programme.mjs'

async function inOrder(collection, ids, filter) {
  // One is asked for as one: a plain find by key is what the driver does fastest.
  const found =
    ids.length === 1
      ? [await collection.findOne({ _id: ids[0], ...filter })]
      : await collection.find({ _id: { $in: ids }, ...filter }).toArray()
  const known = new Map(found.filter((one) => one !== null).map((one) => [one._id, one]))
  return ids.map((id) => known.get(id) ?? null)
}

export const loadersOf = () => ({
  member: new DataLoader((ids) => inOrder(members, ids, { programme: programme.key })),
  identity: new DataLoader(async (ids) => (await inOrder(identities, ids, {})).map((one) => one?.member ?? null)),
})

// Mercurius has loaders of its own for fields of many objects; what a query begins with is read plainly.
export const readers = {
  member: { load: (id) => members.findOne({ _id: id, programme: programme.key }) },
  identity: { load: async (id) => (await identities.findOne({ _id: id }))?.member ?? null },
}
