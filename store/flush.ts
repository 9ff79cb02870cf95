import type pg from 'pg';
import type { HourState } from './hours.js';
import { writeFlushBody } from './flush-body.js';
import type { FlushBody } from './flush-body.js';

/** One partition's fence and new position: epoch and old offset must still be those in Postgres. */
export interface FenceMove {
  readonly slot: number;
  readonly epoch: number;
  readonly oldOffset: number;
  readonly newOffset: number;
  readonly rebuildFrom: number;
  readonly maxEventMs: number | null;
  readonly logEndOffset: number | null;
  readonly atEnd: boolean;
}

export interface FlushHead {
  /** Ascending by slot. */
  readonly moves: readonly FenceMove[];
  /** Hours with counted clicks, ascending: locked, and created where absent. */
  readonly countedHours: readonly number[];
  /** Every hour whose state the worker wants to know. */
  readonly askedHours: readonly number[];
}

export type FlushOutcome =
  | { readonly kind: 'committed'; readonly states: readonly HourState[] }
  /** Epoch or offset are not ours any more: nothing was written, the state is to be thrown away. */
  | { readonly kind: 'refused'; readonly slot: number }
  /** Cells were built under another rule set than an hour's pin: nothing was written. */
  | { readonly kind: 'other_pin'; readonly states: readonly HourState[] };

/**
 * One flush: counts and position in one transaction (I2). `resolve` gets the hour states that the
 * transaction read under the locks and returns what is to be written, or null if an hour's pin is
 * not the rule set that its cells were built with.
 *
 * Everything travels as parameters of complete statements, never as COPY. A client frozen between
 * statements is ended by idle_in_transaction_session_timeout, one frozen in the middle of sending
 * by transaction_timeout (store/session.ts).
 *
 * Throws what `pg` throws. After an error of the connection it is unknown whether the commit
 * happened; trying the same flush again is safe, because the fence then refuses it.
 */
export async function flush(
  client: pg.Client,
  head: FlushHead,
  resolve: (states: readonly HourState[]) => FlushBody | null,
): Promise<FlushOutcome> {
  await client.query('begin isolation level read committed');
  try {
    const begun = await begin(client, head);
    if ('refused' in begun) {
      await client.query('rollback');
      return { kind: 'refused', slot: begun.refused };
    }
    const body = resolve(begun.states);
    if (body === null) {
      await client.query('rollback');
      return { kind: 'other_pin', states: begun.states };
    }
    await writeFlushBody(client, body);
    await client.query('commit');
    return { kind: 'committed', states: begun.states };
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

interface BegunRow {
  refused_slot: number | null;
  hour_start: Date;
  is_cut: boolean;
  pin: string;
}

async function begin(
  client: pg.Client,
  head: FlushHead,
): Promise<{ refused: number } | { states: HourState[] }> {
  const { moves } = head;
  const { rows } = await client.query<BegunRow>({
    name: 'flush_begin',
    text: `select * from flush_begin($1::int[], $2::bigint[], $3::bigint[], $4::bigint[],
             $5::bigint[], $6::bigint[], $7::bigint[], $8::boolean[],
             $9::timestamptz[], $10::timestamptz[])`,
    values: [
      moves.map((m) => m.slot),
      moves.map((m) => m.epoch),
      moves.map((m) => m.oldOffset),
      moves.map((m) => m.newOffset),
      moves.map((m) => m.rebuildFrom),
      moves.map((m) => m.maxEventMs),
      moves.map((m) => m.logEndOffset),
      moves.map((m) => m.atEnd),
      head.countedHours.map((ms) => new Date(ms)),
      head.askedHours.map((ms) => new Date(ms)),
    ],
  });
  const refused = rows[0]?.refused_slot;
  if (refused !== undefined && refused !== null) return { refused };
  return {
    states: rows.map((r) => ({ hourMs: r.hour_start.getTime(), cut: r.is_cut, pin: r.pin })),
  };
}
