import type { Cut } from '../../../core/cut.js';
import type { Dimension, Filter, RuleSet } from '../../../core/rules/rule-set.js';
import { HOUR, TOPIC } from './log.js';
import type { LogEntry } from './log.js';

/** One question of the contract, by the behaviour that it is about. */
export interface Case {
  readonly name: string;
  readonly log: readonly LogEntry[];
  readonly ruleSet?: RuleSet;
  /** Default: everything is below it. */
  readonly cut?: Cut;
  /** Equal clicks in several partitions: the stream does not promise to tell them apart. */
  readonly acrossPartitions?: true;
  /** Cells that have to be there, as `filter|ad_id|minute` → count; with `only`, no others. */
  readonly cells: Readonly<Record<string, number>>;
  readonly only?: true;
  /** All duplicates: minute → count. */
  readonly duplicate?: Readonly<Record<number, number>>;
  /** All clicks that filters take out: reason → minute → count. */
  readonly filteredBy?: Readonly<Record<string, Readonly<Record<number, number>>>>;
}

let ids = 0;

/** A click of minute 0, ad `a`, with an id of its own. */
export function click(fields: Readonly<Record<string, unknown>> = {}): LogEntry {
  return { value: { event_id: `e${String(++ids)}`, ad_id: 'a', timestamp: HOUR, ...fields } };
}

export const at = (partition: number, entry: LogEntry): LogEntry => ({ ...entry, partition });
export const text = (value: string): LogEntry => ({ value });
export const rules = (...dimensions: readonly Dimension[]): RuleSet => ({ version: 1, dimensions });
/** A rule set that may have anything; without a dimension if none is given. */
export const ruled = (parts: Omit<Partial<RuleSet>, 'version'>): RuleSet => ({
  version: 1,
  dimensions: [],
  ...parts,
});
export const filters = (...all: readonly Filter[]): RuleSet => ruled({ filters: all });
/** A click per text of a field. */
export const clicksOf = (field: string, ...texts: readonly unknown[]): readonly LogEntry[] =>
  texts.map((one) => click({ [field]: one }));
export const country = (map?: Record<string, string>): RuleSet =>
  rules({ name: 'country', field: 'country', ...(map === undefined ? {} : { map }) });
export const cutAt = (...offsets: readonly number[]): Cut =>
  offsets.map((nextOffset, partition) => ({ topic: TOPIC, partition, nextOffset }));

export const SAME = { event_id: 'same' };
export const long = (bytes: number): string => 'x'.repeat(bytes);
export const MINUTE = 60_000;
