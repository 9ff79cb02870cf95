import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../cli/program.js';
import { packageFile } from '../../runtime/package-root.js';
import { PROGRAM } from '../support/command-line.js';
import { freshTopic, kafkaBrokers, testKafka } from '../support/stack.js';
import { captureOutput, type Output } from '../support/captured-output.js';

const APACHE = packageFile('examples', 'apache.mapping.yaml');

let dir: string;
let output: Output;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'truecount-ingest-'));
  vi.stubEnv('TRUECOUNT_KAFKA_BROKERS', kafkaBrokers().join(','));
  vi.stubEnv('TRUECOUNT_HOME', dir);
  output = captureOutput();
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
  rmSync(dir, { recursive: true, force: true });
});

function file(name: string, text: string | Buffer): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

async function recordsOn(topic: string): Promise<number> {
  const admin = testKafka().admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  return offsets.reduce((sum, { high }) => sum + Number(high), 0);
}

/** Runs a script of bash, whose $0 and $1 are the command line. */
function shell(script: string): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)('bash', ['-c', script, process.execPath, PROGRAM]);
}

describe('truecount ingest', () => {
  it('sends NDJSON as it is and says how much', async () => {
    const topic = await freshTopic(2);
    const path = file('clicks.ndjson', '{"ad_id":"a"}\nnonsense\n\n');
    expect(await main(['ingest', path, '--topic', topic, '--compression', 'gzip', '--json'])).toBe(
      0,
    );
    expect(JSON.parse(output.stdout)).toMatchObject({ topic, sent: 2, bytes: 21, rejected: 0 });
    expect(await recordsOn(topic)).toBe(2);
  });

  it('sends the rows of a CSV that are clicks and lists the others', async () => {
    const topic = await freshTopic(2);
    const bad = Array.from({ length: 25 }, () => 'e,a,yesterday');
    const rows = ['event_id,ad_id,timestamp', 'e,a,1700000000000', ...bad, ''];
    expect(await main(['ingest', file('clicks.csv', rows.join('\n')), '--topic', topic])).toBe(0);
    expect(output.stdout).toContain(`sent 1 to ${topic}`);
    expect(output.stdout).toContain(
      'rejected 25\n  line 3, character 5: the time is unreadable: "yesterday"',
    );
    expect(output.stdout).toContain('  and 5 more');
    expect(await recordsOn(topic)).toBe(1);
  });

  it('goes on without a checkpoint where none can be written, and says so once', async () => {
    const topic = await freshTopic(1);
    file('ingest', 'not a folder');
    const lines = '{"ad_id":"a"}\n'.repeat(45_000);
    const paths = [file('a.ndjson', lines), file('b.ndjson', lines)];
    expect(await main(['ingest', ...paths, '--topic', topic])).toBe(0);
    expect(output.stdout).toContain(`sent 90000 to ${topic}`);
    expect(output.stderr.match(/cannot keep how far it is/g)).toHaveLength(1);
    expect(output.stderr).toContain(`${join(dir, 'ingest')} (EEXIST: file already exists)`);
    expect(await recordsOn(topic)).toBe(90_000);
  });

  it('fails if all rows were rejected', async () => {
    const topic = await freshTopic(1);
    const path = file('clicks.csv', 'event_id,ad_id,timestamp\ne,,1700000000000\n');
    expect(await main(['ingest', path, '--topic', topic])).toBe(1);
    expect(await recordsOn(topic)).toBe(0);
  });

  it('stops at a quote that is never closed', async () => {
    const topic = await freshTopic(1);
    const path = file('clicks.csv', 'event_id,ad_id,timestamp\n"e,a,1700000000000\n');
    expect(await main(['ingest', path, '--topic', topic])).toBe(2);
    expect(output.stderr).toContain('cannot be read from line 2, character 1 on');
  });

  it.each(['1', '3'])('sends several files, %s side by side, and sums up', async (parallel) => {
    const topic = await freshTopic(2);
    const line = '::1 - - [17/May/2015:10:05:03 +0000] "GET /ad7 HTTP/1.1" 200 17 "-" "curl/8"';
    const paths = [
      file('a.log', `${line}\nnonsense\n${line}\n`),
      file('b.log.gz', gzipSync(`${line.replace('::1', '::2')}\n`)),
      file('c.log', 'nonsense\n'),
    ];
    const args = ['--format', 'combined-log', '--mapping', APACHE, '--parallel', parallel];
    // Of one of them nothing could be sent: that is a failure, though the others were.
    expect(await main(['ingest', ...paths, ...args, '--topic', topic, '--json'])).toBe(1);
    expect(JSON.parse(output.stdout)).toMatchObject({
      sent: 3,
      rejected: 2,
      rejections: [
        { file: paths[0], line: 2, column: 1 },
        { file: paths[2], line: 1, column: 1 },
      ],
      files: [
        { file: paths[0], sent: 2, rejected: 1 },
        { file: paths[1], sent: 1, rejected: 0 },
        { file: paths[2], sent: 0, rejected: 1 },
      ],
    });
    expect(await recordsOn(topic)).toBe(3);
  });

  it('refuses a file of another compression before anything is sent, and in a pipe', async () => {
    const topic = await freshTopic(1);
    const whole = file('a.ndjson', '{"ad_id":"a"}\n');
    // No name tells it.
    const xz = file('b.ndjson', Buffer.from('fd377a585a000004e6d6b446', 'hex'));
    expect(await main(['ingest', whole, xz, '--topic', topic])).toBe(2);
    expect(output.stderr).toContain(`${xz} is compressed by xz, which is not read`);
    expect(output.stderr).toContain(`xz -dc ${xz} | truecount ingest -`);
    const piped = shell(`"$0" "$1" ingest - --topic ${topic} < ${xz}`);
    await expect(piped).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('stdin is compressed by xz') as string,
    });
    expect(await recordsOn(topic)).toBe(0);
  });

  it('fails for a damaged file beside another, and says how much of it was sent', async () => {
    const topic = await freshTopic(1);
    const whole = file('a.ndjson', '{"ad_id":"a"}\n');
    const damaged = file('b.ndjson', gzipSync('{"ad_id":"b"}\n').subarray(0, -4));
    expect(await main(['ingest', whole, damaged, '--parallel', '2', '--topic', topic])).toBe(2);
    expect(output.stderr).toMatch(
      /gzip data of .*b\.ndjson are damaged.* sent of .*b\.ndjson before that: /,
    );
    expect(await recordsOn(topic)).toBeGreaterThanOrEqual(1);
  });

  it('finds nothing to send in an empty file, and goes on with the next', async () => {
    const topic = await freshTopic(1);
    const good = file('a.csv', 'event_id,ad_id,timestamp\ne,a,1700000000000\n');
    const names = file('names.csv', 'event_id,ad_id,timestamp\n');
    const empty = [file('e.csv', ''), file('lines.csv', '\n\n'), file('e.csv.gz', gzipSync(''))];
    const args = ['--format', 'csv', '--topic', topic, '--json'];
    expect(await main(['ingest', ...empty, names, good, ...args])).toBe(0);
    expect(JSON.parse(output.stdout)).toMatchObject({ sent: 1, rejected: 0 });
    expect(await recordsOn(topic)).toBe(1);
  });

  it('reads pipes: one with a name, and one that the shell opened', async () => {
    const topic = await freshTopic(1);
    const fifo = join(dir, 'pipe');
    execFileSync('mkfifo', [fifo]);
    const path = file('a.csv', 'event_id,ad_id,timestamp\ne,a,1700000000000\n');
    const script = `cat ${path} > ${fifo} & exec "$0" "$1" ingest ${fifo} <(gzip -c ${path}) \
      --format csv --topic ${topic} --parallel 2 --json`;
    const { stdout } = await shell(script);
    expect(JSON.parse(stdout)).toMatchObject({ sent: 2, rejected: 0 });
    expect(await recordsOn(topic)).toBe(2);
    const tried = await shell(`exec "$0" "$1" mapping try <(cat ${path}) --format csv`);
    expect(tried.stdout).toContain('1 clicks, 0 rejected');
  });

  it('sends nothing if one of the files is not there', async () => {
    const topic = await freshTopic(1);
    const path = file('clicks.ndjson', '{"ad_id":"a"}\n');
    expect(await main(['ingest', path, 'nowhere', '--topic', topic])).toBe(3);
    expect(await recordsOn(topic)).toBe(0);
  });

  it.each([
    ['stdin twice', ['-', '-'], 2, /stdin is named twice/],
    ['a file that is not there', ['nowhere.ndjson'], 3, /there is no file nowhere\.ndjson/],
    ['a folder', [tmpdir()], 2, /is a folder/],
    [
      'a mapping for NDJSON',
      ['package.json', '--mapping', APACHE],
      2,
      /--mapping is for CSV and logs/,
    ],
    ['a mapping that is not there', ['a.csv', '--mapping', 'm.yaml'], 3, /cannot read the mapping/],
    [
      'an unknown format',
      ['package.json', '--format', 'xml'],
      2,
      /Allowed choices are ndjson, csv, tsv, combined-log/,
    ],
    ['an unknown topic', ['package.json', '--topic', 'no-such-topic'], 3, /no topic no-such-topic/],
  ])('says what is wrong with %s', async (_, args, exit, message) => {
    if (args[0] === 'a.csv') args[0] = file('a.csv', '');
    expect(await main(['ingest', ...args])).toBe(exit);
    expect(output.stderr).toMatch(message);
  });
});
