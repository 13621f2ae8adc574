/** Returns the name of a category or topic that the words do not have: `category:ICED_TEA` is "Iced tea". */
export function nameOf(key: string): string {
  const name = key.slice(key.indexOf(":") + 1).replaceAll(/[_-]+/g, " ").trim();
  const isCode = name === name.toUpperCase();
  return name.charAt(0).toUpperCase() + (isCode ? name.slice(1).toLowerCase() : name.slice(1));
}

/** Returns the topic that a member typed, as the API expects it: a name alone is that of a category. */
export function topicOf(typed: string): string {
  const text = typed.trim();
  return text.includes(":") ? text : `category:${text.toUpperCase()}`;
}
