import type pg from 'pg';
import { normalCut } from '../../core/cut.js';
import type { Cut, CutPosition } from '../../core/cut.js';
import { TruecountError } from '../../core/errors.js';

/** SQL: a cut as JSON, in order, of rows `c` of a table of cuts and their `s` of stream_progress. */
export const CUT_JSON = `coalesce(json_agg(json_build_object('topic', s.topic, 'partition', s.partition,
  'nextOffset', c.next_offset) order by s.topic, s.partition), '[]')`;

/**
 * The cut that a generation was made at.
 * @throws TruecountError not_found
 */
export async function generationCut(
  client: pg.ClientBase | pg.Pool,
  generation: number,
): Promise<Cut> {
  const { rows } = await client.query<{ cut: CutPosition[] }>(
    `select (select ${CUT_JSON}
               from generation_cuts c join stream_progress s using (slot)
              where c.generation = g.id) as cut
       from generations g where g.id = $1`,
    [generation],
  );
  if (rows[0] !== undefined) return rows[0].cut;
  throw new TruecountError('not_found', `there is no generation ${String(generation)}`);
}

/** Where the stream is in every partition that it has ever read, also of topics it reads no more. */
export async function streamCut(client: pg.ClientBase | pg.Pool): Promise<Cut> {
  const { rows } = await client.query<{ topic: string; partition: number; next_offset: string }>(
    'select topic, partition, next_offset from stream_progress where next_offset > 0',
  );
  return normalCut(
    rows.map(({ topic, partition, next_offset: next }) => ({
      topic,
      partition,
      nextOffset: Number(next),
    })),
  );
}
