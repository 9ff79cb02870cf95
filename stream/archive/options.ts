import type pg from 'pg';
import type { LakeStore } from '../../lake/store.js';

/** What an archiver needs to know; times in ms, sizes in bytes. */
export interface ArchiveOptions {
  /** Name of this process, for people: shown as the owner of partitions. */
  readonly owner: string;
  readonly postgres: pg.ClientConfig;
  readonly lake: LakeStore;
  /** Where a folder for what is being written is made; best on the disk of the lake. */
  readonly workFolder: string;
  /** Longest time between two commits. */
  readonly flushIntervalMs: number;
  /** What clicks in the buffer may take; one record more, and reading stops until a commit. */
  readonly flushBytesMax: number;
  /** Files that an hour with many clicks is split into. */
  readonly buckets: number;
  /** Hours with fewer clicks in a commit share one file. */
  readonly sharedRowsMax: number;
}

/** An early commit waits this many times the last one's duration: at most a fifth is committing. */
export const FLUSH_SHARE = 4;
/** Records in one commit at most, if they are not buffered: those that are no clicks. */
export const FLUSH_RECORDS_MAX = 2_000_000;
/** Event hours in one commit at most: a producer with a wild clock opens one per click. */
export const FLUSH_HOURS_MAX = 2_000;
