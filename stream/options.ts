import type pg from 'pg';
import type { RuleSet } from '../core/rules/rule-set.js';

/** What a stream worker needs to know; times in ms, sizes in bytes. */
export interface StreamOptions {
  /** Name of this process, for people: shown as the owner of partitions. */
  readonly owner: string;
  readonly postgres: pg.ClientConfig;
  /** The first rule set, where Postgres has none yet. */
  readonly ruleSet?: RuleSet;
  /** Longest time between two flushes while the worker keeps up. */
  readonly flushIntervalMs: number;
  /** Records in one flush at most. */
  readonly flushClicksMax: number;
  /** Bytes of remembered ids; past it the oldest hour's memory is given up with a named cause. */
  readonly dedupeBytesMax: number;
}

/** Rows of 60 counts in one flush at most: 240 bytes each here, and about 5 µs each in Postgres. */
export const FLUSH_ROWS_MAX = 250_000;
/** (Partition, hour)s in one flush at most: a producer with a wild clock opens one per click. */
export const FLUSH_HOURS_MAX = 2_000;
/** Raw bytes of quarantined records in one flush at most. */
export const FLUSH_QUARANTINE_BYTES_MAX = 16 * 1024 * 1024;
/** While behind, a flush waits this much longer: more clicks fold into one row. */
export const CATCH_UP_FACTOR = 4;
/** A flush waits at least this many times the last one's duration: at most a fifth is flushing. */
export const FLUSH_SHARE = 4;
/** … but no longer: one flush that was held up (a lock, a stopped process) says nothing of the next. */
export const FLUSH_WAIT_MAX_MS = 10_000;
