import type pg from 'pg';

const ROWS_PER_FETCH = 2_000;

let cursors = 0;

/** The rows of a query, a few thousand at a time, inside the caller's transaction. */
export async function* rowsOf<Row extends pg.QueryResultRow>(
  client: pg.ClientBase,
  sql: string,
  values: readonly unknown[],
): AsyncGenerator<Row, void> {
  const name = `audit_${String(++cursors)}`;
  await client.query(`declare ${name} no scroll cursor for ${sql}`, [...values]);
  for (;;) {
    const { rows } = await client.query<Row>(`fetch ${String(ROWS_PER_FETCH)} from ${name}`);
    yield* rows;
    if (rows.length < ROWS_PER_FETCH) break;
  }
  await client.query(`close ${name}`);
}

/**
 * Walks rows that are ordered by offset beside a log that is read in the same order: `upTo` hands
 * over what lies below an offset, `at` takes the row of that offset.
 */
export class RowsByOffset<Row extends { readonly log_offset: string }> {
  private head: Row | null = null;
  private ended = false;

  constructor(private readonly rows: AsyncIterator<Row, unknown>) {}

  /** Hands all rows below `offset` to `passed`. */
  async upTo(offset: number, passed: (row: Row, offset: number) => void): Promise<void> {
    for (;;) {
      const row = await this.peek();
      if (row === null || Number(row.log_offset) >= offset) return;
      this.head = null;
      passed(row, Number(row.log_offset));
    }
  }

  /** The row at exactly `offset`, if there is one; rows below it must have been handed over. */
  async at(offset: number): Promise<Row | null> {
    const row = await this.peek();
    if (row === null || Number(row.log_offset) !== offset) return null;
    this.head = null;
    return row;
  }

  private async peek(): Promise<Row | null> {
    if (this.head !== null || this.ended) return this.head;
    const next = await this.rows.next();
    if (next.done === true) this.ended = true;
    else this.head = next.value;
    return this.head;
  }
}
