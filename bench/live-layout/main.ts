/**
 * Chooses the layout of live cells: every variant gets the same flushes, one after the other, in an
 * order that rotates with the flush. Usage: `node dist/bench/live-layout/main.js
 * [catch-up|steady|sparse|plans|reads]…` (all by default); `ROUNDS=n` (default 5).
 */
import { measurePlans } from './plans.js';
import { measureWrites } from './writes.js';
import { measureReads } from './reads.js';
import { startPostgres } from './postgres.js';
import { SUM_BY_PLPGSQL, SUM_BY_SQL_FUNCTION } from './statements.js';
import { minutesInRows, oneRowPerCell } from './variants.js';
import type { RowOptions, Variant } from './variants.js';
import { catchUp, sparse, steady } from './workloads.js';
import type { Workload } from './workloads.js';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const rows = (label: string, rest: Partial<RowOptions> = {}): Variant =>
  minutesInRows({ label, form: 'dense', fillfactor: 60, ...rest });

const CATCH_UP: Variant[] = [
  oneRowPerCell(60),
  rows('B1 int[60] dense, unnest', { sum: SUM_BY_SQL_FUNCTION }),
  rows('B2 int[60] dense, plpgsql', { sum: SUM_BY_PLPGSQL }),
  rows('B3 int[60] dense, written out'),
  rows('B4 int[60] window', { form: 'window' }),
  rows('B5 int[30] window', { form: 'window', length: 30 }),
  rows('B6 int[15] window', { form: 'window', length: 15 }),
  rows('C3 bigint[60] dense, written out', { type: 'bigint' }),
  rows('C4 bigint[60] window', { form: 'window', type: 'bigint' }),
  rows('D3 int[60] copy then merge', { form: 'staged' }),
];

const STEADY: Variant[] = [
  oneRowPerCell(60),
  rows('B3 int[60] dense, written out'),
  ...[50, 60, 70, 90].map((f) => rows('B4 int[60] window', { form: 'window', fillfactor: f })),
  rows('B5 int[30] window', { form: 'window', length: 30 }),
  rows('B6 int[15] window', { form: 'window', length: 15 }),
  rows('B7 int[60] merge', { form: 'narrow' }),
  rows('C4 bigint[60] window', { form: 'window', type: 'bigint' }),
];

// Without B7: its plan, made while the table was small, scanned the whole table for every row.
const SPARSE: Variant[] = [
  oneRowPerCell(60),
  rows('B3 int[60] dense, written out'),
  rows('B5 int[30] dense, written out', { length: 30 }),
  rows('B6 int[15] dense, written out', { length: 15 }),
  rows('B8 int[15] by span', { form: 'spans', length: 15 }),
  rows('C3 bigint[60] dense, written out', { type: 'bigint' }),
];

const WRITES: readonly (readonly [Workload, Variant[], warmUpRounds: number])[] = [
  [catchUp, CATCH_UP, 0],
  [steady, STEADY, 1],
  [sparse, SPARSE, 1],
];

const wanted = process.argv.slice(2);
const isWanted = (part: string) => wanted.length === 0 || wanted.includes(part);
const postgres = await startPostgres();
try {
  for (const [workload, variants, warmUp] of WRITES) {
    if (!isWanted(workload.name)) continue;
    console.log(await measureWrites(postgres, workload, variants, ROUNDS, warmUp));
  }
  if (isWanted('plans')) {
    console.log(
      await measurePlans(postgres, catchUp, rows('B4 int[60] window', { form: 'window' })),
    );
  }
  if (isWanted('reads')) console.log(await measureReads(postgres));
} finally {
  await postgres.stop();
}
