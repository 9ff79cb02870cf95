import type { Click } from './click/click.js';
import { parseClick } from './click/parse.js';
import type { RejectReason } from './click/reasons.js';
import { partitionKey } from './position.js';
import type { Position } from './position.js';
import { fieldsOf, filtersOf } from './rules/rule-set.js';
import type { RuleSet } from './rules/rule-set.js';
import { hourOf, minuteOf } from './time.js';

/** One record of the log. `appendMs` is the broker's append time, epoch ms. */
export interface LogRecord extends Position {
  readonly appendMs: number;
  /** null: a record without value (a tombstone). */
  readonly value: Uint8Array | null;
}

/** What became of one record. Each record has exactly one fate (I3). */
export type Fate =
  | { readonly kind: 'counted'; readonly click: Click }
  | { readonly kind: 'duplicate'; readonly click: Click }
  | { readonly kind: 'late'; readonly click: Click }
  | { readonly kind: 'quarantined'; readonly reason: RejectReason; readonly detail: string };

/** A count: how many clicks of an ad in a minute match a filter ('' for all of them). */
export interface Cell {
  readonly adId: string;
  /** First millisecond of the minute, epoch ms UTC. */
  readonly minuteMs: number;
  readonly filter: string;
  count: number;
}

/** The key of a cell in maps: no id and no filter holds a control character. */
export function cellKey(adId: string, minuteMs: number, filter: string): string {
  return `${adId}\n${String(minuteMs)}\n${filter}`;
}

/**
 * The cuts, per hour (its first ms): the next offset per `partitionKey` at which counting into the
 * hour stopped. An absent partition of a cut hour is 0; an absent hour is not cut.
 */
export type Cuts = ReadonlyMap<number, ReadonlyMap<string, number>>;

export interface CountOptions {
  readonly cuts?: Cuts;
  /** The rule set an hour pins (by its first ms), where hours differ. */
  readonly rulesOf?: (hourMs: number) => RuleSet;
}

/**
 * The reference engine: what a count means, in plain maps and exact strings. Records come in the
 * order in which first is decided: per partition by offset, across partitions by (append time,
 * topic, partition, offset). Slow, and bounded only by the clicks it is given; `audit` and the tests
 * compare the fast engines with it.
 */
export class ReferenceCount {
  /** By `cellKey`. */
  readonly cells = new Map<string, Cell>();
  private readonly cuts: Cuts;
  private readonly rulesOf: (hourMs: number) => RuleSet;
  /** Per hour, the clicks counted: `ad_id`, line feed, `event_id`. */
  private readonly seen = new Map<number, Set<string>>();

  constructor(
    private readonly ruleSet: RuleSet,
    options: CountOptions = {},
  ) {
    this.cuts = options.cuts ?? new Map();
    this.rulesOf = options.rulesOf ?? ((): RuleSet => ruleSet);
  }

  /** Takes the next record of the log and says what becomes of it. */
  add(record: LogRecord): Fate {
    const result = parseClick(record.value, record.appendMs, fieldsOf(this.ruleSet));
    if (result.kind === 'rejected') {
      return { kind: 'quarantined', reason: result.reason, detail: result.detail };
    }
    const { click } = result;
    const hourMs = hourOf(click.eventMs);
    // Late before duplicate: at the cut the hour's memory of ids is dropped.
    if (this.isLate(hourMs, record)) return { kind: 'late', click };
    const seen = this.seenIn(hourMs);
    const id = `${click.adId}\n${click.eventId}`;
    if (seen.has(id)) return { kind: 'duplicate', click };
    seen.add(id);
    this.count(click, hourMs, record);
    return { kind: 'counted', click };
  }

  private isLate(hourMs: number, record: LogRecord): boolean {
    const cut = this.cuts.get(hourMs);
    return cut !== undefined && record.offset >= (cut.get(partitionKey(record)) ?? 0);
  }

  private seenIn(hourMs: number): Set<string> {
    const known = this.seen.get(hourMs);
    if (known !== undefined) return known;
    const fresh = new Set<string>();
    this.seen.set(hourMs, fresh);
    return fresh;
  }

  private count(click: Click, hourMs: number, record: LogRecord): void {
    const rules = this.rulesOf(hourMs);
    const minuteMs = minuteOf(click.eventMs);
    for (const filter of filtersOf(this.fieldsUnder(rules, click, record), rules)) {
      const key = cellKey(click.adId, minuteMs, filter);
      const cell = this.cells.get(key);
      if (cell === undefined) this.cells.set(key, { adId: click.adId, minuteMs, filter, count: 1 });
      else cell.count++;
    }
  }

  /** The click's fields as the hour's rule set asks for them. */
  private fieldsUnder(rules: RuleSet, click: Click, record: LogRecord): Click['fields'] {
    if (rules === this.ruleSet) return click.fields;
    const again = parseClick(record.value, record.appendMs, fieldsOf(rules));
    return again.kind === 'click' ? again.click.fields : [];
  }
}

/** Counts records given in log order; see `ReferenceCount`. `fates` has one entry per record. */
export function countClicks(
  records: Iterable<LogRecord>,
  ruleSet: RuleSet,
  options: CountOptions = {},
): { readonly cells: ReadonlyMap<string, Cell>; readonly fates: readonly Fate[] } {
  const engine = new ReferenceCount(ruleSet, options);
  const fates = Array.from(records, (record) => engine.add(record));
  return { cells: engine.cells, fates };
}
