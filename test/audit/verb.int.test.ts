import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { main } from '../../cli/program.js';
import { freshDatabase, freshTopic, kafkaBrokers, type TestDatabase } from '../support/stack.js';
import { buildWorld } from './world.js';
import { captureOutput, type Output } from '../support/captured-output.js';

let database: TestDatabase;
let output: Output;

beforeEach(async () => {
  database = await freshDatabase();
  vi.stubEnv('TRUECOUNT_POSTGRES_URL', database.url);
  vi.stubEnv('TRUECOUNT_KAFKA_BROKERS', kafkaBrokers().join());
  output = captureOutput();
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
  await database.close();
});

async function audit(...args: string[]): Promise<number> {
  process.exitCode = undefined;
  return main(['audit', ...args]);
}

it('ends with 0 when nothing is broken, one line a check', async () => {
  await buildWorld(database.pool);
  expect(await audit('--skip-log')).toBe(0);
  expect(output.stdout).toMatch(/^I4 +dimension_sums +ok +for each ad and minute/m);
  expect(output.stdout).toMatch(/^I1 +cells_against_log +unchecked +the log was not read$/m);
  expect(output.stdout).toContain('nothing broken: 48 ok, 0 broken');
});

it('ends with 1 and the name of what is broken', async () => {
  await buildWorld(database.pool);
  await database.pool.query(`insert into loss_intervals values (1, 3, 4, 'retention')`);
  expect(await audit('--skip-log')).toBe(1);
  expect(output.stderr).toContain('broken: I3 (loss), I3 (lost_offsets)');
  expect(output.stdout).toContain('topic=t partition=0 from_offset=3 to_offset=4 reason=retention');
});

it('with --json gives the report and nothing else on stdout', async () => {
  expect(await audit('--json')).toBe(0);
  const report = JSON.parse(output.stdout) as { ok: boolean; checks: { invariant: string }[] };
  expect(report.ok).toBe(true);
  expect(report.checks.map((check) => check.invariant)).toContain('I13');
});

it('reads the log of the configured Kafka', async () => {
  const topic = await freshTopic(1);
  await database.pool.query(
    `insert into stream_progress (topic, partition, next_offset) values ($1, 0, 5)`,
    [topic],
  );
  expect(await audit('--json')).toBe(1);
  expect(output.stderr).toContain('I1 (cells_against_log)');
  expect(output.stdout).toContain('the log ends at 0, below the counted position');
});

it('refuses half a range, and says so when Postgres does not answer', async () => {
  expect(await audit('--from', '2026-11-21T10')).toBe(2);
  vi.stubEnv('TRUECOUNT_POSTGRES_URL', 'postgres://127.0.0.1:1/nowhere');
  expect(await audit('--skip-log')).toBe(5);
  expect(output.stderr).toContain('dependency_unreachable');
});
