"""Mutations: one verb or family of verbs per file, with its inputs, payloads, rights and fields."""
