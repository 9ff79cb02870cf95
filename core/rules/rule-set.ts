import { canonicalJson, sha256Hex } from './canonical-json.js';
import type { JsonValue } from './canonical-json.js';

/** Each dimension is one more cell per click. */
export const DIMENSIONS_MAX = 16;
/** Values that are not counted themselves. */
export const VALUES_MAX = 64;
export const FILTERS_MAX = 64;
/** Rows of one table. */
export const TABLE_ROWS_MAX = 200_000;
/**
 * Bytes of the canonical JSON of all of it. Postgres stores no document of 256 MiB, and every process
 * that counts has all of it in memory. A table of 200,000 rows of 300 bytes fits.
 */
export const RULE_SET_BYTES_MAX = 64 * 1024 * 1024;
/** Entries of one list or map. */
export const ENTRIES_MAX = 10_000;

/** Fields that say which click it is: counting by them would make a cell per click. */
export const IDENTITY_FIELDS: readonly string[] = ['event_id', 'timestamp'];
/** May be looked up in a table, but is no dimension: each cell has its ad already. */
export const AD_FIELD = 'ad_id';

/**
 * How a click becomes cells. Plain JSON data; `hashRuleSet` names it by its content. What is left
 * out is not done: a rule set of the first days, dimensions with a field and a map, means what it
 * meant, under the same hash.
 */
export interface RuleSet {
  readonly version: 1;
  /** Snapshots that values are looked up in, by name: what counts is all in here. */
  readonly tables?: Readonly<Record<string, Table>>;
  /** Values that dimensions and filters are made of; each may use those before it. */
  readonly values?: readonly Value[];
  /** Clicks that are not counted: the first filter that holds is the reason. */
  readonly filters?: readonly Filter[];
  /** Values that are counted; each may use `values` and the dimensions before it. */
  readonly dimensions: readonly Dimension[];
}

/** Rows that say more of a click, such as ad → campaign, or CIDR block → country. */
export interface Table {
  /** `text`: the key is the text looked up; `ip`: the longest CIDR block that the address is in. */
  readonly key: 'text' | 'ip';
  /** Names of what a row says, without the key. */
  readonly columns: readonly string[];
  /** A key, then one text per column; an empty one says nothing. No key comes twice. */
  readonly rows: readonly (readonly string[])[];
}

/** `name` is `[a-z][a-z0-9_]{0,31}`, unique among values and dimensions. */
export type Value = { readonly name: string } & Source & Steps;

/** Every click gets exactly one value of it. Its name is left of the colon in a filter. */
export type Dimension = Value;

/** Where a value comes from. */
export type Source = FieldSource | ValueSource | FirstSource | CrossSource | ScoreSource;

/** A field of the click. Other than a string it is `other`; absent, null and "" are `unknown`. */
export interface FieldSource {
  readonly field: string;
}

export interface ValueSource {
  readonly value: string;
}

/** The first of these values that is not `unknown`. */
export interface FirstSource {
  readonly first: readonly string[];
}

/** All of these values together: `US×mobile`; see `crossText`. */
export interface CrossSource {
  readonly cross: readonly string[];
}

/** A fixed-point linear model: the sum of whole numbers, and what it is called. */
export interface ScoreSource {
  readonly score: Score;
}

export interface Score {
  /** What is added for every click. */
  readonly bias?: number;
  readonly terms: readonly ScoreTerm[];
  /** By `atLeast`, descending: the first that the sum reaches names it. */
  readonly levels: readonly ScoreLevel[];
  /** The name below all levels. */
  readonly otherwise: string;
}

export interface ScoreTerm {
  readonly value: string;
  /** What each value adds; `unknown` and `other` are values, too. */
  readonly weights: Readonly<Record<string, number>>;
  /** What every other value adds; left out: 0. */
  readonly otherwise?: number;
}

export interface ScoreLevel {
  readonly atLeast: number;
  readonly as: string;
}

/** What is done to a value's text, in this order. */
export interface Steps {
  readonly trim?: true;
  readonly case?: 'lower' | 'upper';
  /** Texts that say nothing, such as `n/a`. */
  readonly unknown?: readonly string[];
  /** Texts to be counted as another, such as `UK` as `GB`. Applied once, not chained. */
  readonly map?: Readonly<Record<string, string>>;
  /** The text of the table's row with this key; none: `unknown`. */
  readonly lookup?: Lookup;
  /** The name of the first pattern that is found in the text; none: `unknown`. */
  readonly match?: readonly NamedPattern[];
  /** A longer text is `other`. At most and by default 256, in bytes of UTF-8. */
  readonly maxBytes?: number;
}

export interface Lookup {
  readonly table: string;
  readonly column: string;
}

export interface NamedPattern {
  /** RE2 syntax: no backreferences, no lookaround; time linear in the text. */
  readonly pattern: string;
  readonly as: string;
}

/** Takes clicks out of all counts, under its reason. */
export type Filter = { readonly reason: string } & (WhenFilter | CapFilter);

export interface WhenFilter {
  /** All of them hold. */
  readonly when: readonly Condition[];
}

/** Of one ad, minute and text of the field, in one partition, only the first `max` clicks count. */
export interface CapFilter {
  readonly cap: Cap;
}

export interface Cap {
  /** A click without a text in it is not capped. */
  readonly field: string;
  readonly max: number;
}

/** About a field as it is, or a value; holds for exactly one of the four kinds. */
export type Condition = (FieldSource | ValueSource) & Test;

export type Test =
  /** `unknown` and `other` are texts here. */
  | { readonly in: readonly string[] }
  | { readonly matches: string }
  /** An IPv4 or IPv6 address in one of these CIDR blocks; ::ffff:1.2.3.4 is 1.2.3.4. */
  | { readonly within: readonly string[] }
  | { readonly missing: true };

export const DEFAULT_RULE_SET: RuleSet = {
  version: 1,
  dimensions: [
    { name: 'country', field: 'country', map: { UK: 'GB' } },
    { name: 'device', field: 'device' },
    { name: 'format', field: 'ad_format' },
  ],
};

/** The value of a click that has none, and of one that cannot be a value. */
export const UNKNOWN_VALUE = 'unknown';
export const OTHER_VALUE = 'other';

/** The empty filter: the unfiltered total. */
export const TOTAL_FILTER = '';

/** The canonical JSON (RFC 8785) that is stored and hashed. */
export function ruleSetBody(ruleSet: RuleSet): string {
  return canonicalJson(ruleSet as unknown as JsonValue);
}

/**
 * SHA-256 of `ruleSetBody` in hex: the name by which hours pin a rule set. Its tables are in the
 * body, so that the name is that of everything that decides about a count.
 */
export function hashRuleSet(ruleSet: RuleSet): string {
  return sha256Hex(ruleSetBody(ruleSet));
}
