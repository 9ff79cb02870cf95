import { createHash } from 'node:crypto';
import { normalCut } from './cut.js';
import type { Cut } from './cut.js';
import { formatTime } from './range.js';
import { canonicalJson, sha256Hex } from './rules/canonical-json.js';

/** What a generation is a function of (I5). */
export interface GenerationInputs {
  readonly hourMs: number;
  /** Hash of the rule set. */
  readonly ruleSet: string;
  readonly cut: Cut;
}

/** SHA-256 that names the inputs: the same wherever the log is the same. */
export function hashInputs(inputs: GenerationInputs): string {
  const cut = normalCut(inputs.cut).map(({ topic, partition, nextOffset }) => [
    topic,
    partition,
    nextOffset,
  ]);
  return sha256Hex(
    canonicalJson({ hour: formatTime(inputs.hourMs), rule_set: inputs.ruleSet, cut }),
  );
}

/**
 * The checksum of a generation: SHA-256 over its cells that are not 0, one line each
 * (`filter TAB ad_id TAB minute TAB count LF`, minute 0..59), by filter, then ad_id, both bytewise as
 * UTF-8, then minute. Give the rows in that order; no id and no filter holds a tab or line feed.
 */
export class CellsChecksum {
  private readonly hash = createHash('sha256');
  private pending = '';
  /** Cells that are not 0 so far. */
  cells = 0;
  /** Rows (filter, ad_id) so far. */
  rows = 0;

  /** One row: 60 counts. */
  add(filter: string, adId: string, counts: ArrayLike<number>): void {
    this.rows++;
    for (let minute = 0; minute < counts.length; minute++) {
      const count = counts[minute]!;
      if (count === 0) continue;
      this.cells++;
      this.pending += `${filter}\t${adId}\t${String(minute)}\t${String(count)}\n`;
    }
    if (this.pending.length > 65_536) this.flush();
  }

  /** 64 lower-case hex digits; nothing can be added after it. */
  digest(): string {
    this.flush();
    return this.hash.digest('hex');
  }

  private flush(): void {
    this.hash.update(this.pending, 'utf8');
    this.pending = '';
  }
}
