// Programme data in memory: tiers, offers and rewards, with the texts of each language prepared at start.

import { readFileSync } from 'node:fs'

const data = JSON.parse(readFileSync(process.env.PROGRAMME_FILE, 'utf8'))
const LOCALES = ['fr', 'en', 'ar']

function inLocale(locale) {
  const tiers = data.tiers.map((tier) => ({
    ...tier,
    name: tier.name[locale],
    benefits: tier.benefits.map((benefit) => benefit[locale]),
  }))
  const localised = (item) => ({
    ...item,
    title: item.title[locale],
    description: item.description[locale],
    terms: item.terms?.[locale],
  })
  return {
    tiers,
    tier: new Map(tiers.map((tier) => [tier.key, tier])),
    offers: data.offers.map(localised),
    rewards: data.rewards.map(localised),
    labels: data.labels[locale],
  }
}

const byLocale = Object.fromEntries(LOCALES.map((locale) => [locale, inLocale(locale)]))

export const programme = { key: data.programme, months: data.months, locale: data.locale }

// Returns the programme in a language; in its default language if it lacks that one.
export function catalogueIn(locale) {
  return byLocale[locale] ?? byLocale[data.locale]
}
