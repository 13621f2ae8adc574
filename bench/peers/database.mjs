// One client for the process, as the driver's documentation says; collections by the names that Carillon gives them.

import { MongoClient } from 'mongodb'

export const client = new MongoClient(process.env.MONGODB_URL)
const database = client.db(process.env.DATABASE)

export const members = database.collection(process.env.MEMBERS)
export const identities = database.collection('identities')
export const entries = database.collection('entries')
export const offers = database.collection('bench_offers')
export const rewards = database.collection('bench_rewards')
// What peers write goes beside, so that Carillon's own ledger stays as it was written.
export const written = { entries: database.collection('bench_entries'), events: database.collection('bench_events') }
