import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '../runtime/config.js';
import type { Config } from '../runtime/config.js';
import { packageFile } from '../runtime/package-root.js';
import { startKafka } from '../runtime/stack/kafka.js';
import { ensureTopics } from '../runtime/topics.js';
import { cpuSeconds, rssBytes } from './support/proc.js';
import { median, thousands } from './support/report.js';
import type { Report } from './support/report.js';
import { serviceEnvironment } from './support/world.js';

// Long enough for the garbage of the start to be collected.
const IDLE_MS = 20_000;

interface Start {
  /** From the start of Node until all files were looked at and Kafka had answered. */
  readonly readyMs: number;
  readonly cpuMs: number;
  readonly idleBytes: number;
}

/** `truecount tail` from the package, and from its one file, on one log in which nothing is written. */
export async function benchTailForms(rounds: number): Promise<Report> {
  const dir = mkdtempSync(join(tmpdir(), 'truecount-bench-'));
  const kafka = await startKafka({ dir: join(dir, 'kafka') });
  try {
    const flags = { home: dir, 'kafka.brokers': [kafka.address], topics: ['bench-tail-forms'] };
    const { config } = loadConfig({ flags, env: {}, useStack: false });
    await ensureTopics(config);
    writeFileSync(join(dir, 'clicks.ndjson'), '');
    mkdirSync(join(dir, 'alone'));
    const oneFile = join(dir, 'alone', 'truecount-tail.mjs');
    copyFileSync(packageFile('dist', 'truecount-tail.mjs'), oneFile);
    const programs = { package: packageFile('dist', 'cli', 'main.js'), 'one file': oneFile };
    const starts = Object.entries(programs).map(([form, program]) => {
      return { form, program, of: [] as Start[] };
    });
    // In turns: what else the machine does meets all of them.
    for (let i = 0; i < rounds; i++) {
      for (const { program, of } of starts) of.push(await start(program, config, dir));
    }
    const rows = starts.map(({ form, of }) => ({
      form,
      'ms until ready': thousands(median(of.map(({ readyMs }) => readyMs))),
      'CPU ms until then': thousands(median(of.map(({ cpuMs }) => cpuMs))),
      'idle MB': thousands(median(of.map(({ idleBytes }) => idleBytes / 1e6))),
    }));
    const notes = [
      `medians of ${String(rounds)} starts in turns; idle: ${String(IDLE_MS / 1_000)} s later`,
      `the one file: ${thousands(statSync(oneFile).size)} bytes`,
    ];
    return { name: 'Forms of the tail', rows, notes };
  } finally {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function start(program: string, config: Config, dir: string): Promise<Start> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [program, 'tail', join(dir, 'clicks.ndjson')], {
    env: serviceEnvironment(config),
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const ended = new Promise<never>((_, reject) => {
    child.once('exit', (code) => {
      reject(new Error(`${program} ended with ${String(code)}`));
    });
  });
  try {
    await Promise.race([ended, new Promise((resolve) => child.once('message', resolve))]);
    const readyMs = performance.now() - startedMs;
    const cpuMs = cpuSeconds(child.pid!) * 1_000;
    await delay(IDLE_MS);
    return { readyMs, cpuMs, idleBytes: rssBytes(child.pid!) };
  } finally {
    child.kill('SIGTERM');
    await ended.catch(() => undefined);
  }
}
