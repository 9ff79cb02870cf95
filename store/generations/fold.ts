import type { CellRow, GenerationDraft } from '../../core/generation-draft.js';
import { CellsChecksum } from '../../core/generation.js';
import { TruecountError } from '../../core/errors.js';
import { formatTime } from '../../core/range.js';
import { TOTAL_FILTER } from '../../core/rules/rule-set.js';
import { MINUTES_PER_HOUR } from '../../core/time.js';

/** What the rows of a generation come to. */
export interface FoldedRows {
  readonly checksum: string;
  readonly rows: number;
  readonly cells: number;
  readonly clicks: number;
}

const FATES = ['received', 'counted', 'duplicate', 'filtered'] as const;

/**
 * Looks at every row of a generation once, on its way into the store, in constant memory: the order
 * (strictly ascending, so that none is repeated), the shape of a row, the checksum, and that the
 * unfiltered total of each minute is what the flow says was counted (I3).
 */
export class RowFold {
  private readonly checksum = new CellsChecksum();
  private readonly totals = new Float64Array(MINUTES_PER_HOUR);
  private readonly prefixes: readonly string[];
  private filter = '';
  private adId = '';

  /** @throws TruecountError validation_failed where the flow does not add up (I3) */
  constructor(private readonly draft: GenerationDraft) {
    this.prefixes = draft.ruleSet.dimensions.map(({ name }) => `${name}:`);
    const { received, counted, duplicate, filtered, filteredBy } = draft.flow;
    for (const fate of FATES) this.checkCounts(`${fate} clicks`, draft.flow[fate]);
    for (const [reason, counts] of Object.entries(filteredBy)) {
      this.checkCounts(`clicks filtered by ${reason}`, counts);
    }
    filtered.forEach((n, minute) => {
      const reasons = Object.values(filteredBy).reduce((sum, of) => sum + of[minute]!, 0);
      if (n === reasons) return;
      throw this.failed(
        `minute ${String(minute)}: ${String(n)} filtered, but its reasons come to ${String(reasons)}`,
      );
    });
    received.forEach((n, minute) => {
      const fates = counted[minute]! + duplicate[minute]! + filtered[minute]!;
      if (n !== fates) {
        throw this.failed(
          `minute ${String(minute)}: ${String(n)} received, but counted, duplicate and filtered ` +
            `come to ${String(fates)} (I3)`,
        );
      }
    });
  }

  private checkCounts(what: string, counts: readonly number[]): void {
    if (counts.length === MINUTES_PER_HOUR && counts.every((n) => isCount(n))) return;
    throw this.failed(`its flow has no ${String(MINUTES_PER_HOUR)} counts of ${what}`);
  }

  /** @throws TruecountError validation_failed, naming the row */
  add({ filter, adId, counts }: CellRow): void {
    const row = `row (${JSON.stringify(filter)}, ${JSON.stringify(adId)})`;
    const order = compareBytewise(this.filter, filter) || compareBytewise(this.adId, adId);
    if (order >= 0) throw this.failed(`${row} does not come after the row before it`);
    if (filter !== TOTAL_FILTER && !this.prefixes.some((prefix) => filter.startsWith(prefix))) {
      throw this.failed(`${row}: the rule set has no such dimension`);
    }
    if (counts.length !== MINUTES_PER_HOUR) throw this.failed(`${row} has no 60 counts`);
    const before = this.checksum.cells;
    this.checksum.add(filter, adId, counts);
    if (this.checksum.cells === before) throw this.failed(`${row} counts nothing`);
    for (let minute = 0; minute < MINUTES_PER_HOUR; minute++) {
      const count = counts[minute]!;
      if (count < 0) throw this.failed(`${row} has a count below 0`);
      if (filter === TOTAL_FILTER) this.totals[minute]! += count;
    }
    this.filter = filter;
    this.adId = adId;
  }

  /** @throws TruecountError validation_failed where the total is not what was counted (I3) */
  finish(): FoldedRows {
    this.draft.flow.counted.forEach((counted, minute) => {
      const total = this.totals[minute]!;
      if (total === counted) return;
      throw this.failed(
        `minute ${String(minute)}: ${String(counted)} clicks were counted, ` +
          `but its cells come to ${String(total)} (I3)`,
      );
    });
    const { rows, cells } = this.checksum;
    const clicks = this.totals.reduce((sum, n) => sum + n, 0);
    return { checksum: this.checksum.digest(), rows, cells, clicks };
  }

  failed(what: string): TruecountError {
    const hour = formatTime(this.draft.inputs.hourMs);
    return new TruecountError('validation_failed', `generation of ${hour} is refused: ${what}`, {
      hint: 'nothing was written; this is a fault of the recompute, not of the data: report it',
      context: { hour },
    });
  }
}

function isCount(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0;
}

/**
 * Compares well-formed strings as their UTF-8 bytes compare, which is the order of their code points
 * and differs from that of UTF-16 units: there a surrogate (U+D800…) is below U+E000…U+FFFF.
 */
function compareBytewise(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
