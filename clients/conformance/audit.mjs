/**
 * Runs graphql-http's audits against a gateway: prints one JSON line per audit, then the counts.
 * Exits with 1 unless all are ok, including the recommended and optional ones.
 *
 *     node audit.mjs http://127.0.0.1:8000/graphql
 */
import { auditServer } from "graphql-http";

const [url] = process.argv.slice(2);
if (!url) {
  console.error("usage: node audit.mjs URL, such as http://127.0.0.1:8000/graphql");
  process.exit(2);
}

const results = await auditServer({ url });
const counts = { total: results.length, ok: 0, notice: 0, warn: 0, error: 0 };
for (const { id, name, status, reason } of results) {
  counts[status] += 1;
  console.log(JSON.stringify({ id, name, status, reason: reason ?? null }));
}
console.log(JSON.stringify({ summary: counts }));
if (counts.ok !== counts.total) {
  console.error(`FAILED: ${counts.ok} of ${counts.total} audits are ok`);
  process.exitCode = 1;
}
