/** The first tab's text. It contains a valid operation, so that GraphiQL reports no error in it. */
export const WELCOME = `# Carillon's playground
#
# Every operation, including subscriptions,
# is sent with the token chosen above.
#
#   Run         Ctrl-Enter
#   Complete    Ctrl-Space
#   Prettify    Shift-Ctrl-P

query Hello {
  __typename
}
`;
