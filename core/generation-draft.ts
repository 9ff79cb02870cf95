import type { GenerationInputs } from './generation.js';
import type { RuleSet } from './rules/rule-set.js';

/** Per event minute of an hour, 60 numbers each: received = counted + duplicate + filtered. */
export interface HourFlow {
  readonly received: readonly number[];
  readonly counted: readonly number[];
  readonly duplicate: readonly number[];
  readonly filtered: readonly number[];
  /** By reason: 60 numbers each, which add up to `filtered`; a reason without a click is absent. */
  readonly filteredBy: Readonly<Record<string, readonly number[]>>;
}

/** A generation before it is loaded: everything that is known of it but its cells. */
export interface GenerationDraft {
  readonly inputs: GenerationInputs;
  /** The rule set whose hash is `inputs.ruleSet`. */
  readonly ruleSet: RuleSet;
  readonly flow: HourFlow;
  /** Numbers in the manifest of the files it was made from. */
  readonly fileIds: readonly number[];
  /** The workflow that built it, for people. */
  readonly builtBy: string;
}

/** One row of a generation. Rows come by filter, then ad_id, both bytewise as UTF-8. */
export interface CellRow {
  /** '' is the unfiltered total. */
  readonly filter: string;
  readonly adId: string;
  /** 60 counts, one per minute of the hour; not all 0. */
  readonly counts: Int32Array;
}

/** A generation as it stands in the store. */
export interface LoadedGeneration {
  readonly id: number;
  /** See `CellsChecksum`. */
  readonly checksum: string;
  readonly rows: number;
  readonly cells: number;
  /** Clicks counted: the sum of the unfiltered total. */
  readonly clicks: number;
  /** The same inputs had been loaded before: this is that generation, and nothing was written. */
  readonly existed: boolean;
}
