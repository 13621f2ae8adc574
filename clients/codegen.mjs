/**
 * Generates the types of the screens' operations, and the gateway's manifest of registered operations.
 * Calls GraphQL Code Generator as a library, because its command line depends on loaders of remote schemas.
 */
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { preset } from "@graphql-codegen/client-preset";
import { codegen } from "@graphql-codegen/core";
import { buildASTSchema, parse, printSchema, validate } from "graphql";

const here = import.meta.dirname;
const OPERATIONS = join(here, "shared/src/operations");
const GENERATED = join(here, "shared/src/generated/");
const MANIFEST = join(here, "dist/operations.json");

const schema = buildASTSchema(parse(await readFile(join(here, "../schema/schema.graphql"), "utf8")));

const files = (await readdir(OPERATIONS)).filter((name) => name.endsWith(".graphql")).sort();
const documents = await Promise.all(
  files.map(async (name) => {
    const location = join(OPERATIONS, name);
    const rawSDL = await readFile(location, "utf8");
    return { location, rawSDL, document: parse(rawSDL) };
  }),
);

const whole = { kind: "Document", definitions: documents.flatMap(({ document }) => document.definitions) };
const faults = validate(schema, whole);
if (faults.length > 0) {
  for (const { message } of faults) console.error(`codegen: ${message}`);
  process.exit(1);
}

const sections = await preset.buildGeneratesSection({
  baseOutputDir: GENERATED,
  schema: parse(printSchema(schema)),
  schemaAst: schema,
  documents,
  config: {
    enumType: "string-literal",
    scalars: { BigInt: "string", Date: "string", DateTime: "string", Decimal: "string", JSON: "unknown" },
    skipTypename: true,
    strictScalars: true,
    useTypeImports: true,
  },
  presetConfig: {
    fragmentMasking: false,
    persistedDocuments: { mode: "replaceDocumentWithHash", hashPropertyName: "hash", hashAlgorithm: "sha256" },
  },
  plugins: [],
  pluginMap: {},
  profiler: { run: (work) => work(), collect: () => [] },
});

async function write(path, text) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

for (const section of sections) {
  const text = await codegen(section);
  if (section.filename.endsWith("persisted-documents.json")) {
    // The manifest's keys are bare digests; only requests carry the `sha256:` prefix.
    const bare = Object.entries(JSON.parse(text)).map(([id, operation]) => [id.replace(/^sha256:/, ""), operation]);
    await write(MANIFEST, `${JSON.stringify(Object.fromEntries(bare), null, 2)}\n`);
  } else {
    await write(section.filename, text);
  }
}
