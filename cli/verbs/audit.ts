import type { Command } from 'commander';
import pg from 'pg';
import { pino } from 'pino';
import { audit } from '../../audit/audit.js';
import { KafkaLog } from '../../audit/kafka-log.js';
import type { AuditReport, Check, CheckStatus, Example } from '../../audit/report.js';
import { TruecountError } from '../../core/errors.js';
import { printable } from '../../core/printable.js';
import { parseHourRange, type TimeRange } from '../../core/range.js';
import { openLake } from '../../lake/open.js';
import type { Config } from '../../runtime/config.js';
import { kafkaClientOptions } from '../../runtime/kafka-options.js';
import { postgresPoolOptions } from '../../runtime/postgres-options.js';
import { readError } from '../../store/read/connection.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import {
  Progress,
  columns,
  printResult,
  say,
  styleFor,
  withExamples,
  type Style,
} from '../output.js';

interface AuditVerbOptions extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
  readonly skipLog?: boolean;
  readonly skipLake?: boolean;
  readonly allGenerations?: boolean;
  readonly recompute: string;
}

/** `truecount audit`: checks the invariants; exit 1 if one is broken. */
export function register(program: Command): void {
  const command = program
    .command('audit')
    .summary('check the invariants, against the log and the lake as well')
    .description(
      'Checks, in one snapshot of Postgres, that counts, positions, cuts, generations, pointers and ' +
        'the ledger agree; counts the log again to compare every live cell; looks whether the lake ' +
        'holds what it must. With --recompute it counts final hours again from the lake, by SQL of ' +
        'its own. Exit code 1 if an invariant is broken.',
    )
    .option('--from <time>', 'first hour (default: all hours)')
    .option('--to <time>', 'end of the range, not in it')
    .option('--skip-log', 'do not count the log again')
    .option('--skip-lake', 'do not look at the lake')
    .option('--all-generations', 'also those that do not serve any more')
    .option('--recompute <number>', 'count so many final hours again, chosen at random', '0')
    .action(run);
  withExamples(
    withCommonOptions(command),
    'npx truecount audit',
    'npx truecount audit --from 2026-11-21T00 --to 2026-11-22T00 --json',
    'npx truecount audit --recompute 3',
  );
}

async function run(options: AuditVerbOptions): Promise<void> {
  const range = rangeOf(options);
  const recompute = parseRecompute(options.recompute);
  const { config } = configFor(options);
  const progress = new Progress();
  const report = await withConnections(config, options.skipLog === true, (pool, log) =>
    audit({
      pool,
      readLog: log?.readLog ?? null,
      lake: options.skipLake === true ? null : openLake(config.lakeUrl),
      range,
      allGenerations: options.allGenerations === true,
      recompute,
      onProgress: (what) => {
        progress.update(what);
      },
    }),
  );
  progress.done();
  printResult(options.json === true, report, () => table(report));
  const broken = report.checks.filter((check) => check.status === 'broken');
  if (broken.length === 0) return;
  const names = broken.map((check) => `${check.invariant} (${check.name})`);
  say(`${styleFor(process.stderr).red('broken:')} ${names.join(', ')}`);
  process.exitCode = 1;
}

function rangeOf({ from, to }: AuditVerbOptions): TimeRange | undefined {
  if (from === undefined && to === undefined) return undefined;
  if (from !== undefined && to !== undefined) return parseHourRange(from, to);
  throw new TruecountError('invalid_argument', '--from and --to are given together', {
    hint: 'leave both out to check all hours',
  });
}

function parseRecompute(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new TruecountError('invalid_argument', `--recompute is no number of hours: ${text}`);
}

async function withConnections<T>(
  config: Config,
  skipLog: boolean,
  use: (pool: pg.Pool, log: KafkaLog | null) => Promise<T>,
): Promise<T> {
  const pool = new pg.Pool({ ...postgresPoolOptions(config), max: 1 });
  pool.on('error', () => undefined); // the next query reports it
  const silent = pino({ level: 'silent' });
  const log = skipLog ? null : new KafkaLog(kafkaClientOptions(config), silent);
  try {
    return await use(pool, log);
  } catch (error) {
    throw readError(error);
  } finally {
    await log?.close();
    await pool.end();
  }
}

function table({ checks, ok }: AuditReport): string {
  const style = styleFor(process.stdout);
  const [head = '', ...lines] = columns([
    ['INVARIANT', 'CHECK', 'RESULT', 'WHAT WAS FOUND'],
    ...checks.map((check) => [check.invariant, check.name, check.status, printable(check.detail)]),
  ]).split('\n');
  const out = [style.bold(head)];
  for (const [i, check] of checks.entries()) {
    out.push((lines[i] ?? '').replace(` ${check.status} `, ` ${painted(check.status, style)} `));
    for (const example of check.examples) out.push(`    ${style.dim(shown(example))}`);
  }
  return [...out, '', verdict(checks, ok)].join('\n');
}

function painted(status: CheckStatus, style: Style): string {
  if (status === 'ok') return style.green(status);
  return status === 'broken' ? style.red(status) : style.yellow(status);
}

function shown(example: Example): string {
  return Object.entries(example)
    .filter(([, value]) => value !== null)
    .map(
      ([key, value]) =>
        `${key}=${printable(typeof value === 'string' ? value : JSON.stringify(value))}`,
    )
    .join(' ');
}

function verdict(checks: readonly Check[], ok: boolean): string {
  const n = (status: Check['status']): string =>
    String(checks.filter((check) => check.status === status).length);
  return `${ok ? 'nothing broken' : 'BROKEN'}: ${n('ok')} ok, ${n('broken')} broken, ${n('unchecked')} unchecked`;
}
