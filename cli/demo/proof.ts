import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';
import { pino } from 'pino';
import type { Static } from 'typebox';
import type { ExplainDocument } from '../../api/answers/explain.js';
import { audit } from '../../audit/audit.js';
import { KafkaLog } from '../../audit/kafka-log.js';
import { openLake } from '../../lake/open.js';
import { kafkaClientOptions } from '../../runtime/kafka-options.js';
import { postgresPoolOptions } from '../../runtime/postgres-options.js';
import { packageFile } from '../../runtime/package-root.js';
import type { Progress } from '../output.js';
import { line, number, plural, seconds } from './say.js';
import type { MovedCell } from './served.js';
import type { Stage } from './stage.js';

type Explanation = Static<typeof ExplainDocument>;

/** `truecount explain … --verify`, as a person would type it. Whether it came out the same. */
export async function explain(stage: Stage, cell: MovedCell): Promise<boolean> {
  const minute = new Date(cell.minuteMs).toISOString().slice(0, 16);
  const args = ['explain', cell.adId, minute, '--filter', cell.filter, '--verify'];
  line('explain', `npx truecount ${args.map(shellWord).join(' ')}`);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [packageFile('dist', 'cli', 'main.js'), ...args, '--json'],
    { env: { ...process.env, ...stage.environment } },
  );
  const { value, state, revision, files, verification } = JSON.parse(stdout) as Explanation;
  line('', `${number(value)} clicks, ${state}, revision ${String(revision)}; counted again now`);
  line('', `from ${plural(files.length, 'file')} of the lake: ${equation(verification)}`);
  return verification?.verified === true && verification.recomputed?.value === value;
}

function equation(verification: Explanation['verification']): string {
  const flow = verification?.recomputed ?? null;
  if (flow === null) return 'it could not be';
  return (
    `${number(flow.received)} received - ${number(flow.duplicates)} duplicates - ` +
    (flow.filtered === 0 ? '' : `${number(flow.filtered)} filtered - `) +
    `${number(flow.not_matching)} of other values = ${number(flow.value)}`
  );
}

function shellWord(word: string): string {
  return /^[\w.:/-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Final hours that the audit counts again from the lake, in SQL of its own. */
const RECOMPUTED = 1;

/** Checks every invariant that can be looked at. Says what is broken, if anything. */
export async function auditAll(stage: Stage, progress: Progress): Promise<boolean> {
  const startMs = performance.now();
  const pool = new pg.Pool({ ...postgresPoolOptions(stage.config), max: 1 });
  const log = new KafkaLog(kafkaClientOptions(stage.config), pino({ level: 'silent' }));
  try {
    const { checks, ok } = await audit({
      pool,
      readLog: log.readLog,
      lake: openLake(stage.config.lakeUrl),
      allGenerations: false,
      recompute: RECOMPUTED,
      onProgress: (what) => {
        progress.update(what);
      },
    });
    progress.done();
    const passed = checks.filter((check) => check.status === 'ok').length;
    const broken = checks.filter((check) => check.status === 'broken');
    const names = broken.map(({ invariant, name }) => `${invariant} ${name}`).join(', ');
    line(
      'audit',
      `${String(passed)} checks hold, ${String(broken.length)} broken ${names}`.trimEnd(),
    );
    line(
      '',
      `(the log and ${plural(RECOMPUTED, 'final hour')} counted again), ${seconds(startMs)}`,
    );
    for (const { name, examples } of broken) {
      for (const example of examples) line('', `  ${name}: ${JSON.stringify(example)}`);
    }
    return ok;
  } finally {
    await log.close();
    await pool.end();
  }
}
