"""Mutations: one verb or family of verbs a file, with its inputs, payloads, rights and fields."""
