import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { scratchFolder } from '../support/end-by-signal.js';
import { countHour } from '../../batch/duckdb/count-hour.js';
import type { HourInput } from '../../batch/duckdb/count-hour.js';
import { DuckSession, sqlText } from '../../batch/duckdb/session.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { PARTITIONS, TOPIC, writeHour } from '../recompute/files.js';
import { median, thousands } from '../support/report.js';
import type { Report } from '../support/report.js';
import { HOUR_MS, Workload } from '../support/workload.js';
import { countByHand } from './hand-written-sql.js';

const ROUNDS = 9;
const MEMORY_MB = 1_024;
const COMPILED = 'from the compiler';
const SUSPECTS = 'by hand, duplicates looked for as in the product';
const WINDOW = 'by hand, duplicates by a window over all clicks';

type Count = (session: DuckSession, input: HourInput, output: string) => Promise<unknown>;

const CONTESTANTS: readonly (readonly [string, Count])[] = [
  [COMPILED, (session, input, output) => countHour(session, input, output, () => undefined)],
  [SUSPECTS, (session, input, output) => countByHand(session, input, output, 'suspects')],
  [WINDOW, (session, input, output) => countByHand(session, input, output, 'window')],
];

/**
 * The statements that count an hour by the default rules, as the compiler makes them, beside the
 * same by hand: a new session each, one thread, in turn in the same process, medians of CPU time.
 * All write the same cells, or it fails.
 */
export async function benchSql({ clicks }: { readonly clicks: number }): Promise<Report> {
  const folder = scratchFolder();
  try {
    const files = await writeHour(new Workload(clicks), folder);
    const input: HourInput = {
      paths: files.map(({ key }) => join(folder, key)),
      rows: files.reduce((sum, { rows }) => sum + rows, 0),
      hourMs: HOUR_MS,
      cut: Array.from({ length: PARTITIONS }, (_, partition) => ({
        ...{ topic: TOPIC, partition, nextOffset: 2 ** 40 },
      })),
      ruleSet: DEFAULT_RULE_SET,
    };
    const times = new Map<string, number[]>(CONTESTANTS.map(([name]) => [name, []]));
    for (let round = -1; round < ROUNDS; round++) {
      for (const [name, count] of CONTESTANTS) {
        const ms = await timed(count, input, folder, round < 0 ? name : 'again');
        if (round >= 0) times.get(name)!.push(ms);
      }
    }
    await compare(folder);
    return report(times, clicks);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function timed(
  count: Count,
  input: HourInput,
  folder: string,
  name: string,
): Promise<number> {
  const scratchDir = join(folder, 'scratch');
  await rm(scratchDir, { recursive: true, force: true });
  await mkdir(scratchDir);
  await mkdir(join(folder, 'cells'), { recursive: true });
  const output = join(scratchDir, 'cells.parquet');
  const options = { memoryMb: MEMORY_MB, threads: 1, readPaths: input.paths, scratchDir };
  const before = process.cpuUsage();
  await DuckSession.with(options, (session) => count(session, input, output));
  const { user, system } = process.cpuUsage(before);
  if (name !== 'again') await rename(output, join(folder, 'cells', `${name}.parquet`));
  return (user + system) / 1_000;
}

/** Every row of one is a row of the others, as often and in the same order. */
async function compare(folder: string): Promise<void> {
  const paths = CONTESTANTS.map(([name]) => join(folder, 'cells', `${name}.parquet`));
  const scratchDir = join(folder, 'compare');
  await mkdir(scratchDir);
  const options = { memoryMb: MEMORY_MB, threads: 1, readPaths: paths, scratchDir };
  await DuckSession.with(options, async (session) => {
    const hashes: string[] = [];
    for (const path of paths) {
      const [row] = await session.rows<{ h: string }>(
        `select md5(string_agg(concat_ws(chr(9), filter, ad_id, minute, count), chr(10)
                               order by file_row_number)) as h
           from read_parquet(${sqlText(path)}, file_row_number = true)`,
      );
      hashes.push(row!.h);
    }
    if (new Set(hashes).size !== 1) throw new Error(`the cells differ: ${hashes.join(', ')}`);
  });
}

function report(times: ReadonlyMap<string, number[]>, clicks: number): Report {
  const compiled = times.get(COMPILED)!;
  const ratios = compiled.map((ms, round) => ms / times.get(SUSPECTS)![round]!);
  return {
    name: `rules in SQL: an hour of ${thousands(clicks)} clicks to its cells`,
    rows: [...times].map(([name, all]) => ({
      statements: name,
      'CPU ms': thousands(median(all)),
      least: thousands(Math.min(...all)),
      most: thousands(Math.max(...all)),
      'compiled / this': (median(compiled) / median(all)).toFixed(2),
    })),
    notes: [
      `of rounds, the compiler's take ${median(ratios).toFixed(2)} times those by hand (median)`,
      'all wrote the same cells in the same order',
      `medians of ${String(ROUNDS)} rounds in turn after one; one thread, ${String(MEMORY_MB)} MiB`,
    ],
    raw: Object.fromEntries(times),
  };
}
