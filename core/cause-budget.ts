import type { DiffCause, MinuteBounds, MovedCell } from './cell-causes.js';
import { TOTAL_FILTER } from './rules/rule-set.js';

type Bound = keyof MinuteBounds;

/** What is lost in an hour, wherever in it: as much as this may be missing in all minutes together. */
export interface HourBounds {
  readonly unread: number;
  readonly unarchived: number;
}

/**
 * What is left of the bounds while the cells that differ are explained, one ad and minute after the
 * other: a click that was lost explains one difference, not one of every ad.
 */
export class CauseBudget {
  private readonly left: Record<Bound, number>[];
  private readonly hourLeft: { unread: number; unarchived: number };

  /** `caps`: as of `RuleMoves`. */
  constructor(
    minutes: readonly MinuteBounds[],
    hour: HourBounds,
    private readonly caps: number,
  ) {
    this.left = minutes.map((bounds) => ({ ...bounds }));
    this.hourLeft = { ...hour };
  }

  /** How far each cause can still move a cell of a minute (0..59). */
  of(minute: number): MinuteBounds {
    const left = this.left[minute]!;
    return {
      ...left,
      unread: Math.min(left.unread, this.hourLeft.unread),
      unarchived: Math.min(left.unarchived, this.hourLeft.unarchived),
    };
  }

  /** Takes off what the causes of one ad and minute have used, by index of `cells`. */
  spend(minute: number, cells: readonly MovedCell[], causes: readonly DiffCause[]): void {
    const used: Record<Bound, number> = { unread: 0, unarchived: 0, recounted: 0, orphaned: 0 };
    const total = cells.findIndex(({ filter }) => filter === TOTAL_FILTER);
    cells.forEach(({ base, now }, i) => {
      // All cells of an ad and minute are of the same clicks: the total says how many, if it moved.
      if (total !== -1 && i !== total) return;
      const bound = boundOf(causes[i]!, now - base);
      // Of several caps, one click may push out a click each.
      const clicks = Math.ceil(Math.abs(now - base) / Math.max(this.caps, 1));
      if (bound !== null) used[bound] = Math.max(used[bound], clicks);
    });
    const left = this.left[minute]!;
    for (const bound of Object.keys(used) as Bound[]) {
      left[bound] = Math.max(0, left[bound] - used[bound]);
    }
    for (const bound of ['unread', 'unarchived'] as const) {
      this.hourLeft[bound] = Math.max(0, this.hourLeft[bound] - used[bound]);
    }
  }
}

/** Which bound a cause draws on; null: one that needs none, since it has evidence of each cell. */
function boundOf(cause: DiffCause, delta: number): Bound | null {
  switch (cause) {
    case 'stream_loss':
      return delta > 0 ? 'unread' : 'orphaned';
    case 'archive_loss':
      return 'unarchived';
    case 'dedupe_overflow':
      return 'recounted';
    case 'late':
    case 'rule_version':
    case 'unknown':
      return null;
  }
}
