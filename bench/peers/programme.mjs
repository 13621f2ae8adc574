// Programme data in memory: tiers, offers and rewards with their texts, made ready for each language at the start.

import { readFileSync } from 'node:fs'

const told = JSON.parse(readFileSync(process.env.PROGRAMME_FILE, 'utf8'))
const LOCALES = ['fr', 'en', 'ar']

function inLocale(locale) {
  const tiers = told.tiers.map((tier) => ({
    ...tier,
    name: tier.name[locale],
    benefits: tier.benefits.map((benefit) => benefit[locale]),
  }))
  const worded = (item) => ({
    ...item,
    title: item.title[locale],
    description: item.description[locale],
    terms: item.terms?.[locale],
  })
  return {
    tiers,
    tier: new Map(tiers.map((tier) => [tier.key, tier])),
    offers: told.offers.map(worded),
    rewards: told.rewards.map(worded),
    labels: told.labels[locale],
  }
}

const byLocale = Object.fromEntries(LOCALES.map((locale) => [locale, inLocale(locale)]))

export const programme = { key: told.programme, months: told.months, locale: told.locale }

// The programme in one of its languages; its own where it does not have that one.
export function worded(locale) {
  return byLocale[locale] ?? byLocale[told.locale]
}
