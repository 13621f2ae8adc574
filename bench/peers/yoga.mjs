// GraphQL Yoga on Node's own HTTP server, as in its guide for Node. Its parser and validation caches are on by default.

import { createServer } from 'node:http'
import { createSchema, createYoga } from 'graphql-yoga'
import { actorOf } from './actor.mjs'
import { loadersOf } from './loaders.mjs'
import { resolvers } from './resolvers.mjs'

export async function start(typeDefs) {
  const yoga = createYoga({
    schema: createSchema({ typeDefs, resolvers }),
    context: ({ request }) => ({ actor: actorOf(request.headers.get('authorization')), loaders: loadersOf() }),
    graphiql: false,
    landingPage: false,
    logging: 'error',
  })
  const server = createServer(yoga)
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: server.address().port, stop: () => server.closeAllConnections() ?? server.close() }
}
