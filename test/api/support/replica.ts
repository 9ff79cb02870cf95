import type pg from 'pg';
import type { Api } from '../../../api/type-provider.js';
import { formatTime } from '../../../core/range.js';
import { get } from './open-api.js';

interface Page {
  readonly as_of: number;
  readonly changes: readonly {
    readonly filter_id?: string;
    readonly ad_id: string;
    readonly minute: string;
    readonly before: number;
    readonly count: number;
  }[];
  readonly next: { readonly after: number; readonly cursor: string | null };
}

/** A copy of the final cells that knows nothing but the feed. It checks what it is told was before. */
export class Replica {
  asOf = 0;
  private readonly cells = new Map<string, number>();

  constructor(
    private readonly api: Api,
    private readonly limit: number,
  ) {}

  /** Reads all pages there are. */
  async follow(): Promise<void> {
    let next: Page['next'] = { after: this.asOf, cursor: null };
    do {
      const cursor = next.cursor === null ? {} : { cursor: next.cursor };
      const { status, body } = await get(this.api, '/changes', {
        after: next.after,
        limit: this.limit,
        ...cursor,
      });
      if (status !== 200) throw new Error(JSON.stringify(body));
      const page = body as Page;
      for (const change of page.changes) this.apply(change);
      next = page.next;
    } while (next.cursor !== null);
    this.asOf = next.after;
  }

  /** `filter|ad|minute|count`, sorted. */
  sorted(): string[] {
    return [...this.cells].map(([key, count]) => `${key}|${String(count)}`).sort();
  }

  private apply({ filter_id: filter = '', ad_id: ad, minute, before, count }: Page['changes'][0]) {
    const key = `${filter}|${ad}|${minute}`;
    const known = this.cells.get(key) ?? 0;
    if (known !== before) throw new Error(`${key}: ${String(before)} was ${String(known)}`);
    if (count === 0) this.cells.delete(key);
    else this.cells.set(key, count);
  }
}

/** The final cells as the served relation has them, in the form of `Replica.sorted`. */
export async function servedCells(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ filter: string; ad_id: string; at: Date; count: number }>(
    `select filter, ad_id, hour + (minute - 1) * interval '1 minute' as at, count
       from served_cells cross join unnest(counts) with ordinality u (count, minute)
      where generation is not null and count <> 0`,
  );
  return rows.map((r) => [r.filter, r.ad_id, formatTime(r.at.getTime()), r.count].join('|')).sort();
}
