import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ChildService } from '../../runtime/child-service.js';
import { loadConfig } from '../../runtime/config.js';
import { asEnvironment } from '../../runtime/describe-config.js';
import { until } from '../support/until.js';

let folder: string;
let service: ChildService | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'truecount-child-'));
});

afterEach(async () => {
  await service?.stop(2_000);
  rmSync(folder, { recursive: true, force: true });
});

it('gives a service no settings of a truecount.yaml that its supervisor did not read', async () => {
  // What `up --config FILE` saw, and another file where it was started.
  const seen = loadConfig({ env: {}, cwd: folder, useStack: false }).config;
  writeFileSync(join(folder, 'truecount.yaml'), 'collect: {redirectHosts: [elsewhere.example]}\n');
  const program = join(folder, 'program.mjs');
  writeFileSync(
    program,
    `process.send({ type: 'ready', url: JSON.stringify(process.argv.slice(2)) });
     setInterval(() => {}, 1000);`,
  );
  service = new ChildService({
    name: 'collect',
    service: 'collect',
    program,
    env: process.env,
    logFile: join(folder, 'collect.log'),
    log: pino({ level: 'silent' }),
    onChange: () => undefined,
  });
  service.start();
  const url = await until('it has said its arguments', () => service?.state().url ?? undefined);
  const [run, name, option, file] = JSON.parse(url) as string[];
  expect([run, name, option]).toEqual(['run', 'collect', '--config']);
  const env = asEnvironment(seen);
  expect(loadConfig({ env, file, cwd: folder, useStack: false }).config).toEqual(seen);
});
