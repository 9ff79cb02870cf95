import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { CellRow } from '../../core/generation-draft.js';

/** Text that goes to Postgres at a time: long enough that a row costs no call of its own. */
const CHUNK_CHARS = 65_536;

/**
 * Copies the rows of one generation into `generation_cells`, inside the caller's transaction. `see`
 * is called with each row before it is sent; where it throws, the copy fails with its error.
 */
export async function copyCells(
  client: pg.Client,
  generation: number,
  rows: AsyncIterable<CellRow>,
  see: (row: CellRow) => void,
): Promise<void> {
  const into = client.query(
    copyFrom('copy generation_cells (generation, filter, ad_id, counts) from stdin'),
  );
  await pipeline(Readable.from(lines(String(generation), rows, see)), into);
}

async function* lines(
  generation: string,
  rows: AsyncIterable<CellRow>,
  see: (row: CellRow) => void,
): AsyncGenerator<Buffer> {
  let chunk = '';
  for await (const row of rows) {
    see(row);
    const { filter, adId, counts } = row;
    chunk += `${generation}\t${escaped(filter)}\t${escaped(adId)}\t{${counts.join()}}\n`;
    if (chunk.length < CHUNK_CHARS) continue;
    yield Buffer.from(chunk);
    chunk = '';
  }
  if (chunk !== '') yield Buffer.from(chunk);
}

/** A value in COPY's text format: https://www.postgresql.org/docs/current/sql-copy.html */
function escaped(text: string): string {
  return NEEDS_ESCAPE.test(text) ? text.replace(ESCAPED, (c) => ESCAPES[c]!) : text;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};
const NEEDS_ESCAPE = /[\\\b\f\n\r\t\v]/;
const ESCAPED = new RegExp(NEEDS_ESCAPE, 'g');
