import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageFile } from '../../runtime/package-root.js';
import { PROGRAM, cleanEnvironment } from '../support/command-line.js';
import { freshTopic, kafkaBrokers } from '../support/stack.js';
import { readTopic } from '../support/stream.js';
import { until } from '../support/until.js';
import { TailProcess } from './support/tail-process.js';

const BUNDLE = packageFile('dist', 'truecount-tail.mjs');

let folder: string;
/** The one file where a server has it: behind the name of the program, with nothing else beside it. */
let oneFile: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'truecount-one-file-'));
  oneFile = join(folder, 'truecount');
  copyFileSync(BUNDLE, join(folder, 'truecount-tail.mjs'));
  symlinkSync('truecount-tail.mjs', oneFile);
  // Below one, Node runs nothing of a module whose own name does not end in `.mjs`, and reports success.
  writeFileSync(join(folder, 'package.json'), '{}');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Clicks of their own, by number. */
function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => {
    const id = String(from + i);
    return `{"event_id":"e${id}","ad_id":"a${id}","timestamp":1700000000000}\n`;
  }).join('');
}

/**
 * Resolves when so many bytes are acknowledged and this is written down: a tail that is killed between
 * the two sends lines again, which counts once and yet is on the topic twice.
 */
async function untilSaved(bytes: number): Promise<void> {
  const state = join(folder, 'tail', 'state.json');
  await until(`${String(bytes)} bytes are in the state`, () => {
    if (!existsSync(state)) return false;
    const { files } = JSON.parse(readFileSync(state, 'utf8')) as { files: { offset: number }[] };
    return files.reduce((sum, { offset }) => sum + offset, 0) === bytes;
  });
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function ended(command: string, args: readonly string[]): Ended {
  const env = cleanEnvironment({ TRUECOUNT_HOME: folder });
  const options = { cwd: folder, env, encoding: 'utf8', timeout: 60_000 } as const;
  const { status, stdout, stderr } = spawnSync(command, args, options);
  // Lines of the log differ in when, and by which process, they were written.
  return { status, stdout, stderr: stderr.replace(/"(time|pid)":\d+/g, '"$1":0') };
}

describe('truecount-tail.mjs alone in a folder', () => {
  it('has no packages to load', () => {
    const { resolve } = createRequire(join(folder, 'x.js'));
    expect(() => resolve('kafkajs')).toThrow('Cannot find module');
  });

  it('sends each line once, across rotation and kill -9', async () => {
    const topic = await freshTopic(2);
    const log = join(folder, 'clicks.ndjson');
    const start = (): Promise<TailProcess> =>
      TailProcess.start({
        home: folder,
        program: oneFile,
        brokers: kafkaBrokers(),
        topic,
        args: [log, '--grace-ms', '200'],
      });
    appendFileSync(log, lines(0, 500));
    let tail = await start();
    await untilSaved(lines(0, 500).length);
    appendFileSync(log, lines(500, 1_000));
    renameSync(log, `${log}.1`);
    appendFileSync(log, lines(1_000, 1_500));
    await untilSaved(lines(0, 1_500).length);
    await tail.end('SIGKILL');
    appendFileSync(log, lines(1_500, 2_000));
    tail = await start();
    await untilSaved(lines(0, 2_000).length);
    expect(await tail.metric('truecount_tail_sent_total')).toBe(500);
    expect(await tail.end('SIGTERM')).toBe(0);

    const records = await readTopic(kafkaBrokers(), topic);
    const sent = records.map(({ value }) => value!.toString()).sort();
    expect(sent).toEqual(lines(0, 2_000).trimEnd().split('\n').sort());
  });

  it.each([
    ['--version'],
    ['tail --help'],
    ['help tail'],
    ['tail'],
    ['tail clicks.ndjson --no-such-option'],
    ['tail clicks.ndjson --poll-ms never'],
    ['tail clicks.ndjson --format no-such-format'],
    ['tail clicks.csv --mapping nowhere.yaml'],
    ['tail clicks.ndjson --json'],
    ['no-such-verb'],
  ])('answers `truecount %s` as the package does', (line) => {
    const args = line.split(' ');
    // By its first line, as a shell and systemd run it.
    const own = ended(oneFile, args);
    const other = ended(process.execPath, [PROGRAM, ...args]);
    expect(own).toEqual(other);
  });

  it('names the licenses of what is in it, and is small: nothing of the other services', () => {
    const text = readFileSync(oneFile, 'utf8');
    const names = [...text.matchAll(/^(\S+) \S+, license: /gm)].map((match) => match[1]);
    expect(names).toEqual(expect.arrayContaining(['kafkajs', 'pino', 'truecount', 'typebox']));
    expect(names).not.toContain('pg');
    expect(names).not.toContain('fastify');
    expect(text.length).toBeLessThan(2_000_000);
  });
});
