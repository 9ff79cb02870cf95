/**
 * Chooses the layout of generations: 30 days × 24 hours × 3 generations in each layout, one each
 * in a new Postgres of the benchmark's own with default settings but for autovacuum: it is off, what
 * it would do is done before measuring.
 */
import { startPostgres } from '../live-layout/postgres.js';
import type { OwnPostgres } from '../live-layout/postgres.js';
import { machine } from '../support/report.js';
import type { Report, Row } from '../support/report.js';
import { measureForms } from './forms.js';
import { LAYOUTS } from './layouts.js';
import type { Layout } from './layouts.js';
import { measureCrowd } from './crowd.js';
import type { CrowdFigures } from './crowd.js';
import { measureReads } from './reads.js';
import type { PreparedFigures, ReadFigures } from './reads.js';
import { measureSize, measureWrites } from './writes.js';
import type { Size, WriteFigures } from './writes.js';
import { WAYS } from './queries.js';
import { FILTERS, createWorld } from './world.js';

const ADS = 60;
/** Of the second run, with the two best. */
const MORE_ADS = 300;

interface Measured {
  readonly layout: string;
  readonly ads: number;
  readonly size: Size;
  readonly reads: readonly ReadFigures[];
  readonly crowd: CrowdFigures;
  readonly writes: WriteFigures;
  readonly load: string | number;
}

export async function benchGenerations(): Promise<Report[]> {
  const all: Measured[] = [];
  for (const layout of Object.values(LAYOUTS)) {
    all.push(await inPostgres((postgres) => measure(postgres, layout, ADS)));
  }
  checkAnswers(all);
  const more: Measured[] = [];
  for (const layout of [LAYOUTS.d, LAYOUTS.e]) {
    more.push(await inPostgres((postgres) => measure(postgres, layout, MORE_ADS)));
  }
  checkAnswers(more);
  return [
    writeReport('generations: tables', all),
    readReport('generations: reads', all),
    writeReport('generations: tables, five times the rows', more),
    readReport('generations: reads, five times the rows', more),
    await inPostgres(measureForms),
  ];
}

async function inPostgres<T>(work: (postgres: OwnPostgres) => Promise<T>): Promise<T> {
  const postgres = await startPostgres();
  try {
    return await work(postgres);
  } finally {
    await postgres.stop();
  }
}

async function measure(postgres: OwnPostgres, layout: Layout, ads: number): Promise<Measured> {
  const begin = performance.now();
  await createWorld(postgres, layout, ads);
  const size = await measureSize(postgres);
  const crowd = await measureCrowd(postgres, layout);
  const reads = await measureReads(postgres, layout, ads);
  const writes = await measureWrites(postgres, layout, ads);
  const load = machine()['loadAverage']!;
  const seconds = ((performance.now() - begin) / 1000).toFixed(0);
  console.error(`  ${layout.name}, ${String(ads)} ads: ${seconds} s, load average ${String(load)}`);
  return { layout: layout.name, ads, size, reads, crowd, writes, load };
}

/** The same questions have the same answers in every layout, or nothing here means anything. */
function checkAnswers(all: readonly Measured[]): void {
  const answers = new Set(all.map(({ reads }) => JSON.stringify(reads.map((r) => r.answers))));
  if (answers.size !== 1) throw new Error(`layouts disagree: ${[...answers].join('\n')}`);
}

function writeReport(name: string, all: readonly Measured[]): Report {
  return {
    name,
    rows: all.map(({ layout, size, crowd, writes }): Row => ({
      layout,
      tables: size.relations,
      'heap MB': size.heapMb.toFixed(0),
      'index MB': size.indexMb.toFixed(0),
      'load ms': writes.loadMs.toFixed(0),
      'load CPU ms': writes.loadCpuMs.toFixed(0),
      'rows/s': Math.round(writes.loadRowsPerSecond),
      'remove 1, ms': writes.removeOneMs.toFixed(1),
      'remove 24, ms': writes.removeRangeMs.toFixed(1),
      'vacuum ms': writes.vacuumMs.toFixed(0),
      'waits for reader': writes.removalWaits ? 'yes' : 'no',
      locks: crowd.locks,
      'first query ms': crowd.firstMs.toFixed(1),
      'backend MB': crowd.backendMb.toFixed(0),
      '8 at once: failed': `${String(crowd.failed)} of 80`,
      'answers/s': crowd.queriesPerSecond.toFixed(0),
      '12 open: failed': crowd.openFailed,
    })),
    notes: [
      `2,160 generations of ${String(all[0]!.ads * FILTERS)} rows of an ad and filter`,
      'load: one more generation (C: 24 of them) by binary COPY, in one transaction, counted after it',
      'remove 1 and 24: superseded generations of an hour and of a day; vacuum: after 77 were removed',
      'locks, first query, 8 at once: 24 hours of one ad through the view; 8 connections × 10',
      ...all.filter((one) => one.crowd.error).map((one) => `${one.layout}: ${one.crowd.error}`),
      `load averages: ${all.map((one) => String(one.load)).join(' | ')}`,
    ],
    raw: all,
  };
}

function readReport(name: string, all: readonly Measured[]): Report {
  return {
    name,
    rows: all.flatMap(({ layout, reads }) =>
      reads.map(({ question, ways, prepared, generic }): Row => ({
        layout,
        question,
        ...Object.fromEntries(
          WAYS.map((way) => {
            const { planMs, runMs } = ways[way];
            return [`${way}: plan + run ms`, `${planMs.toFixed(2)} + ${runMs.toFixed(2)}`];
          }),
        ),
        'prepared: wall / CPU ms': wallAndCpu(prepared),
        'generic: wall / CPU ms': wallAndCpu(generic),
      })),
    ),
    notes: [
      'medians of 15; view: hours and ad as literals; statement: that of a service, literals;',
      'ids: generation ids as literals, no pointers; prepared: the statement with parameters, from',
      'its ninth execution on; generic: so with force_generic_plan; all answers were the same',
    ],
  };
}

const wallAndCpu = ({ wallMs, cpuMs }: PreparedFigures) =>
  `${wallMs.toFixed(2)} / ${cpuMs.toFixed(2)}`;
