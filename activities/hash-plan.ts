import { canonicalJson, sha256Hex } from '../core/rules/canonical-json.js';
import type { JsonValue } from '../core/rules/canonical-json.js';
import type { Activities } from '../workflows/activity-contract.js';

/**
 * SHA-256 of the plan's canonical JSON. It names hours, revisions, rule sets and checksums, no numbers
 * of rows: a run that computes the same has the same hash. (Workflow code has no hash functions.)
 */
export function hashPlanActivity(): Activities['hashPlan'] {
  return (plan) => Promise.resolve(sha256Hex(canonicalJson(plan as unknown as JsonValue)));
}
