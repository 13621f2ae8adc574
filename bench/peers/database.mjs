// One client for the process, as the driver's documentation recommends; the collections have Carillon's names.

import { MongoClient } from 'mongodb'

export const client = new MongoClient(process.env.MONGODB_URL)
const database = client.db(process.env.DATABASE)

export const members = database.collection(process.env.MEMBERS)
export const identities = database.collection('identities')
export const entries = database.collection('entries')
export const offers = database.collection('bench_offers')
export const rewards = database.collection('bench_rewards')
// Peers write to collections of their own, so that Carillon's ledger stays unchanged.
export const written = { entries: database.collection('bench_entries'), events: database.collection('bench_events') }
