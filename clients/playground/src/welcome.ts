/** The first tab's text, the first of the gateway's examples: a member's status. */
export const WELCOME = `# Carillon's playground
#
# Every operation, including subscriptions,
# is sent with the token chosen above.
#
#   Run         Ctrl-Enter
#   Complete    Ctrl-Space
#   Prettify    Shift-Ctrl-P

query MyStatus($entries: Int!) {
  me {
    number
    version
    status { tier { name benefits } until next { tier { name } missing ratio } }
    points { available lifetime expiring { points on } }
    activity(first: $entries) { edges { node { label points balance occurredAt why { reason } } } }
  }
}
`;

/** The variables of the first tab. */
export const WELCOME_VARIABLES = JSON.stringify({ entries: 5 }, null, 2);
