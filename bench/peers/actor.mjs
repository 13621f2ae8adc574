// The caller: fast-jwt verifies the development key's tokens on each request, with its cache, as its README recommends.

import { createVerifier } from 'fast-jwt'
import { GraphQLError } from 'graphql'
import { programme } from './programme.mjs'

const verify = createVerifier({
  key: process.env.JWT_KEY,
  algorithms: ['HS256'],
  allowedIss: process.env.JWT_ISSUER,
  allowedAud: process.env.JWT_AUDIENCE,
  requiredClaims: ['exp', 'iss', 'aud', 'sub', 'role', 'programme'],
  cache: true,
})

const unauthenticated = (message) => new GraphQLError(message, { extensions: { code: 'UNAUTHENTICATED', http: { status: 401 } } })

// Returns the claims of an Authorization header; null without one.
export function actorOf(header) {
  if (!header) return null
  if (!header.startsWith('Bearer ')) throw unauthenticated('not a bearer token')
  let claims
  try {
    claims = verify(header.slice(7))
  } catch {
    throw unauthenticated('the token is not valid')
  }
  if (claims.programme !== programme.key) throw unauthenticated('the token is for another programme')
  return claims
}

export function require(actor, ...roles) {
  if (actor === null) throw unauthenticated('authentication required')
  if (!roles.includes(actor.role)) throw new GraphQLError('not allowed', { extensions: { code: 'FORBIDDEN' } })
  return actor
}
