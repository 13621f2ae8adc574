// Who asks: the development key's tokens, verified on each request by fast-jwt with its cache, as its README recommends.

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

const refusal = (message) => new GraphQLError(message, { extensions: { code: 'UNAUTHENTICATED', http: { status: 401 } } })

// The actor of an Authorization header; null where there is none.
export function actorOf(header) {
  if (!header) return null
  if (!header.startsWith('Bearer ')) throw refusal('not a bearer token')
  let claims
  try {
    claims = verify(header.slice(7))
  } catch {
    throw refusal('the token is not valid')
  }
  if (claims.programme !== programme.key) throw refusal('another programme')
  return claims
}

export function require(actor, ...roles) {
  if (actor === null) throw refusal('a token is needed')
  if (!roles.includes(actor.role)) throw new GraphQLError('not allowed', { extensions: { code: 'FORBIDDEN' } })
  return actor
}
