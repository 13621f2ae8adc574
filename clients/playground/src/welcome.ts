/** The first tab's text. It runs, so that GraphiQL has nothing to underline in it. */
export const WELCOME = `# Carillon's playground
#
# The token chosen in the bar above goes
# with every operation, subscriptions too.
#
#   Run         Ctrl-Enter
#   Complete    Ctrl-Space
#   Prettify    Shift-Ctrl-P

query Hello {
  __typename
}
`;
