import type pg from 'pg';
import type { Cut } from '../core/cut.js';
import { CellsChecksum, hashInputs } from '../core/generation.js';
import { formatTime } from '../core/range.js';
import { MINUTES_PER_HOUR } from '../core/time.js';
import { rowsOf } from './cursor.js';
import { Findings, findingsCheck, type Check, type Example } from './report.js';
import { JUDGED, exactNumber, scopeParameters, type Scope } from './sql-check.js';

/** A generation as its row and its cut have it. */
export interface StoredGeneration {
  readonly id: number;
  readonly hourMs: number;
  readonly ruleSet: string;
  readonly cut: Cut;
  readonly inputsHash: string;
  readonly checksum: string;
  readonly rows: number;
  readonly cells: number;
  /** Per event minute, 60 each. */
  readonly flow: Readonly<
    Record<'received' | 'counted' | 'duplicate' | 'filtered', readonly number[]>
  >;
  /** By reason, 60 each. */
  readonly filteredBy: Readonly<Record<string, readonly number[]>>;
}

interface Row extends Record<'id' | 'rule_set' | 'inputs_hash' | 'checksum', string> {
  hour: Date;
  rows: string;
  cells: string;
  received: string[];
  counted: string[];
  duplicate: string[];
  filtered: string[];
  filtered_by: Record<string, number[]>;
  cut: { topic: string; partition: number; nextOffset: number }[];
}

/** The generations in scope, by hour and number. */
export async function readGenerations(
  client: pg.ClientBase,
  scope: Scope,
): Promise<StoredGeneration[]> {
  const { rows } = await client.query<Row>(
    `select g.*, (select coalesce(json_agg(json_build_object('topic', s.topic,
                           'partition', s.partition, 'nextOffset', c.next_offset)), '[]')
                    from generation_cuts c join stream_progress s using (slot)
                   where c.generation = g.id) as cut,
            (select coalesce(json_object_agg(reason, counts), '{}')
               from generation_filtered f where f.generation = g.id) as filtered_by
       from (${JUDGED}) g order by g.hour, g.id`,
    [...scopeParameters(scope)],
  );
  return rows.map((row) => ({
    id: exactNumber(row.id),
    hourMs: row.hour.getTime(),
    ruleSet: row.rule_set,
    cut: row.cut,
    inputsHash: row.inputs_hash,
    checksum: row.checksum,
    rows: exactNumber(row.rows),
    cells: exactNumber(row.cells),
    flow: {
      received: row.received.map(Number),
      counted: row.counted.map(Number),
      duplicate: row.duplicate.map(Number),
      filtered: row.filtered.map(Number),
    },
    filteredBy: row.filtered_by,
  }));
}

/**
 * I5 of what is stored: the inputs give the name, and the cells, read in canonical order, give the
 * checksum that the ledger vouches for.
 */
export async function auditGenerations(
  client: pg.ClientBase,
  generations: readonly StoredGeneration[],
): Promise<Check[]> {
  const inputs = new Findings();
  const checksums = new Findings();
  for (const generation of generations) {
    const { hourMs, ruleSet, cut, inputsHash } = generation;
    const hash = hashInputs({ hourMs, ruleSet, cut });
    if (hash !== inputsHash) {
      inputs.add(() => ({ ...named(generation), recorded: inputsHash, inputs_give: hash }));
    }
    const found = await storedCells(client, generation.id);
    const { checksum, rows, cells } = generation;
    if (found.checksum !== checksum || found.rows !== rows || found.cells !== cells) {
      checksums.add(() => ({
        ...named(generation),
        ...{ recorded: checksum, cells_give: found.checksum },
        ...(found.rows === rows ? {} : { recorded_rows: rows, rows: found.rows }),
        ...(found.cells === cells ? {} : { recorded_cells: cells, cells: found.cells }),
      }));
    }
  }
  const checked = { generations: generations.length };
  return [
    findingsCheck('I5', 'generation_inputs', inputs, checked, {
      holds: 'a generation is named by its hour, rule set and cut',
    }),
    findingsCheck('I5', 'generation_checksums', checksums, checked, {
      holds: 'the stored cells of a generation give its recorded checksum',
    }),
  ];
}

/** What an example says of a generation. */
export function named({ id, hourMs }: StoredGeneration): Example {
  return { hour: formatTime(hourMs), generation: id };
}

export interface StoredRow {
  readonly filter: string;
  readonly adId: string;
  /** From minute 0; 60 of them, unless the row is damaged. */
  readonly counts: readonly number[];
}

interface CellsRow {
  filter: string;
  ad_id: string;
  /** Minute of the first count, from 1: counts before it are left out. */
  first: number | null;
  counts: (number | null)[];
}

/** The cells of a generation in canonical order. */
export async function* cellRows(
  client: pg.ClientBase,
  generation: number,
): AsyncGenerator<StoredRow, void> {
  const rows = rowsOf<CellsRow>(
    client,
    `select filter, ad_id, array_lower(counts, 1) as first, counts from generation_cells
      where generation = $1 order by filter, ad_id`,
    [generation],
  );
  for await (const { filter, ad_id: adId, first, counts } of rows) {
    const before = Math.max(0, (first ?? 1) - 1);
    const all = [...new Array<number>(before).fill(0), ...counts.map((n) => n ?? 0)];
    while (all.length < MINUTES_PER_HOUR) all.push(0);
    yield { filter, adId, counts: all };
  }
}

async function storedCells(
  client: pg.ClientBase,
  generation: number,
): Promise<{ checksum: string; rows: number; cells: number }> {
  const checksum = new CellsChecksum();
  for await (const { filter, adId, counts } of cellRows(client, generation)) {
    checksum.add(filter, adId, counts);
  }
  return { rows: checksum.rows, cells: checksum.cells, checksum: checksum.digest() };
}
