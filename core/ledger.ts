import type { Cut } from './cut.js';
import { canonicalJson, sha256Hex } from './rules/canonical-json.js';
import type { JsonValue } from './rules/canonical-json.js';

/** What entries record about hours. Later kinds come with sealing. */
export const PUBLISH_KINDS = ['publish', 'rollback', 'confirm', 'release'] as const;
export type PublishKind = (typeof PUBLISH_KINDS)[number];

/** What an entry of the ledger records; `rules`: a rule set came into force. */
export const LEDGER_KINDS = [...PUBLISH_KINDS, 'rules'] as const;
export type LedgerKind = (typeof LEDGER_KINDS)[number];

/** The hash before the first entry. */
export const GENESIS_HASH = '0'.repeat(64);

/** One hour of an entry. For a confirmation `revision` is the one that stays. */
export interface LedgerHour {
  /** RFC 3339. */
  readonly hour: string;
  readonly revision: number;
  readonly rule_set: string;
  /** Hash of the generation's inputs, and of its cells. */
  readonly inputs: string;
  readonly checksum: string;
  /** The cut of the generation; of a confirmation the higher one that was examined. */
  readonly cut: readonly (readonly [topic: string, partition: number, nextOffset: number])[];
  /** The reconciliation that decided it; null where a person published without one. */
  readonly reconciliation: number | null;
}

/** Of an entry of kind `rules`: which version, and from which event hour on (RFC 3339). */
export interface LedgerRules {
  readonly version: number;
  readonly rule_set: string;
  readonly since: string;
}

/** Everything an entry says, without its hash. Times in RFC 3339, UTC. */
export interface LedgerBody {
  readonly publication: number;
  readonly kind: LedgerKind;
  readonly request: string;
  readonly actor: string;
  readonly reason: string;
  readonly at: string;
  readonly hours: readonly LedgerHour[];
  readonly rules?: LedgerRules;
}

/** The canonical JSON (RFC 8785) that is stored and hashed. */
export function ledgerText(body: LedgerBody): string {
  return canonicalJson(body as unknown as JsonValue);
}

/** SHA-256 of the previous entry's hash, a line feed and the body: an entry vouches for all before. */
export function ledgerHash(prevHash: string, body: string): string {
  return sha256Hex(`${prevHash}\n${body}`);
}

/** A cut as the ledger writes it. */
export function ledgerCut(cut: Cut): LedgerHour['cut'] {
  return cut.map(({ topic, partition, nextOffset }) => [topic, partition, nextOffset] as const);
}

/** One stored entry. */
export interface LedgerEntry {
  readonly publication: number;
  readonly body: string;
  readonly prevHash: string;
  readonly hash: string;
}

/**
 * The first fault of a chain given in order from entry one: a number that is missing, a previous
 * hash that is not the one before, a hash that its body does not give. null: the chain holds.
 */
export function chainFault(entries: Iterable<LedgerEntry>): string | null {
  let prevHash = GENESIS_HASH;
  let next = 1;
  for (const { publication, body, prevHash: claimed, hash } of entries) {
    if (publication !== next) return `entry ${String(next)} is missing`;
    if (claimed !== prevHash) return `entry ${String(publication)} does not follow the one before`;
    if (ledgerHash(prevHash, body) !== hash) return `entry ${String(publication)} was altered`;
    prevHash = hash;
    next++;
  }
  return null;
}
