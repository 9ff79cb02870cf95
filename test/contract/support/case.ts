import type { Cut } from '../../../core/cut.js';
import type { Dimension, RuleSet } from '../../../core/rules/rule-set.js';
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
}

let ids = 0;

/** A click of minute 0, ad `a`, with an id of its own. */
export function click(fields: Readonly<Record<string, unknown>> = {}): LogEntry {
  return { value: { event_id: `e${String(++ids)}`, ad_id: 'a', timestamp: HOUR, ...fields } };
}

export const at = (partition: number, entry: LogEntry): LogEntry => ({ ...entry, partition });
export const text = (value: string): LogEntry => ({ value });
export const rules = (...dimensions: readonly Dimension[]): RuleSet => ({ version: 1, dimensions });
export const country = (map?: Record<string, string>): RuleSet =>
  rules({ name: 'country', field: 'country', ...(map === undefined ? {} : { map }) });
export const cutAt = (...offsets: readonly number[]): Cut =>
  offsets.map((nextOffset, partition) => ({ topic: TOPIC, partition, nextOffset }));

export const SAME = { event_id: 'same' };
export const long = (bytes: number): string => 'x'.repeat(bytes);
export const MINUTE = 60_000;
