// Apollo Server with its standalone server. Its document cache is on by default; recursive selections are limited.

import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'
import { actorOf } from './actor.mjs'
import { loadersOf } from './loaders.mjs'
import { resolvers } from './resolvers.mjs'

export async function start(typeDefs) {
  const server = new ApolloServer({ typeDefs, resolvers, introspection: false, maxRecursiveSelections: true, stopOnTerminationSignals: false })
  const { url } = await startStandaloneServer(server, {
    listen: { host: '127.0.0.1', port: 0 },
    context: async ({ req }) => ({ actor: actorOf(req.headers.authorization), loaders: loadersOf() }),
  })
  return { port: Number(new URL(url).port), stop: () => server.stop() }
}
