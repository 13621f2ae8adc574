// Mercurius on Fastify.

import Fastify from 'fastify'
import mercurius from 'mercurius'
import { actorOf } from './actor.mjs'
import { readers } from './loaders.mjs'
import { collectionLoaders, collectionResolvers, resolvers } from './resolvers.mjs'

const DEPTH_MAX = 16

export async function start(schema, { jit, collections }) {
  const app = Fastify({ bodyLimit: 2_097_152 })
  await app.register(mercurius, {
    schema,
    resolvers: collections ? collectionResolvers() : resolvers,
    loaders: collections ? collectionLoaders : undefined,
    jit,
    queryDepth: DEPTH_MAX,
    graphiql: false,
    context: (request) => ({ actor: actorOf(request.headers.authorization), loaders: readers }),
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { port: app.server.address().port, stop: () => app.close() }
}
