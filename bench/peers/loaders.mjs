// New DataLoaders for each request, as its README recommends: requests share nothing.

import DataLoader from 'dataloader'
import { identities, members } from './database.mjs'
import { programme } from './programme.mjs'

async function inOrder(collection, ids, filter) {
  // A single id uses findOne by key, the fastest read of the driver.
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

// Mercurius has its own loaders for fields of several objects; root fields read directly.
export const readers = {
  member: { load: (id) => members.findOne({ _id: id, programme: programme.key }) },
  identity: { load: async (id) => (await identities.findOne({ _id: id }))?.member ?? null },
}
