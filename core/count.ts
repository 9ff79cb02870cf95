import type { Click } from './click/click.js';
import { parseClick } from './click/parse.js';
import type { RejectReason } from './click/reasons.js';
import { partitionKey } from './position.js';
import type { Position } from './position.js';
import { RulesInOrder } from './rules/in-order.js';
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
  /** Not counted, by a filter of the rule set. */
  | { readonly kind: 'filtered'; readonly click: Click; readonly reason: string }
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
  private readonly inUse = new Map<RuleSet, RulesInOrder>();
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
    const first = this.using(this.ruleSet);
    const result = parseClick(record.value, record.appendMs, first.fields);
    if (result.kind === 'rejected') {
      return { kind: 'quarantined', reason: result.reason, detail: result.detail };
    }
    const hourMs = hourOf(result.click.eventMs);
    const rules = this.using(this.rulesOf(hourMs));
    const click = rules === first ? result.click : this.readAgain(record, rules);
    // Late before duplicate: at the cut the hour's memory of ids is dropped.
    if (this.isLate(hourMs, record)) return { kind: 'late', click };
    const seen = this.seenIn(hourMs);
    const id = `${click.adId}\n${click.eventId}`;
    if (seen.has(id)) return { kind: 'duplicate', click };
    seen.add(id);
    const { reason, filters } = rules.judge(click, partitionKey(record));
    if (reason !== null) return { kind: 'filtered', click, reason };
    this.count(click, filters);
    return { kind: 'counted', click };
  }

  /** The filters of the cells that a click would be counted in. `click` is one that `add` gave. */
  filtersOf(click: Click): readonly string[] {
    return this.using(this.rulesOf(hourOf(click.eventMs))).filters(click);
  }

  private using(ruleSet: RuleSet): RulesInOrder {
    const known = this.inUse.get(ruleSet) ?? new RulesInOrder(ruleSet);
    this.inUse.set(ruleSet, known);
    return known;
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

  private count({ adId, eventMs }: Click, filters: readonly string[]): void {
    const minuteMs = minuteOf(eventMs);
    for (const filter of filters) {
      const key = cellKey(adId, minuteMs, filter);
      const cell = this.cells.get(key);
      if (cell === undefined) this.cells.set(key, { adId, minuteMs, filter, count: 1 });
      else cell.count++;
    }
  }

  /** The click with the fields that the hour's rule set asks for. */
  private readAgain(record: LogRecord, { fields }: RulesInOrder): Click {
    const again = parseClick(record.value, record.appendMs, fields);
    if (again.kind !== 'click') throw new TypeError('a click is one whatever is asked of it');
    return again.click;
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
