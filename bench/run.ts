/**
 * The benchmarks by name. `npm run bench -- [NAME]… [--json FILE]`, all of these by default: stream,
 * count, rules, profile, archive, recompute, ids, freshness, serving, windows; docs/explanation/performance.md
 * says what they measure. `generations` and `parquet` made decisions (docs/decisions/0008 and 0009), and run
 * only where they are named; so do `tail-forms` (0014), and `collect`, `ingest` and `tail`, whose load is set by
 * options. Those that compare what they sent with what came of it end with exit code 1 where it differs.
 */
import { parseArgs } from 'node:util';
import { benchArchive } from './archive.js';
import { benchCollect } from './collect/main.js';
import { benchCount } from './count.js';
import { benchFreshness } from './freshness/main.js';
import { benchGenerations } from './generation-layout/main.js';
import { benchIds } from './ids.js';
import { benchIngest } from './ingest.js';
import { benchProfile } from './profile/main.js';
import { benchRecompute } from './recompute/main.js';
import { benchParquet } from './recompute/parquet-libraries.js';
import { benchRules } from './rules/main.js';
import { benchSql } from './rules/sql.js';
import { benchServing } from './serving/main.js';
import { benchStream } from './stream/main.js';
import { endChildrenBySignal } from './support/end-by-signal.js';
import { machine, printReport, writeJson } from './support/report.js';
import type { Report } from './support/report.js';
import { benchTailForms } from './tail-forms.js';
import { benchTail } from './tail.js';
import { benchWindows } from './windows.js';

const USAGE = `Usage: npm run bench -- [NAME]... [options]
  names: stream count rules profile archive recompute ids freshness serving windows generations parquet collect ingest tail
         tail-forms
  --json FILE    write everything that was measured
  --clicks N     clicks of stream, count, rules, profile, archive and recompute (default 1500000)
  --rounds N     rounds of stream and tail-forms (default 3)
  --seconds N    length of freshness, collect and the outage of tail (default 30)
  --rate N       clicks a second of freshness (default 20000), requests of collect (default 10000)
  --per-request N  clicks in one request of collect (default 1)
  --megabytes N  size of a file of ingest, and of what tail catches up with (default 300)
  --restart      kill the broker in the middle of collect, and start it again
  --away N       likewise, but start it again N seconds later, under load from clients that wait`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    clicks: { type: 'string', default: '1500000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '30' },
    rate: { type: 'string' },
    'per-request': { type: 'string', default: '1' },
    megabytes: { type: 'string', default: '300' },
    input: { type: 'string' },
    restart: { type: 'boolean', default: false },
    away: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const clicks = Number(values.clicks);
const BENCHMARKS: Readonly<Record<string, () => Promise<Report | readonly Report[]>>> = {
  stream: () => benchStream({ clicks, rounds: Number(values.rounds) }),
  count: () => benchCount({ clicks }),
  rules: async () => [await benchRules(), await benchSql({ clicks })],
  profile: () => benchProfile({ clicks }),
  archive: () => benchArchive({ clicks }),
  recompute: () => benchRecompute({ clicks }),
  ids: benchIds,
  freshness: () =>
    benchFreshness({ rate: Number(values.rate ?? 20_000), seconds: Number(values.seconds) }),
  serving: benchServing,
  windows: benchWindows,
  generations: benchGenerations,
  parquet: benchParquet,
  collect: () =>
    benchCollect({
      rate: Number(values.rate ?? 10_000),
      clicks: Number(values['per-request']),
      seconds: Number(values.seconds),
      awaySeconds:
        values.away === undefined ? (values.restart ? 0 : undefined) : Number(values.away),
    }),
  ingest: () => benchIngest({ megabytes: Number(values.megabytes), input: values.input }),
  tail: () => benchTail({ megabytes: Number(values.megabytes), seconds: Number(values.seconds) }),
  'tail-forms': () => benchTailForms(Number(values.rounds)),
};
const BY_NAME_ONLY = ['generations', 'parquet', 'collect', 'ingest', 'tail', 'tail-forms'];
const BY_DEFAULT = Object.keys(BENCHMARKS).filter((name) => !BY_NAME_ONLY.includes(name));

async function main(): Promise<void> {
  const names = positionals.length > 0 ? positionals : BY_DEFAULT;
  const unknown = names.find((name) => BENCHMARKS[name] === undefined);
  if (values.help || unknown !== undefined) {
    console.error(unknown === undefined ? USAGE : `no benchmark ${unknown}\n${USAGE}`);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const before = machine();
  console.log(`machine: ${JSON.stringify(before)}`);
  const reports: Report[] = [];
  for (const name of names) {
    for (const report of [await BENCHMARKS[name]!()].flat()) {
      printReport(report);
      reports.push(report);
      if ((report.failures ?? []).length > 0) process.exitCode = 1;
    }
  }
  console.log(`\nload average at the end: ${String(machine()['loadAverage'])}`);
  if (values.json !== undefined) writeJson(values.json, before, reports);
}

endChildrenBySignal();
await main();
